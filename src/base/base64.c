#include "base/base64.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void base64_write(const void *bytes, size_t size, char *ret_text)
{
    assert(size <= INT_MAX / 2);
    (void)EVP_EncodeBlock((unsigned char *)ret_text, bytes, (int)size);
}

/* OpenSSL lets pass blanks at the ends and padding in the middle; what decodes must encode back to
 * itself. */
static bool is_canonical(const char *text, size_t text_size, const unsigned char *bytes,
                         size_t size)
{
    if (BASE64_TEXT_SIZE(size) - 1 != text_size)
        return false;
    char *again = memory_zero(BASE64_TEXT_SIZE(size), 1);
    base64_write(bytes, size, again);
    bool same = memcmp(again, text, text_size) == 0;
    OPENSSL_cleanse(again, text_size);
    free(again);
    return same;
}

int base64_read(const char *text, void *ret_bytes, size_t size_max, size_t *ret_size)
{
    size_t text_size = strlen(text);
    if (text_size == 0 || text_size % 4 != 0 || text_size >= BASE64_TEXT_SIZE(size_max))
        return -EINVAL;
    size_t room = text_size / 4 * 3;
    unsigned char *bytes = memory_zero(room, 1);
    int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)text_size);
    size_t padding = text[text_size - 1] != '=' ? 0 : text[text_size - 2] != '=' ? 1 : 2;
    int result = -EINVAL;
    if (decoded == (int)room && room - padding <= size_max &&
        is_canonical(text, text_size, bytes, room - padding)) {
        memcpy(ret_bytes, bytes, room - padding);
        *ret_size = room - padding;
        result = 0;
    }
    OPENSSL_cleanse(bytes, room);
    free(bytes);
    return result;
}
