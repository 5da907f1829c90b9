/* keypad.h - the virtual keypad as a machine told it, brought into the contract's shape. Pure. */
#ifndef VENDGATE_FLEET_KEYPAD_H
#define VENDGATE_FLEET_KEYPAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define KEYPAD_ITEMS_MAX 256

/* `keypad_configuration` with exactly the contract's fields (absent ones are 0, false or empty), or
 * NULL: `told` is no object, or an item lacks its id. The caller owns it. */
json_t *keypad_read(const json_t *told);
/* What a search shows of a machine that never told a keypad. The caller owns it. */
json_t *keypad_none(void);
/* `keypad` is as keypad_read() made it, or NULL. */
bool keypad_has_key(const json_t *keypad, int64_t key);
/* Keys that a selection takes; 0: no keypad, or switched off. */
int64_t keypad_action_count(const json_t *keypad);

#endif
