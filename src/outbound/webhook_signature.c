#include "outbound/webhook_signature.h"

#include "base/base64.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 64, SEED_SIZE = 32, SIGNED_MAX = 64 };

enum scheme { SCHEME_V1 = 1, SCHEME_V1A };

struct webhook_key {
    enum scheme scheme;
    int64_t until_ms; /* 0: no end */
    uint8_t bytes[KEY_MAX];
    size_t size;
    EVP_PKEY *pair; /* v1a; NULL: v1 */
};

struct webhook_signer {
    EVP_MAC_CTX *mac;
    EVP_MD_CTX *digest;
    bool v1a_only;
    struct webhook_key keys[OUTBOUND_KEYS_MAX];
    size_t count;
};

/* Which keys sign one message. */
struct choice {
    bool signs[OUTBOUND_KEYS_MAX];
    bool live; /* false: only one that is over was left */
};

static const struct {
    const char *prefix, *mark;
} SCHEMES[] = {
    [SCHEME_V1] = {"whsec_", "v1,"},
    [SCHEME_V1A] = {"whsk_", "v1a,"},
};

static bool is_key_size(enum scheme scheme, size_t size)
{
    return scheme == SCHEME_V1 ? size >= 24 && size <= KEY_MAX
                               : size == SEED_SIZE || size == 2 * SEED_SIZE;
}

/* Of a key with 64 bytes the second half must be the public key of the first: it would sign what
 * nobody could verify. */
static int pair_make(struct webhook_key *key)
{
    uint8_t public_key[SEED_SIZE];
    size_t size = sizeof(public_key);
    key->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key->bytes, SEED_SIZE);
    if (!key->pair || EVP_PKEY_get_raw_public_key(key->pair, public_key, &size) != 1)
        return -EINVAL;
    bool same = key->size == SEED_SIZE || memcmp(key->bytes + SEED_SIZE, public_key, size) == 0;
    return same ? 0 : -EINVAL;
}

static int key_parse(const struct outbound_key *given, struct webhook_key *key)
{
    key->until_ms = given->until_ms;
    for (enum scheme scheme = SCHEME_V1; scheme <= SCHEME_V1A; scheme++) {
        size_t prefix = strlen(SCHEMES[scheme].prefix);
        if (strncmp(given->secret, SCHEMES[scheme].prefix, prefix) != 0)
            continue;
        key->scheme = scheme;
        if (base64_read(given->secret + prefix, key->bytes, KEY_MAX, &key->size) < 0 ||
            !is_key_size(scheme, key->size))
            return -EINVAL;
        return scheme == SCHEME_V1A ? pair_make(key) : 0;
    }
    return -EINVAL;
}

static EVP_MAC_CTX *mac_new(void)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    assert(hmac);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context holds its own reference */
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    int done = EVP_MAC_CTX_set_params(mac, params);
    assert(done == 1);
    return mac;
}

static bool has_scheme(const struct webhook_signer *signer, enum scheme scheme)
{
    for (size_t i = 0; i < signer->count; i++)
        if (signer->keys[i].scheme == scheme)
            return true;
    return false;
}

static bool take_keys(struct webhook_signer *signer,
                      const struct outbound_key keys[OUTBOUND_KEYS_MAX])
{
    for (size_t i = 0; i < OUTBOUND_KEYS_MAX && keys[i].secret; i++) {
        signer->count = i + 1; /* also a half-made one is freed */
        if (key_parse(&keys[i], &signer->keys[i]) < 0)
            return false;
    }
    return has_scheme(signer, SCHEME_V1) || (signer->v1a_only && has_scheme(signer, SCHEME_V1A));
}

int webhook_signer_new(const struct outbound_key keys[OUTBOUND_KEYS_MAX], bool v1a_only,
                       struct webhook_signer **ret_signer)
{
    struct webhook_signer *signer = memory_zero(1, sizeof(*signer));
    signer->v1a_only = v1a_only;
    if (!take_keys(signer, keys)) {
        webhook_signer_free(&signer);
        return -EINVAL;
    }
    signer->mac = mac_new();
    signer->digest = EVP_MD_CTX_new();
    assert(signer->digest);
    *ret_signer = signer;
    return 0;
}

void webhook_signer_free(struct webhook_signer **signer)
{
    struct webhook_signer *old = TAKE(*signer);
    if (!old)
        return;
    for (size_t i = 0; i < old->count; i++)
        EVP_PKEY_free(old->keys[i].pair);
    EVP_MAC_CTX_free(old->mac);
    EVP_MD_CTX_free(old->digest);
    OPENSSL_cleanse(old, sizeof(*old));
    free(old);
}

static bool is_live(const struct webhook_key *key, int64_t now_ms)
{
    return key->until_ms == 0 || now_ms < key->until_ms;
}

