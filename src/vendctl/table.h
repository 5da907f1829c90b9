/* table.h - rows of JSON objects as a table for people. */
#ifndef VENDGATE_VENDCTL_TABLE_H
#define VENDGATE_VENDCTL_TABLE_H

#include <jansson.h>
#include <stdio.h>

/* `rows` is an array of objects with the same keys, which become the headings. Numbers are set to
 * the right; control bytes of values are shown as '?'. */
void table_print(const json_t *rows, FILE *out);
/* `name: value`, a line each; nested arrays of objects as an indented list. */
void table_print_object(const json_t *object, FILE *out);

#endif
