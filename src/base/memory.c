#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing here may allocate, so it does not go through the log. */
_Noreturn static void out_of_memory(void)
{
    fputs("event=out_of_memory\n", stderr);
    abort();
}

static void *checked(void *memory)
{
    if (!memory)
        out_of_memory();
    return memory;
}

/* At least 1: what malloc(0) and realloc(p, 0) return differs between C libraries. */
static size_t bytes_of(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory();
    return bytes ? bytes : 1;
}

void *memory_zero(size_t count, size_t size)
{
    return checked(calloc(1, bytes_of(count, size)));
}

void *memory_grow(void *old, size_t count, size_t size)
{
    return checked(realloc(old, bytes_of(count, size)));
}

char *memory_text(const char *text)
{
    return text ? memory_bytes(text, strlen(text)) : NULL;
}

char *memory_bytes(const void *bytes, size_t size)
{
    if (size == SIZE_MAX)
        out_of_memory();
    char *copy = checked(malloc(size + 1));
    if (size)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        out_of_memory();
    return text;
}

void memory_text_free(char **text)
{
    free(TAKE(*text));
}
