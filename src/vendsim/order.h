/* order.h - a control line, read. Pure.
 *
 * {"vm_id":"..", "behaviour":"..", "times":N, "select_after_ms":.., "vend_ms":.., "away_ms":..,
 * "item":.., "price":..}
 * {"vm_id":"..", "act":"<misfortune>"}, {"vm_id":"..", "event":{"event":"alert", ..}}
 * vm_id "*" means every machine; times 0 or absent: from now on. The parts may be combined. */
#ifndef VENDGATE_VENDSIM_ORDER_H
#define VENDGATE_VENDSIM_ORDER_H

#include "vendsim/machine.h"

struct order {
    json_t *document;  /* owned; the rest borrows from it */
    const char *vm_id; /* "*": all */
    struct machine_order machine;
};

/* What is not given of the pace is as in `standard`. NULL, or why not (static text; nothing is
 * owned then). */
const char *order_read(const char *line, size_t size, const struct pace *standard,
                       struct order *ret_order);
void order_done(struct order *order);

#endif
