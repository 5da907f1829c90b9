/* callback_url.h - what an integrator's base address must look like before anything is sent to it.
 *
 * One spelling only: whatever another program could read as another host (numbers for addresses,
 * percent signs, a trailing dot, capital letters) is refused, so that what a person reads, what is
 * checked and what is connected to are the same. The same words when it is saved and when it is
 * used. Resolves nothing. */
#ifndef VENDGATE_OUTBOUND_CALLBACK_URL_H
#define VENDGATE_OUTBOUND_CALLBACK_URL_H

#include "outbound/networks.h"

#include <stdbool.h>

#define CALLBACK_URL_MAX 1024 /* bytes */
#define CALLBACK_URL_HOST_SIZE 254
#define CALLBACK_URL_FAULT_SIZE 160

struct callback_url_rules {
    bool allow_http;                /* http:// beside https:// */
    const struct networks *allowed; /* that are not public, for a host that is an address; NULL */
};

struct callback_url {
    char host[CALLBACK_URL_HOST_SIZE]; /* a name, or an address without brackets */
    bool literal;                      /* it is an address, which these rules let pass */
};

/* "https://host[:port][/path]". False: it may not be used, and ret_fault says why in a half
 * sentence ("the address carries a user or password"); NULL is a text that is missing. */
bool callback_url_check(const char *url, const struct callback_url_rules *rules,
                        struct callback_url *ret_url,
                        char ret_fault[static CALLBACK_URL_FAULT_SIZE]);

#endif
