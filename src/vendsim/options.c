#include "vendsim/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { TEXT = 1, NUMBER, RATE, PORT, BEHAVIOUR, MQTT, LIST, HELP };

struct option_row {
    const char *name;
    enum option_kind kind;
    bool required;
    size_t offset; /* in struct options */
    const char *value, *help;
};

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct option_row ROWS[] = {
    {"host", TEXT, true, AT(host), "H", "the gateway, as its certificate names it"},
    {"port", PORT, true, AT(port), "P", "its port for machines"},
    {"ca", TEXT, true, AT(ca_file), "F", "PEM of the authority that signed its certificate"},
    {"machines", TEXT, true, AT(machines_file), "FILE", "array of {vm_id, cert_file, key_file[, behaviour]}"},
    {"state-dir", TEXT, true, AT(state_dir), "DIR", "where the machines' journals are kept"},
    {"behaviour", BEHAVIOUR, false, AT(behaviour), "NAME", "of machines that the file gives none (normal)"},
    {"select-after-ms", NUMBER, false, AT(pace.select_after_ms), "N", "pause before each step of a customer (1500)"},
    {"vend-ms", NUMBER, false, AT(pace.vend_ms), "N", "time of the motor (2000)"},
    {"away-ms", NUMBER, false, AT(pace.away_ms), "N", "how long misfortunes last (as the misfortune has it)"},
    {"mqtt", MQTT, false, AT(mqtt), "V", "311, 5 or mixed: every other machine (mixed)"},
    {"connect-rate", RATE, false, AT(connect_rate), "N", "first connections per second and process (200)"},
    {"backoff-ms", RATE, false, AT(backoff_ms), "N", "most before the first try to connect again; doubles with each failure (500)"},
    {"events", TEXT, false, AT(events), "FILE", "append what is said and done as JSON lines; -: standard output"},
    {"control", TEXT, false, AT(control), "PATH", "UNIX socket that takes orders, as standard input does"},
    {"list-behaviours", LIST, false, 0, NULL, "print the behaviours and exit"},
    {"help", HELP, false, 0, NULL, "print this and exit"},
};
/* clang-format on */
enum { ROW_COUNT = ARRAY_SIZE(ROWS) };

static void usage(FILE *out)
{
    fprintf(out, "vendsim - simulated vending machines\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++)
        fprintf(out, "  --%-16s %-5s %s%s\n", ROWS[i].name, ROWS[i].value ? ROWS[i].value : "",
                ROWS[i].help, ROWS[i].required ? " (required)" : "");
    fprintf(out,
            "\nOrders, one JSON object a line: {\"vm_id\":\"..\" or \"*\", \"behaviour\":\"..\", "
            "\"times\":1,\n \"select_after_ms\":.., \"vend_ms\":.., \"away_ms\":.., "
            "\"item\":.., \"price\":..} (times 0 or absent: for ever),\n "
            "{\"vm_id\":\"..\", \"act\":\"power_loss\"} (a misfortune at once), "
            "{\"vm_id\":\"..\", \"event\":{..}} (an event to tell).\n");
}

static bool read_number(const char *text, int64_t max, int64_t *ret_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < 0 || value > max)
        return false;
    *ret_value = value;
    return true;
}

static bool read_mqtt(const char *text, enum mqtt_mix *ret_mix)
{
    static const char *const NAMES[] = {[MQTT_311] = "311", [MQTT_5] = "5", [MQTT_MIXED] = "mixed"};
    for (size_t i = MQTT_311; i < ARRAY_SIZE(NAMES); i++)
        if (strcmp(NAMES[i], text) == 0) {
            *ret_mix = (enum mqtt_mix)i;
            return true;
        }
    return false;
}

static bool read_port(const char *text, int *ret_port)
{
    int64_t port = 0;
    if (!read_number(text, UINT16_MAX, &port) || port == 0)
        return false;
    *ret_port = (int)port;
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
        return read_number(text, INT32_MAX, at);
    case RATE:
        return read_number(text, INT32_MAX, at) && *(const int64_t *)at > 0;
    case PORT:
        return read_port(text, at);
    case BEHAVIOUR:
        return behaviour_parse(text, at);
    case MQTT:
        return read_mqtt(text, at);
    case LIST:
    case HELP:
        break;
    }
    return false;
}

static bool all_given(const struct options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *at = (const char *)options + ROWS[i].offset;
        bool given =
            ROWS[i].kind == PORT ? *(const int *)at != 0 : *(const char *const *)at != NULL;
        if (ROWS[i].required && !given) {
            fprintf(stderr, "vendsim: --%s is required (--help tells more)\n", ROWS[i].name);
            return false;
        }
    }
    return true;
}

static void set_standard(struct options *options)
{
    *options = (struct options){
        .pace = {.select_after_ms = 1500, .vend_ms = 2000, .away_ms = -1, .item = -1, .price = -1},
        .mqtt = MQTT_MIXED,
        .connect_rate = 200,
        .backoff_ms = 500,
    };
    bool known = behaviour_parse(BEHAVIOUR_NORMAL, &options->behaviour);
    assert(known);
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
    set_standard(ret_options);
    while ((found = getopt_long(argc, argv, "", getopt_rows, &index)) == 0) {
        const struct option_row *row = &ROWS[index];
        if (row->kind == LIST || row->kind == HELP) {
            row->kind == LIST ? behaviour_list(stdout) : usage(stdout);
            return OPTIONS_DONE;
        }
        if (!read_value(row, optarg, ret_options)) {
            fprintf(stderr, "vendsim: --%s cannot be '%s'\n", row->name, optarg);
            return OPTIONS_BAD;
        }
    }
    if (found != -1 || optind < argc) {
        usage(stderr);
        return OPTIONS_BAD;
    }
    return all_given(ret_options) ? OPTIONS_RUN : OPTIONS_BAD;
}
