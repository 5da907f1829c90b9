#include "people/vault.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE_SIZE = 12, TAG_SIZE = 16, SEALED_MAX = NONCE_SIZE + VAULT_SECRET_MAX + TAG_SIZE };

static const char MARK[] = "sealed:";

struct vault {
    char *path;
    struct master_keys keys;
};

static const char *const NAMES[] = {
    [VAULT_SIGNING] = "signing", [VAULT_API_KEY] = "api_key", [VAULT_PASSWORD] = "password"};
static_assert(ARRAY_SIZE(NAMES) == VAULT_WHAT_COUNT, "each place has a name");

bool vault_what_parse(const char *name, enum vault_what *ret_what)
{
    for (enum vault_what what = VAULT_SIGNING; what < VAULT_WHAT_COUNT; what++) {
        if (strcmp(NAMES[what], name) == 0) {
            *ret_what = what;
            return true;
        }
    }
    return false;
}

int vault_open(const char *path, struct vault **ret_vault,
               char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    struct vault *vault = memory_zero(1, sizeof(*vault));
    vault->path = memory_text(path);
    int result = vault_reread(vault, ret_error);
    if (result < 0)
        vault_free(&vault);
    else
        *ret_vault = vault;
    return result;
}

int vault_reread(struct vault *vault, char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    return master_keys_read(vault->path, &vault->keys, ret_error);
}

void vault_free(struct vault **vault)
{
    struct vault *old = TAKE(*vault);
    if (!old)
        return;
    master_keys_done(&old->keys);
    free(old->path);
    free(old);
}

bool vault_is_sealed(const char *text)
{
    return strncmp(text, MARK, strlen(MARK)) == 0;
}

/* NULL: it is sealed under none of ours, or not at all. */
static const struct master_key *key_of(const struct vault *vault, const char *sealed)
{
    if (!vault || !vault_is_sealed(sealed))
        return NULL;
    const char *id = sealed + strlen(MARK);
    for (size_t i = 0; i < vault->keys.count; i++) {
        const struct master_key *key = &vault->keys.keys[i];
        size_t size = strlen(key->id);
        if (strncmp(key->id, id, size) == 0 && id[size] == ':')
            return key;
    }
    return NULL;
}

bool vault_has_key_of(const struct vault *vault, const char *sealed)
{
    return key_of(vault, sealed) != NULL;
}

bool vault_is_newest(const struct vault *vault, const char *sealed)
{
    return key_of(vault, sealed) == &vault->keys.keys[0];
}

const char *vault_key_id(const struct vault *vault)
{
    return vault->keys.keys[0].id;
}

static void context_free(EVP_CIPHER_CTX **context)
{
    EVP_CIPHER_CTX_free(*context);
}

/* A context that knows key, nonce and place. */
static EVP_CIPHER_CTX *context_new(const struct master_key *key, const uint8_t *nonce,
                                   const struct vault_place *place, bool seals)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "integrator/%" PRId64 "/%s", place->integrator_id,
                        NAMES[place->what]);
    assert(size > 0 && (size_t)size < sizeof(text));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int ignored = 0;
    bool done = context &&
                EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), key->bytes, nonce, seals, NULL) &&
                EVP_CipherUpdate(context, NULL, &ignored, (const uint8_t *)text, size) == 1;
    assert(done);
    return context;
}

char *vault_seal(const struct vault *vault, const struct vault_place *place, const char *secret)
{
    const struct master_key *key = &vault->keys.keys[0];
    size_t secret_size = strlen(secret);
    assert(secret_size <= VAULT_SECRET_MAX);
    uint8_t bytes[SEALED_MAX];
    uint8_t *text = bytes + NONCE_SIZE, *tag = text + secret_size;
    random_bytes(bytes, NONCE_SIZE);
    EVP_CIPHER_CTX *context _cleanup_(context_free) = context_new(key, bytes, place, true);
    int size = 0, more = 0;
    bool done = EVP_CipherUpdate(context, text, &size, (const uint8_t *)secret, (int)secret_size) &&
                EVP_CipherFinal_ex(context, text + size, &more) &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1;
    assert(done && (size_t)(size + more) == secret_size);
    char encoded[BASE64_TEXT_SIZE(SEALED_MAX)];
    base64_write(bytes, NONCE_SIZE + secret_size + TAG_SIZE, encoded);
    return memory_format("%s%s:%s", MARK, key->id, encoded);
}

/* `bytes` is nonce, ciphertext and tag. */
static int open_bytes(const struct master_key *key, const struct vault_place *place, uint8_t *bytes,
                      size_t size, char **ret_secret)
{
    size_t text_size = size - NONCE_SIZE - TAG_SIZE;
    uint8_t *text = bytes + NONCE_SIZE, plain[VAULT_SECRET_MAX + 1];
    EVP_CIPHER_CTX *context _cleanup_(context_free) = context_new(key, bytes, place, false);
    int plain_size = 0, more = 0;
    bool opened =
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, text + text_size) == 1 &&
        EVP_CipherUpdate(context, plain, &plain_size, text, (int)text_size) == 1 &&
        EVP_CipherFinal_ex(context, plain + plain_size, &more) == 1;
    if (opened)
        *ret_secret = memory_bytes(plain, (size_t)(plain_size + more));
    OPENSSL_cleanse(plain, sizeof(plain));
    return opened ? 0 : -EBADMSG;
}

int vault_unseal(const struct vault *vault, const struct vault_place *place, const char *sealed,
                 char **ret_secret)
{
    const char *id = vault_is_sealed(sealed) ? sealed + strlen(MARK) : NULL;
    const char *encoded = id ? strchr(id, ':') : NULL;
    if (!encoded || encoded - id != MASTER_KEY_ID_SIZE - 1)
        return -EINVAL;
    const struct master_key *key = key_of(vault, sealed);
    if (!key)
        return -ENOKEY;
    uint8_t bytes[SEALED_MAX];
    size_t size = 0;
    if (base64_read(encoded + 1, bytes, sizeof(bytes), &size) < 0 || size < NONCE_SIZE + TAG_SIZE)
        return -EINVAL;
    return open_bytes(key, place, bytes, size, ret_secret);
}
