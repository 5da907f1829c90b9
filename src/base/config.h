/* config.h - reads an ini file into a struct by a table; the table is also the reference
 * documentation.
 *
 * Order: the table's default, then the file, then the environment (VENDGATE_<SECTION>_<NAME>, upper
 * case). An unknown section or key, a value out of range, a key given twice are errors that name
 * file, line and remedy. */
#ifndef VENDGATE_BASE_CONFIG_H
#define VENDGATE_BASE_CONFIG_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_ERROR_SIZE 512

enum config_kind {
    CONFIG_TEXT = 1, /* char *, owned by the struct */
    CONFIG_INTEGER,  /* int64_t */
    CONFIG_BOOL,     /* bool: yes/no */
    CONFIG_DURATION, /* int64_t milliseconds; written with a unit: 500ms, 5s, 2min, 1h */
    CONFIG_SIZE,     /* int64_t bytes; written 4096, 16KiB, 1MiB */
};

struct config_key {
    const char *section, *name;
    enum config_kind kind;
    const char *standard; /* default as it would be written; NULL: the key is required */
    int64_t min, max;     /* in the stored unit; text: length */
    size_t offset;
    const char *help; /* one or two sentences: meaning and consequence */
};

/* 0, or a negative errno with the reason in ret_error. `path` NULL: defaults and environment only.
 */
MUST_CHECK int config_read(const struct config_key *keys, size_t count, const char *path,
                           void *ret_struct, char ret_error[static CONFIG_ERROR_SIZE]);
/* Frees the texts that config_read() made. */
void config_done(const struct config_key *keys, size_t count, void *values);
/* Writes the documented example: every key with its help, default and range. */
void config_write_example(const struct config_key *keys, size_t count, FILE *out);

#endif
