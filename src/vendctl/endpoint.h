/* endpoint.h - where and how an integrator's callbacks go, as options of a command say it: checked
 * by the rules that the gateway keeps when it sends. */
#ifndef VENDGATE_VENDCTL_ENDPOINT_H
#define VENDGATE_VENDCTL_ENDPOINT_H

#include "vendctl/invocation.h"

struct endpoint_settings {
    char *url;
    char *ca_file; /* NULL: the system's */
    bool allow_http;
    char *networks;             /* that are not public, with commas; NULL: none */
    char *cert_file, *key_file; /* NULL: none */
    char *pins;                 /* with commas; NULL: none */
    char *rate;                 /* decimal, attempts a second; "0": no limit */
};

/* From --callback-url, --callback-ca, --allow-http, --allow-private, --allow-cidr, --client-cert,
 * --client-key, --pin and --rate; what is not given is as in `current` (a row of endpoint_show;
 * NULL: there is none yet), "none" takes it away. 0, or the exit status after a complaint. */
int endpoint_settings_read(const struct invocation *invocation, const json_t *current,
                           struct endpoint_settings *ret_settings);
/* For _cleanup_(). */
void endpoint_settings_done(struct endpoint_settings *settings);

/* "a,b" as an array of PostgreSQL's; NULL gives the empty one. The caller frees. */
char *endpoint_array(const char *list);
/* What can be checked only when it is sent to, for a person to read; NULL: nothing. The caller
 * frees. */
char *endpoint_checked_later(const struct endpoint_settings *settings);

#endif
