/* conninfo.h - a libpq connection string whose host names are resolved by us, because
 * PQconnectStart would block on them. Internal to store/. */
#ifndef VENDGATE_STORE_CONNINFO_H
#define VENDGATE_STORE_CONNINFO_H

#include "base/macros.h"
#include "store/store.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <stddef.h>

struct conninfo;

/* `password` and `application` may be NULL; all are copied. -EINVAL and the reason: it can never
 * work. */
MUST_CHECK int conninfo_new(const char *text, const char *password, const char *application,
                            struct conninfo **ret_conninfo,
                            char ret_error[static STORE_ERROR_SIZE]);
/* Wipes the password. */
void conninfo_free(struct conninfo **conninfo);

size_t conninfo_host_count(const struct conninfo *conninfo);
/* NULL: the host needs no resolution (a socket's folder, an address). */
const char *conninfo_host_name(const struct conninfo *conninfo, size_t host);
/* Forgets what was resolved before. */
void conninfo_forget(struct conninfo *conninfo);
void conninfo_resolved(struct conninfo *conninfo, size_t host, const struct addrinfo *addresses);
/* Starts a connection to what is known by now; NULL: no host has an address. */
PGconn *conninfo_connect(const struct conninfo *conninfo);

#endif
