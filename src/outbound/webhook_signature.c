#include "outbound/webhook_signature.h"

#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char KEY_PREFIX[] = "whsec_";

enum { KEY_MIN = 24, KEY_MAX = 64, KEY_TEXT_MAX = 4 * ((KEY_MAX + 2) / 3), MAC_SIZE = 32 };

struct webhook_key {
    uint8_t bytes[KEY_MAX];
    size_t size;
};

struct webhook_signer {
    EVP_MAC_CTX *mac;
    struct webhook_key keys[OUTBOUND_KEYS_MAX];
    size_t count;
};

/* Canonical base64 only: what decodes must encode back to itself, which refuses blanks and padding
 * in the middle, both of which OpenSSL lets pass. */
static int key_parse(const char *text, struct webhook_key *ret_key)
{
    if (strncmp(text, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
        return -EINVAL;
    text += strlen(KEY_PREFIX);
    size_t size = strlen(text);
    if (size == 0 || size % 4 != 0 || size > KEY_TEXT_MAX)
        return -EINVAL;
    uint8_t bytes[KEY_TEXT_MAX];
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)size);
    int padding = text[size - 1] != '=' ? 0 : text[size - 2] != '=' ? 1 : 2;
    int result = -EINVAL;
    if (decoded - padding >= KEY_MIN && decoded - padding <= KEY_MAX) {
        unsigned char again[KEY_TEXT_MAX + 1];
        (void)EVP_EncodeBlock(again, bytes, decoded - padding);
        if (strcmp((const char *)again, text) == 0) {
            ret_key->size = (size_t)(decoded - padding);
            memcpy(ret_key->bytes, bytes, ret_key->size);
            result = 0;
        }
        explicit_bzero(again, sizeof(again));
    }
    explicit_bzero(bytes, sizeof(bytes));
    return result;
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

int webhook_signer_new(const char *const keys[OUTBOUND_KEYS_MAX],
                       struct webhook_signer **ret_signer)
{
    struct webhook_signer *signer = memory_zero(1, sizeof(*signer));
    while (signer->count < OUTBOUND_KEYS_MAX && keys[signer->count]) {
        if (key_parse(keys[signer->count], &signer->keys[signer->count]) < 0)
            break;
        signer->count++;
    }
    bool whole = signer->count == OUTBOUND_KEYS_MAX || !keys[signer->count];
    if (signer->count == 0 || !whole) {
        webhook_signer_free(&signer);
        return -EINVAL;
    }
    signer->mac = mac_new();
    *ret_signer = signer;
    return 0;
}

void webhook_signer_free(struct webhook_signer **signer)
{
    struct webhook_signer *old = TAKE(*signer);
    if (!old)
        return;
    EVP_MAC_CTX_free(old->mac);
    explicit_bzero(old, sizeof(*old));
    free(old);
}

/* Appends "v1,<base64>" for one key; returns the characters written. */
static size_t sign_with(EVP_MAC_CTX *mac, const struct webhook_key *key,
                        const struct webhook_message *message, char *ret_text)
{
    char head[WEBHOOK_ID_SIZE + 32];
    int head_size =
        snprintf(head, sizeof(head), "%s.%" PRId64 ".", message->id, message->timestamp_s);
    assert(head_size > 0 && (size_t)head_size < sizeof(head));
    uint8_t sum[MAC_SIZE];
    size_t sum_size = 0;
    bool done = EVP_MAC_init(mac, key->bytes, key->size, NULL) == 1 &&
                EVP_MAC_update(mac, (const uint8_t *)head, (size_t)head_size) == 1 &&
                EVP_MAC_update(mac, (const uint8_t *)message->body, message->body_size) == 1 &&
                EVP_MAC_final(mac, sum, &sum_size, sizeof(sum)) == 1;
    assert(done && sum_size == MAC_SIZE);
    memcpy(ret_text, "v1,", 3);
    return 3 + (size_t)EVP_EncodeBlock((unsigned char *)ret_text + 3, sum, MAC_SIZE);
}

void webhook_sign(const struct webhook_signer *signer, const struct webhook_message *message,
                  char ret_signature[static WEBHOOK_SIGNATURE_SIZE])
{
    size_t size = 0;
    for (size_t i = 0; i < signer->count; i++) {
        if (i > 0)
            ret_signature[size++] = ' ';
        size += sign_with(signer->mac, &signer->keys[i], message, ret_signature + size);
    }
    assert(size < WEBHOOK_SIGNATURE_SIZE && ret_signature[size] == '\0');
}
