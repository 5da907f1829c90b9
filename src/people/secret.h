/* secret.h - digests of what people and machines prove themselves with. Pure, blocking.
 *
 * Keys and tokens of 128 random bits and more are kept as plain SHA-256; passwords, which people
 * choose, as scrypt. */
#ifndef VENDGATE_PEOPLE_SECRET_H
#define VENDGATE_PEOPLE_SECRET_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

#define SECRET_SHA256_SIZE 65  /* 64 lower-case hexadecimal digits and a NUL */
#define SECRET_DIGEST_SIZE 128 /* "scrypt$N$r$p$salt_b64$hash_b64" and a NUL */

void secret_sha256_hex(const void *bytes, size_t size, char ret_hex[static SECRET_SHA256_SIZE]);

/* Two such texts, compared in constant time; false also when one of them is no such text. */
bool secret_sha256_same(const char *hex, const char *other_hex);

/* Random salt, N 16384, r 8, p 1: about 50 ms and 16 MiB, so never on the loop. -EIO: OpenSSL
 * refused; ret_digest is untouched. */
MUST_CHECK int secret_hash_password(const char *password,
                                    char ret_digest[static SECRET_DIGEST_SIZE]);
/* With the parameters that the digest names; as slow as hashing, constant time in the comparison.
 * False also for a text that is no digest or asks for more than 64 MiB. */
bool secret_check_password(const char *password, const char *digest);

#endif
