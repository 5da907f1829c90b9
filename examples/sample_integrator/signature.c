#include "sample_integrator/signature.h"

#include "base/buffer.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TOLERANCE_S = 300, SECRET_MIN = 16, SHA256_SIZE = 32, BASE64_SIZE = 44 };
#define PREFIX "whsec_"
#define VERSION "v1,"

/* EVP_DecodeBlock counts the padding as bytes. */
static size_t padding(const char *text, size_t size)
{
    return size >= 2 && text[size - 2] == '=' ? 2 : size >= 1 && text[size - 1] == '=' ? 1 : 0;
}

int signature_secret_parse(const char *text, struct signature_secret *ret_secret)
{
    unsigned char bytes[SIGNATURE_SECRET_MAX + 4];
    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return -EINVAL;
    text += strlen(PREFIX);
    size_t size = strlen(text);
    if (size % 4 != 0 || size / 4 * 3 > sizeof(bytes))
        return -EINVAL;
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)size);
    int secret_size = decoded - (int)padding(text, size);
    if (decoded < 0 || secret_size < SECRET_MIN || secret_size > SIGNATURE_SECRET_MAX)
        return -EINVAL;
    ret_secret->size = (size_t)secret_size;
    memcpy(ret_secret->bytes, bytes, ret_secret->size);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return 0;
}

static bool is_fresh(const char *timestamp, int64_t now_s)
{
    char *end;
    errno = 0;
    long long signed_s = strtoll(timestamp, &end, 10);
    return errno == 0 && end != timestamp && *end == '\0' && signed_s > now_s - TOLERANCE_S &&
           signed_s < now_s + TOLERANCE_S;
}

/* base64 of the HMAC over id.timestamp.body; ret_text is not terminated. */
static bool sign(const struct signature_secret *secret, const struct signature_claim *claim,
                 unsigned char ret_text[static BASE64_SIZE + 1])
{
    unsigned char digest[SHA256_SIZE];
    struct buffer text;
    buffer_init(&text, claim->body_size + 1024);
    bool done = buffer_format(&text, "%s.%s.", claim->id, claim->timestamp) == 0 &&
                buffer_add(&text, claim->body, claim->body_size) == 0 &&
                HMAC(EVP_sha256(), secret->bytes, (int)secret->size, text.bytes, text.size, digest,
                     NULL) != NULL;
    buffer_done(&text);
    return done && EVP_EncodeBlock(ret_text, digest, sizeof(digest)) == BASE64_SIZE;
}

/* The header lists one signature per live key and kind, separated by blanks. */
static bool listed(const char *list, const unsigned char text[static BASE64_SIZE])
{
    bool found = false;
    while (*list) {
        size_t size = strcspn(list, " ");
        if (size == strlen(VERSION) + BASE64_SIZE && strncmp(list, VERSION, strlen(VERSION)) == 0)
            found |= CRYPTO_memcmp(list + strlen(VERSION), text, BASE64_SIZE) == 0;
        list += size;
        list += strspn(list, " ");
    }
    return found;
}

enum signature_verdict signature_check(const struct signature_secret *secret,
                                       const struct signature_claim *claim, int64_t now_s)
{
    unsigned char expected[BASE64_SIZE + 1];
    if (!claim->id || !claim->timestamp || !claim->signature)
        return SIGNATURE_MISSING;
    if (!is_fresh(claim->timestamp, now_s))
        return SIGNATURE_STALE;
    if (!sign(secret, claim, expected) || !listed(claim->signature, expected))
        return SIGNATURE_WRONG;
    return SIGNATURE_GOOD;
}

const char *signature_verdict_text(enum signature_verdict verdict)
{
    switch (verdict) {
    case SIGNATURE_GOOD:
        return "good";
    case SIGNATURE_MISSING:
        return "signature headers are missing";
    case SIGNATURE_STALE:
        return "signed too long ago, or in the future";
    case SIGNATURE_WRONG:
        return "wrong signature";
    }
    return "unknown";
}
