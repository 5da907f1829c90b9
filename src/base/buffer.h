/* buffer.h - a growing byte buffer with a limit. Plain data: read `bytes` and `size`, never write
 * them. */
#ifndef VENDGATE_BASE_BUFFER_H
#define VENDGATE_BASE_BUFFER_H

#include "base/macros.h"

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    size_t limit; /* `size` never exceeds it */
};

void buffer_init(struct buffer *buffer, size_t limit);
/* Frees the memory; the buffer may be used again. */
void buffer_done(struct buffer *buffer);
/* -ENOBUFS: would pass the limit; nothing was added. */
MUST_CHECK int buffer_add(struct buffer *buffer, const void *bytes, size_t size);
MUST_CHECK int buffer_add_text(struct buffer *buffer, const char *text);
MUST_CHECK int buffer_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `size` more bytes; what was written there is kept with buffer_commit(). -ENOBUFS as
 * above. */
MUST_CHECK int buffer_reserve(struct buffer *buffer, size_t size, uint8_t **ret_room);
void buffer_commit(struct buffer *buffer, size_t size);
/* Drops the first `size` bytes (at most all). */
void buffer_drop(struct buffer *buffer, size_t size);

#endif
