/* credentials.h - the credentials of a request, from its header fields. Pure; used by reception.c
 * only. */
#ifndef VENDGATE_GATEWAY_CREDENTIALS_H
#define VENDGATE_GATEWAY_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#define CREDENTIALS_BASIC_MAX 512 /* user name, colon and password */

/* Header fields as they came; borrowed. */
struct credential_headers {
    const char *api_key;       /* X-API-Key; NULL: absent */
    const char *authorization; /* NULL: absent */
    bool repeated;             /* one of them came more than once */
};

struct credentials {
    const char *api_key;                   /* borrowed from the headers; NULL: absent */
    const char *user, *password;           /* point into `basic`; NULL: no Basic */
    bool malformed;                        /* what came is no credential that we know */
    char basic[CREDENTIALS_BASIC_MAX + 1]; /* decoded; wipe with credentials_done() */
};

void credentials_read(const struct credential_headers *headers,
                      struct credentials *ret_credentials);
void credentials_done(struct credentials *credentials);

#endif
