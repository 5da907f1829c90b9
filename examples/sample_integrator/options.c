#include "sample_integrator/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { TEXT = 1, NUMBER, SWITCH, HELP };

struct option_row {
    const char *name;
    enum option_kind kind;
    bool required;
    size_t offset; /* in struct options */
    const char *value;
    const char *help;
};

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct option_row ROWS[] = {
    {"port", TEXT, true, AT(port), "P", "where callbacks are received (HTTPS)"},
    {"listen", TEXT, false, AT(address), "IPV4", "on which address (127.0.0.1)"},
    {"cert", TEXT, true, AT(cert_file), "F", "PEM of our certificate"},
    {"key", TEXT, true, AT(key_file), "F", "PEM of its key"},
    {"callback-log", TEXT, true, AT(callback_log), "F", "each callback is appended, a JSON object a line"},
    {"api-url", TEXT, true, AT(api_url), "URL", "the gateway: https://host:port"},
    {"api-ca", TEXT, true, AT(api_ca), "F", "PEM of the authority that signed its certificate"},
    {"api-key", TEXT, true, AT(api_key), "K", "sent as X-API-Key"},
    {"basic-user", TEXT, false, AT(basic_user), "U", "sent beside the key, with"},
    {"basic-password", TEXT, false, AT(basic_password), "P", "this password"},
    {"signing-secret", TEXT, true, AT(signing_secret), "S", "whsec_...: callbacks must be signed with it"},
    {"buy", TEXT, false, AT(buy), "VM_ID", "buy at this machine at once"},
    {"ref", TEXT, false, AT(ref), "REF", "under this reference"},
    {"control", TEXT, false, AT(control), "PATH", "UNIX socket that takes `buy VM_ID REF` and more (commands.h), as standard input does"},
    {"call-log", TEXT, false, AT(call_log), "F", "each answer to a call is appended, a JSON object a line"},
    {"retry-ms", NUMBER, false, AT(retry_ms), "N", "pause before a call without an answer is made again (1000)"},
    {"patience-ms", NUMBER, false, AT(patience_ms), "N", "unlock a machine that tells no choice for so long (0: never)"},
    {"pause-ms", NUMBER, false, AT(pause_ms), "N", "pause between the purchases of `come` (1000)"},
    {"pay-all", SWITCH, false, AT(pay_all), NULL, "pay also for purchases that an earlier run started"},
    {"once", SWITCH, false, AT(once), NULL, "end with the purchase: 0 dispensed, 1 not"},
    {"help", HELP, false, 0, NULL, "print this and exit"},
};
/* clang-format on */
enum { ROW_COUNT = ARRAY_SIZE(ROWS) };

static void usage(FILE *out)
{
    fprintf(out, "sample_integrator - receives callbacks, starts purchases and pays for them\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        fprintf(out, "  --%-16s %-6s %s%s\n", ROWS[i].name, ROWS[i].value ? ROWS[i].value : "",
                ROWS[i].help, ROWS[i].required ? " (required)" : "");
}

static bool all_given(const struct options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (ROWS[i].required && !*(const char *const *)((const char *)options + ROWS[i].offset)) {
            fprintf(stderr, "sample_integrator: --%s is required (--help tells more)\n",
                    ROWS[i].name);
            return false;
        }
    if (!options->buy != !options->ref || !options->basic_user != !options->basic_password) {
        fprintf(stderr, "sample_integrator: --buy goes with --ref, --basic-user with "
                        "--basic-password\n");
        return false;
    }
    return true;
}

static bool read_number(const char *text, int64_t *ret_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < 0 || value > INT32_MAX)
        return false;
    *ret_value = value;
    return true;
}

static bool read_value(const struct option_row *row, const char *text, struct options *options)
{
    void *at = (char *)options + row->offset;
    switch (row->kind) {
    case TEXT:
        *(const char **)at = text;
        return true;
    case NUMBER:
        return read_number(text, at);
    case SWITCH:
        *(bool *)at = true;
        return true;
    case HELP:
        break;
    }
    return false;
}

enum options_verdict options_read(int argc, char **argv, struct options *ret_options)
{
    struct option getopt_rows[ROW_COUNT + 1] = {0};
    int index;
    int found;
    for (size_t i = 0; i < ROW_COUNT; i++)
        getopt_rows[i] = (struct option){
            .name = ROWS[i].name,
            .has_arg = ROWS[i].value ? required_argument : no_argument,
        };
    *ret_options = (struct options){.address = "127.0.0.1", .retry_ms = 1000, .pause_ms = 1000};
    while ((found = getopt_long(argc, argv, "", getopt_rows, &index)) == 0) {
        if (ROWS[index].kind == HELP) {
            usage(stdout);
            return OPTIONS_DONE;
        }
        if (!read_value(&ROWS[index], optarg, ret_options)) {
            fprintf(stderr, "sample_integrator: --%s cannot be '%s'\n", ROWS[index].name, optarg);
            return OPTIONS_BAD;
        }
    }
    if (found != -1 || optind < argc) {
        usage(stderr);
        return OPTIONS_BAD;
    }
    return all_given(ret_options) ? OPTIONS_RUN : OPTIONS_BAD;
}
