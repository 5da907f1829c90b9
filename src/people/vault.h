/* vault.h - integrators' secrets at rest: sealed by AES-256-GCM under a master key that the
 * database never sees.
 *
 * A sealed text is "sealed:<key id>:<base64 of nonce, ciphertext and tag>". Its place is bound in
 * as additional data, so that a row cannot be put in another's place. Knows nothing of SQL. */
#ifndef VENDGATE_PEOPLE_VAULT_H
#define VENDGATE_PEOPLE_VAULT_H

#include "base/macros.h"
#include "people/master_key.h"

#include <stdbool.h>
#include <stdint.h>

#define VAULT_SECRET_MAX 4096 /* bytes of one secret */

struct vault;

enum vault_what {
    VAULT_SIGNING = 1, /* integrator_signing_key.secret */
    VAULT_API_KEY,     /* integrator_endpoint.present_api_key */
    VAULT_PASSWORD,    /* integrator_endpoint.present_password */
    VAULT_WHAT_COUNT
};

/* "signing", "api_key", "password"; false: none of them. */
bool vault_what_parse(const char *name, enum vault_what *ret_what);

/* Where a secret is kept. */
struct vault_place {
    int64_t integrator_id;
    enum vault_what what;
};

/* 0, or a negative errno with the reason and the remedy in ret_error (master_key.h). */
MUST_CHECK int vault_open(const char *path, struct vault **ret_vault,
                          char ret_error[static MASTER_KEY_ERROR_SIZE]);
/* Reads the file again, so that a new master key needs no restart. On a failure the keys that were
 * read before stay in force. */
MUST_CHECK int vault_reread(struct vault *vault, char ret_error[static MASTER_KEY_ERROR_SIZE]);
/* Wipes the keys. */
void vault_free(struct vault **vault);

/* Begins as a sealed text does; what does not is in the clear. */
bool vault_is_sealed(const char *text);
/* It is sealed under one of the keys; `newest`: under the one that seals now. */
bool vault_has_key_of(const struct vault *vault, const char *sealed);
bool vault_is_newest(const struct vault *vault, const char *sealed);
/* The key that seals now. Borrowed. */
const char *vault_key_id(const struct vault *vault);

/* The sealed text; the caller frees. `secret` has at most VAULT_SECRET_MAX bytes. */
char *vault_seal(const struct vault *vault, const struct vault_place *place, const char *secret);
/* The caller wipes and frees *ret_secret. -ENOKEY: sealed under a key that is not in the file (also
 * when `vault` is NULL); -EBADMSG: altered, or sealed for another place; -EINVAL: no sealed text.
 */
MUST_CHECK int vault_unseal(const struct vault *vault, const struct vault_place *place,
                            const char *sealed, char **ret_secret);

#endif
