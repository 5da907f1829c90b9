#include "base/buffer.h"

#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->bytes);
    buffer_init(buffer, buffer->limit);
}

/* Doubles, so that adding byte by byte stays linear; never past the limit. */
static void grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : 2 * capacity;
    if (capacity > buffer->limit)
        capacity = buffer->limit;
    buffer->bytes = memory_grow(buffer->bytes, capacity, 1);
    buffer->capacity = capacity;
}

int buffer_reserve(struct buffer *buffer, size_t size, uint8_t **ret_room)
{
    assert(buffer->size <= buffer->limit);
    if (size > buffer->limit - buffer->size)
        return -ENOBUFS;
    if (!buffer->bytes || size > buffer->capacity - buffer->size)
        grow(buffer, buffer->size + size);
    *ret_room = buffer->bytes + buffer->size;
    return 0;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->size);
    buffer->size += size;
}

int buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
    uint8_t *room;
    int result = buffer_reserve(buffer, size, &room);
    if (result < 0)
        return result;
    if (size)
        memcpy(room, bytes, size);
    buffer_commit(buffer, size);
    return 0;
}

int buffer_add_text(struct buffer *buffer, const char *text)
{
    return buffer_add(buffer, text, strlen(text));
}

int buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text;
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        abort(); /* out of memory, as in memory.h */
    int result = buffer_add(buffer, text, (size_t)size);
    free(text);
    return result;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
    if (size > buffer->size)
        size = buffer->size;
    buffer->size -= size;
    if (buffer->size)
        memmove(buffer->bytes, buffer->bytes + size, buffer->size);
}
