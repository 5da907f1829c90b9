#include "base/utf8.h"

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* Which second bytes may follow a first byte (RFC 3629, section 4): this shuts out overlong forms,
 * surrogates, and what lies beyond U+10FFFF. Later bytes are always 80..BF. */
static const struct {
    uint8_t first_low, first_high, second_low, second_high, size;
} FORMS[] = {
    {0xc2, 0xc2, 0xa0, 0xbf, 2}, /* U+0080..U+009F are the C1 controls */
    {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool between(uint8_t byte, uint8_t low, uint8_t high)
{
    return low <= byte && byte <= high;
}

static size_t sequence(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(FORMS); i++) {
        if (!between(bytes[0], FORMS[i].first_low, FORMS[i].first_high))
            continue;
        if (size < FORMS[i].size || !between(bytes[1], FORMS[i].second_low, FORMS[i].second_high))
            return 0;
        for (size_t k = 2; k < FORMS[i].size; k++)
            if (!between(bytes[k], 0x80, 0xbf))
                return 0;
        return FORMS[i].size;
    }
    return 0;
}

size_t utf8_printable(const char *text, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    if (size == 0)
        return 0;
    if (bytes[0] < 0x80)
        return between(bytes[0], 0x20, 0x7e) ? 1 : 0;
    return sequence(bytes, size);
}
