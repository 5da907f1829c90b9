#include "sample_integrator/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct option_row {
    const char *name;
    bool required;
    size_t offset;     /* of the text in struct options */
    const char *value; /* NULL: a switch */
    const char *help;
};

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct option_row ROWS[] = {
    {"port", true, AT(port), "P", "where callbacks are received (HTTPS)"},
    {"listen", false, AT(address), "IPV4", "on which address (127.0.0.1)"},
    {"cert", true, AT(cert_file), "F", "PEM of our certificate"},
    {"key", true, AT(key_file), "F", "PEM of its key"},
    {"callback-log", true, AT(callback_log), "F", "each callback is appended, a JSON object a line"},
    {"api-url", true, AT(api_url), "URL", "the gateway: https://host:port"},
    {"api-ca", true, AT(api_ca), "F", "PEM of the authority that signed its certificate"},
    {"api-key", true, AT(api_key), "K", "sent as X-API-Key"},
    {"basic-user", false, AT(basic_user), "U", "sent beside the key, with"},
    {"basic-password", false, AT(basic_password), "P", "this password"},
    {"signing-secret", true, AT(signing_secret), "S", "whsec_...: callbacks must be signed with it"},
    {"buy", false, AT(buy), "VM_ID", "buy at this machine at once"},
    {"ref", false, AT(ref), "REF", "under this reference"},
    {"control", false, AT(control), "PATH", "UNIX socket that takes `buy VM_ID REF`, as standard input does"},
    {"once", false, AT(once), NULL, "end with the purchase: 0 dispensed, 1 not"},
    {"help", false, 0, NULL, "print this and exit"},
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
    *ret_options = (struct options){.address = "127.0.0.1"};
    while ((found = getopt_long(argc, argv, "", getopt_rows, &index)) == 0) {
        if (strcmp(ROWS[index].name, "help") == 0) {
            usage(stdout);
            return OPTIONS_DONE;
        }
        if (ROWS[index].value)
            *(const char **)((char *)ret_options + ROWS[index].offset) = optarg;
        else
            ret_options->once = true;
    }
    if (found != -1 || optind < argc) {
        usage(stderr);
        return OPTIONS_BAD;
    }
    return all_given(ret_options) ? OPTIONS_RUN : OPTIONS_BAD;
}
