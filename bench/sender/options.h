/* options.h - what the sender is told on its command line. Plain data; texts are borrowed from it.
 */
#ifndef VENDGATE_BENCH_SENDER_OPTIONS_H
#define VENDGATE_BENCH_SENDER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SENDER_ENDPOINTS_MAX 256

struct sender_options {
    const char *database_url;
    const char *ca_file;
    const char
        *dns_servers;   /* "address:port"; NULL: endpoints are reached by address, not by name */
    const char *secret; /* "whsec_..." of every endpoint */
    uint16_t ports[SENDER_ENDPOINTS_MAX]; /* of endpoint i, whose integrator is i + 1 */
    size_t endpoint_count;
    int64_t connections; /* at most, to one endpoint */
    bool feeds;          /* events are alerts of a feed, without order; else sales, in lanes */
    int64_t patience_ms; /* from the last event to giving up */
};

/* Exits with a message when they cannot be used. */
void sender_options_read(int argc, char **argv, struct sender_options *ret_options);

#endif