/* Live keys of the scheme are marked; false: there is none. */
static bool choose(const struct webhook_signer *signer, enum scheme scheme, int64_t now_ms,
                   struct choice *choice)
{
    bool any = false;
    for (size_t i = 0; i < signer->count; i++) {
        bool signs = signer->keys[i].scheme == scheme && is_live(&signer->keys[i], now_ms);
        choice->signs[i] |= signs;
        any |= signs;
    }
    return any;
}

static void choose_newest(const struct webhook_signer *signer, struct choice *choice)
{
    bool v1 = has_scheme(signer, SCHEME_V1);
    size_t newest = 0;
    while (v1 && signer->keys[newest].scheme != SCHEME_V1)
        newest++;
    choice->signs[newest] = true;
}

/* v1a alone only where that is said to be verified; elsewhere v1 is always there. */
static void choose_keys(const struct webhook_signer *signer, int64_t now_ms, struct choice *choice)
{
    *choice = (struct choice){.live = true};
    bool v1a = choose(signer, SCHEME_V1A, now_ms, choice);
    if (v1a && signer->v1a_only)
        return;
    choice->live = choose(signer, SCHEME_V1, now_ms, choice);
    if (!choice->live)
        choose_newest(signer, choice);
}

/* What is signed before the body. */
struct head {
    char text[WEBHOOK_ID_SIZE + 32];
    size_t size;
};

static size_t sign_v1(EVP_MAC_CTX *mac, const struct webhook_key *key, const struct head *head,
                      const struct webhook_message *message, uint8_t ret_sum[static SIGNED_MAX])
{
    size_t size = 0;
    bool done = EVP_MAC_init(mac, key->bytes, key->size, NULL) == 1 &&
                EVP_MAC_update(mac, (const uint8_t *)head->text, head->size) == 1 &&
                EVP_MAC_update(mac, (const uint8_t *)message->body, message->body_size) == 1 &&
                EVP_MAC_final(mac, ret_sum, &size, SIGNED_MAX) == 1;
    assert(done && size == 32);
    return size;
}

/* ed25519 reads its text twice, so it is wanted in one piece. */
static size_t sign_v1a(EVP_MD_CTX *digest, const struct webhook_key *key, const struct head *head,
                       const struct webhook_message *message, uint8_t ret_sum[static SIGNED_MAX])
{
    size_t size = SIGNED_MAX, text_size = head->size + message->body_size;
    uint8_t *text = memory_zero(text_size + 1, 1);
    memcpy(text, head->text, head->size);
    if (message->body_size > 0)
        memcpy(text + head->size, message->body, message->body_size);
    bool done = EVP_MD_CTX_reset(digest) == 1 &&
                EVP_DigestSignInit(digest, NULL, NULL, NULL, key->pair) == 1 &&
                EVP_DigestSign(digest, ret_sum, &size, text, text_size) == 1;
    assert(done && size == SIGNED_MAX);
    free(text);
    return size;
}

/* Appends "v1,<base64>" for one key; returns the characters written. */
static size_t sign_with(const struct webhook_signer *signer, const struct webhook_key *key,
                        const struct webhook_message *message, char *ret_text)
{
    struct head head;
    int head_size = snprintf(head.text, sizeof(head.text), "%s.%" PRId64 ".", message->id,
                             message->timestamp_s);
    assert(head_size > 0 && (size_t)head_size < sizeof(head.text));
    head.size = (size_t)head_size;
    uint8_t sum[SIGNED_MAX];
    size_t sum_size = key->scheme == SCHEME_V1 ? sign_v1(signer->mac, key, &head, message, sum)
                                               : sign_v1a(signer->digest, key, &head, message, sum);
    size_t mark_size = strlen(SCHEMES[key->scheme].mark);
    memcpy(ret_text, SCHEMES[key->scheme].mark, mark_size);
    base64_write(sum, sum_size, ret_text + mark_size);
    return mark_size + BASE64_TEXT_SIZE(sum_size) - 1;
}

bool webhook_sign(const struct webhook_signer *signer, const struct webhook_message *message,
                  char ret_signature[static WEBHOOK_SIGNATURE_SIZE])
{
    struct choice choice;
    choose_keys(signer, message->now_ms, &choice);
    size_t size = 0;
    for (size_t i = 0; i < signer->count; i++) {
        if (!choice.signs[i])
            continue;
        if (size > 0)
            ret_signature[size++] = ' ';
        size += sign_with(signer, &signer->keys[i], message, ret_signature + size);
    }
    assert(size > 0 && size < WEBHOOK_SIGNATURE_SIZE && ret_signature[size] == '\0');
    return choice.live;
}
