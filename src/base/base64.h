/* base64.h - RFC 4648 base64 of small binary values; canonical only, so that one value has one
 * text. Owns nothing; wipes what it worked with. */
#ifndef VENDGATE_BASE_BASE64_H
#define VENDGATE_BASE_BASE64_H

#include "base/macros.h"

#include <stddef.h>

/* Characters of `bytes` bytes, and a NUL. */
#define BASE64_TEXT_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* `ret_text` holds BASE64_TEXT_SIZE(size). */
void base64_write(const void *bytes, size_t size, char *ret_text);

/* At most `size_max` bytes. -EINVAL: it is empty, too long, or not what base64_write() makes
 * (blanks, padding in the middle, bits behind the end); the outputs are untouched. */
MUST_CHECK int base64_read(const char *text, void *ret_bytes, size_t size_max, size_t *ret_size);

#endif
