#include "people/secret.h"

#include "base/macros.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SALT_SIZE 16
#define HASH_SIZE 32
#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)
#define MEMORY_MAX (UINT64_C(64) << 20)

struct scrypt {
    uint64_t n, r, p;
};

static const struct scrypt STANDARD = {.n = 16384, .r = 8, .p = 1};

void secret_sha256_hex(const void *bytes, size_t size, char ret_hex[static SECRET_SHA256_SIZE])
{
    unsigned char digest[32];
    unsigned int digest_size = sizeof(digest);
    int done = EVP_Digest(bytes, size, digest, &digest_size, EVP_sha256(), NULL);
    assert(done == 1 && digest_size == sizeof(digest)); /* SHA-256 is in every OpenSSL */
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", (unsigned int)digest[i]);
    OPENSSL_cleanse(digest, sizeof(digest));
}

bool secret_sha256_same(const char *hex, const char *other_hex)
{
    size_t size = SECRET_SHA256_SIZE - 1;
    return strlen(hex) == size && strlen(other_hex) == size &&
           CRYPTO_memcmp(hex, other_hex, size) == 0;
}

static bool scrypt_run(const char *password, const unsigned char salt[static SALT_SIZE],
                       const struct scrypt *cost, unsigned char ret_hash[static HASH_SIZE])
{
    /* OpenSSL counts a few blocks more than 128 * N * r. */
    return EVP_PBE_scrypt(password, strlen(password), salt, SALT_SIZE, cost->n, cost->r, cost->p,
                          MEMORY_MAX + (UINT64_C(1) << 20), ret_hash, HASH_SIZE) == 1;
}

int secret_hash_password(const char *password, char ret_digest[static SECRET_DIGEST_SIZE])
{
    unsigned char salt[SALT_SIZE], hash[HASH_SIZE];
    random_bytes(salt, sizeof(salt));
    if (!scrypt_run(password, salt, &STANDARD, hash))
        return -EIO;
    unsigned char salt_text[BASE64_SIZE(SALT_SIZE)], hash_text[BASE64_SIZE(HASH_SIZE)];
    (void)EVP_EncodeBlock(salt_text, salt, sizeof(salt));
    (void)EVP_EncodeBlock(hash_text, hash, sizeof(hash));
    int size =
        snprintf(ret_digest, SECRET_DIGEST_SIZE, "scrypt$%" PRIu64 "$%" PRIu64 "$%" PRIu64 "$%s$%s",
                 STANDARD.n, STANDARD.r, STANDARD.p, (char *)salt_text, (char *)hash_text);
    assert(size > 0 && size < SECRET_DIGEST_SIZE);
    OPENSSL_cleanse(hash, sizeof(hash));
    return 0;
}

/* `text` is base64 of exactly `size` bytes. */
static bool base64_read(const char *text, unsigned char *ret_bytes, size_t size)
{
    unsigned char bytes[BASE64_SIZE(HASH_SIZE)];
    size_t text_size = strlen(text);
    if (text_size != BASE64_SIZE(size) - 1)
        return false;
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)text_size);
    if (decoded < 0 || (size_t)decoded < size)
        return false;
    memcpy(ret_bytes, bytes, size);
    return true;
}

static bool digest_read(const char *digest, struct scrypt *ret_cost,
                        unsigned char ret_salt[static SALT_SIZE],
                        unsigned char ret_hash[static HASH_SIZE])
{
    char salt_text[BASE64_SIZE(SALT_SIZE)], hash_text[BASE64_SIZE(HASH_SIZE)];
    int end = 0;
    static_assert(sizeof(salt_text) == 25 && sizeof(hash_text) == 45, "the widths below");
    // NOLINTNEXTLINE(cert-err34-c): the digits are limited by width, so they cannot overflow
    int read = sscanf(digest, "scrypt$%9" SCNu64 "$%3" SCNu64 "$%3" SCNu64 "$%24[^$]$%44[^$]%n",
                      &ret_cost->n, &ret_cost->r, &ret_cost->p, salt_text, hash_text, &end);
    return read == 5 && digest[end] == '\0' && ret_cost->n * ret_cost->r * 128 <= MEMORY_MAX &&
           ret_cost->p <= 16 && base64_read(salt_text, ret_salt, SALT_SIZE) &&
           base64_read(hash_text, ret_hash, HASH_SIZE);
}

bool secret_check_password(const char *password, const char *digest)
{
    struct scrypt cost;
    unsigned char salt[SALT_SIZE], expected[HASH_SIZE], hash[HASH_SIZE];
    if (!digest_read(digest, &cost, salt, expected) || !scrypt_run(password, salt, &cost, hash))
        return false;
    bool equal = CRYPTO_memcmp(hash, expected, HASH_SIZE) == 0;
    OPENSSL_cleanse(hash, sizeof(hash));
    return equal;
}
