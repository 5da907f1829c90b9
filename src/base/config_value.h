/* config_value.h - one value of the config as text: parsed, and described for people. Used by
 * config*.c only. */
#ifndef VENDGATE_BASE_CONFIG_VALUE_H
#define VENDGATE_BASE_CONFIG_VALUE_H

#include "base/config.h"

#include <stdbool.h>
#include <stdint.h>

/* False: not a value of the key's kind, or out of its range. *ret_number is what the struct stores
 * (a bool as 0 or 1), or a text's length. */
bool config_value_parse(const struct config_key *key, const char *text, int64_t *ret_number);
/* "a duration from 1s to 10min": what the key takes. free() it. */
char *config_value_describe(const struct config_key *key);
/* VENDGATE_<SECTION>_<NAME>. free() it. */
char *config_variable(const struct config_key *key);

#endif
