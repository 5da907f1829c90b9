/* memory.h - allocation that cannot fail: out of memory aborts, systemd restarts us, the database
 * remembers. Everything returned here is freed with free(). */
#ifndef VENDGATE_BASE_MEMORY_H
#define VENDGATE_BASE_MEMORY_H

#include "base/macros.h"

#include <stddef.h>

void *memory_zero(size_t count, size_t size);
void *memory_grow(void *old, size_t count, size_t size); /* overflow of count * size aborts */
char *memory_text(const char *text);                     /* NULL gives NULL */
char *memory_bytes(const void *bytes, size_t size);      /* a copy with a NUL behind it */
char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* For _cleanup_(): frees a `char *` local. */
void memory_text_free(char **text);

#endif
