#include "gateway/credentials.h"

#include "base/macros.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static int base64_value(char letter)
{
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = letter ? strchr(LETTERS, letter) : NULL;
    return found ? (int)(found - LETTERS) : -1;
}

/* RFC 4648 with its padding. False: not base64, or more than `size` bytes. */
static bool base64_decode(const char *text, char *ret_bytes, size_t size, size_t *ret_size)
{
    size_t length = strlen(text), used = 0;
    if (length % 4 != 0)
        return false;
    size_t padding = length && text[length - 1] == '=' ? 1 + (text[length - 2] == '=') : 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < length - padding; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 0)
            continue;
        if (used == size)
            return false;
        ret_bytes[used++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_size = used;
    return true;
}

/* RFC 7617: "Basic", blanks, base64 of user ":" password. The user name has no colon; neither has a
 * NUL. */
static bool read_basic(const char *authorization, struct credentials *credentials)
{
    static const char SCHEME[] = "Basic ";
    size_t size;
    if (strncasecmp(authorization, SCHEME, sizeof(SCHEME) - 1) != 0)
        return false;
    const char *token = authorization + sizeof(SCHEME) - 1;
    token += strspn(token, " ");
    if (!base64_decode(token, credentials->basic, CREDENTIALS_BASIC_MAX, &size))
        return false;
    credentials->basic[size] = '\0';
    char *colon = memchr(credentials->basic, ':', size);
    if (!colon || strlen(credentials->basic) != size)
        return false;
    *colon = '\0';
    credentials->user = credentials->basic;
    credentials->password = colon + 1;
    return true;
}

void credentials_read(const struct credential_headers *headers, struct credentials *ret_credentials)
{
    *ret_credentials = (struct credentials){.api_key = headers->api_key};
    ret_credentials->malformed =
        headers->repeated ||
        (headers->authorization && !read_basic(headers->authorization, ret_credentials));
}

void credentials_done(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof(*credentials));
}
