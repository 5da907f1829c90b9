#include "bench/sender/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *why)
{
    (void)fprintf(stderr, "sender: %s\n", why);
    exit(2);
}

static int64_t number_between(const char *text, int64_t least, int64_t most)
{
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most)
        fail("a number is expected, or is out of its range");
    return value;
}

static void add_port(struct sender_options *options, const char *text)
{
    if (options->endpoint_count == SENDER_ENDPOINTS_MAX)
        fail("too many endpoints");
    options->ports[options->endpoint_count++] = (uint16_t)number_between(text, 1, UINT16_MAX);
}

enum {
    OPTION_DATABASE = 1,
    OPTION_CA,
    OPTION_DNS,
    OPTION_SECRET,
    OPTION_PORT,
    OPTION_CONNECTIONS,
    OPTION_FEEDS,
    OPTION_PATIENCE
};

static void take(struct sender_options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_DATABASE:
        options->database_url = value;
        break;
    case OPTION_CA:
        options->ca_file = value;
        break;
    case OPTION_DNS:
        options->dns_servers = value;
        break;
    case OPTION_SECRET:
        options->secret = value;
        break;
    case OPTION_PORT:
        add_port(options, value);
        break;
    case OPTION_CONNECTIONS:
        options->connections = number_between(value, 1, 1000);
        break;
    case OPTION_FEEDS:
        options->feeds = true;
        break;
    case OPTION_PATIENCE:
        options->patience_ms = number_between(value, 1, 3600) * 1000;
        break;
    default:
        exit(2);
    }
}

void sender_options_read(int argc, char **argv, struct sender_options *ret_options)
{
    static const struct option OPTIONS[] = {
        {"database", required_argument, NULL, OPTION_DATABASE},
        {"ca", required_argument, NULL, OPTION_CA},
        {"dns", required_argument, NULL, OPTION_DNS},
        {"secret", required_argument, NULL, OPTION_SECRET},
        {"port", required_argument, NULL, OPTION_PORT},
        {"connections", required_argument, NULL, OPTION_CONNECTIONS},
        {"feeds", no_argument, NULL, OPTION_FEEDS},
        {"patience", required_argument, NULL, OPTION_PATIENCE},
        {0},
    };
    struct sender_options options = {.connections = 32, .patience_ms = 60000};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        take(&options, option, optarg);
    if (!options.database_url || !options.ca_file || !options.secret || options.endpoint_count == 0)
        fail("--database, --ca, --secret and at least one --port are needed");
    *ret_options = options;
}
