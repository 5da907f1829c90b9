#include "base/random.h"

#include "base/macros.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static struct {
    random_source *draw; /* NULL: the system's source */
    void *arg;
} replacement;

/* A process without randomness must not hand out guessable keys: it stops. */
static void system_bytes(uint8_t *ret_bytes, size_t size)
{
    while (size) {
        ssize_t drawn = getrandom(ret_bytes, size, 0);
        if (drawn < 0 && errno == EINTR)
            continue;
        if (drawn < 0)
            abort();
        ret_bytes += drawn;
        size -= (size_t)drawn;
    }
}

void random_bytes(void *ret_bytes, size_t size)
{
    if (replacement.draw)
        replacement.draw(replacement.arg, ret_bytes, size);
    else
        system_bytes(ret_bytes, size);
}

uint64_t random_below(uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* Draws above the last whole multiple of `bound` would favour small results: draw again. */
    uint64_t last = UINT64_MAX - (UINT64_MAX % bound + 1) % bound;
    uint64_t drawn;
    do
        random_bytes(&drawn, sizeof(drawn));
    while (drawn > last);
    return drawn % bound;
}

static void write_hex(char *ret_digits, uint8_t byte)
{
    static const char DIGITS[] = "0123456789abcdef";
    ret_digits[0] = DIGITS[byte >> 4];
    ret_digits[1] = DIGITS[byte & 0xf];
}

void random_hex(char *ret_text, size_t bytes)
{
    /* The raw bytes stand in the upper half and are overtaken by their digits only after use. */
    uint8_t *raw = (uint8_t *)ret_text + bytes;
    random_bytes(raw, bytes);
    for (size_t i = 0; i < bytes; i++)
        write_hex(ret_text + 2 * i, raw[i]);
    ret_text[2 * bytes] = '\0';
}

void random_uuid(char ret_text[static RANDOM_UUID_SIZE])
{
    uint8_t raw[16];
    random_bytes(raw, sizeof(raw));
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40); /* version 4 */
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
    char *text = ret_text;
    for (size_t i = 0; i < sizeof(raw); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        write_hex(text, raw[i]);
        text += 2;
    }
    *text = '\0';
}

void random_replace(random_source *source, void *arg)
{
    replacement.draw = source;
    replacement.arg = arg;
}
