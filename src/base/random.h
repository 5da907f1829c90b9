/* random.h - the only source of randomness: getrandom(2), or what a test put in its place. */
#ifndef VENDGATE_BASE_RANDOM_H
#define VENDGATE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define RANDOM_UUID_SIZE 37

void random_bytes(void *ret_bytes, size_t size);
/* Uniform in 0 .. bound - 1; bound 0 gives 0. */
uint64_t random_below(uint64_t bound);
/* 2 * bytes lower-case hexadecimal digits and a NUL; `ret_text` holds 2 * bytes + 1. */
void random_hex(char *ret_text, size_t bytes);
/* A version 4 UUID (RFC 9562). */
void random_uuid(char ret_text[static RANDOM_UUID_SIZE]);

typedef void random_source(void *arg, void *ret_bytes, size_t size);
/* NULL brings the system's source back. */
void random_replace(random_source *source, void *arg);

#endif
