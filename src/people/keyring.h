/* keyring.h - the integrators' credentials as digests. Plain table, filled row by row; used by
 * people*.c only. */
#ifndef VENDGATE_PEOPLE_KEYRING_H
#define VENDGATE_PEOPLE_KEYRING_H

#include "people/secret.h"

#include <stddef.h>
#include <stdint.h>

#define KEYRING_PASSWORDS_MAX \
    4 /* live passwords of one user name (rotation); further ones are dropped */

struct keyring;

/* A password that a user name may come with. */
struct keyring_password {
    int64_t integrator_id;
    char *text; /* scrypt text; borrowed */
};

struct keyring *keyring_new(void);
/* `digest`: 64 lower-case hexadecimal digits. -EINVAL: it is something else. */
MUST_CHECK int keyring_add_api_key(struct keyring *keyring, const char *digest,
                                   int64_t integrator_id);
/* -ENOSPC: the user name has KEYRING_PASSWORDS_MAX already. */
MUST_CHECK int keyring_add_password(struct keyring *keyring, const char *user, const char *text,
                                    int64_t integrator_id);
/* Whose key has this SHA-256, compared in constant time; 0: nobody's. */
int64_t keyring_find_api_key(const struct keyring *keyring,
                             const char digest[static SECRET_SHA256_SIZE]);
/* The passwords of the user name, borrowed; *ret_count 0: there is no such user. */
const struct keyring_password *keyring_find_user(const struct keyring *keyring, const char *user,
                                                 size_t *ret_count);
void keyring_free(struct keyring **keyring);

#endif
