#include "machine_link/mqtt_cursor.h"

static const uint8_t *take(struct mqtt_cursor *cursor, size_t size)
{
    if (cursor->failed || cursor->left < size) {
        cursor->failed = true;
        cursor->left = 0;
        return NULL;
    }
    const uint8_t *at = cursor->at;
    cursor->at += size;
    cursor->left -= size;
    return at;
}

uint8_t mqtt_take_u8(struct mqtt_cursor *cursor)
{
    const uint8_t *at = take(cursor, 1);
    return at ? at[0] : 0;
}

uint16_t mqtt_take_u16(struct mqtt_cursor *cursor)
{
    const uint8_t *at = take(cursor, 2);
    return at ? (uint16_t)((unsigned int)at[0] << 8 | at[1]) : (uint16_t)0;
}

uint32_t mqtt_take_u32(struct mqtt_cursor *cursor)
{
    uint32_t high = mqtt_take_u16(cursor);
    return high << 16 | mqtt_take_u16(cursor);
}

uint32_t mqtt_take_varint(struct mqtt_cursor *cursor)
{
    uint32_t value = 0;
    for (unsigned int i = 0; i < 4; i++) {
        uint8_t byte = mqtt_take_u8(cursor);
        value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (i > 0 && byte == 0)
            break; /* not minimal */
        return value;
    }
    cursor->failed = true;
    return 0;
}

struct mqtt_cursor mqtt_take_part(struct mqtt_cursor *cursor, size_t size)
{
    const uint8_t *at = take(cursor, size);
    return (struct mqtt_cursor){.at = at, .left = at ? size : 0, .failed = !at};
}

struct mqtt_text mqtt_take_binary(struct mqtt_cursor *cursor)
{
    size_t size = mqtt_take_u16(cursor);
    const uint8_t *at = take(cursor, size);
    return (struct mqtt_text){.bytes = at ? (const char *)at : "", .size = at ? size : 0};
}

struct mqtt_text mqtt_take_text(struct mqtt_cursor *cursor)
{
    struct mqtt_text text = mqtt_take_binary(cursor);
    if (!mqtt_utf8_valid(text.bytes, text.size))
        cursor->failed = true;
    return text;
}
