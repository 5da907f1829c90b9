/* planogram.h - what every simulated machine sells: twelve items, one key each. Static; owns
 * nothing. */
#ifndef VENDGATE_VENDSIM_PLANOGRAM_H
#define VENDGATE_VENDSIM_PLANOGRAM_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define PLANOGRAM_ITEMS 12

struct planogram_item {
    int64_t key;       /* keypad item id, 1 to 12 */
    int64_t code;      /* raw MDB code */
    const char *label; /* as the keypad shows it */
    const char *name;
    int64_t price; /* cents */
};

/* `index` counts round. */
const struct planogram_item *planogram_item(uint64_t index);
/* NULL: no such key. */
const struct planogram_item *planogram_by_key(int64_t key);
/* The bodies of the events `planogram` and `keypad`, without numbers; the caller owns them. */
json_t *planogram_event(void);
json_t *planogram_keypad_event(void);

#endif
