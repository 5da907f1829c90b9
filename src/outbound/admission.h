/* admission.h - who goes before whom, and how much of what all share each class may have.
 *
 * Urgent callbacks (a customer stands at the machine) before those that money hangs on, those
 * before bulk; and whatever the lower classes do, a part of the connections and of the memory
 * is out of their reach. Pure: counts, no time, no I/O. */
#ifndef VENDGATE_OUTBOUND_ADMISSION_H
#define VENDGATE_OUTBOUND_ADMISSION_H

#include "outbound/outbound.h"

#include <stdbool.h>
#include <stdint.h>

enum callback_class {
    CLASS_URGENT = 0, /* /txn/request, /txn/unlock */
    CLASS_VEND,       /* /txn/vend */
    CLASS_BULK,       /* feeds, and whatever a person sends again */
    CLASS_COUNT
};

enum callback_class callback_class_of(const struct outbound_callback *callback);
/* "urgent", "vend", "bulk": static. */
const char *callback_class_name(enum callback_class class);

struct admission {
    int64_t share[CLASS_COUNT]; /* most attempts of this class and the lower ones at once */
    int64_t flying[CLASS_COUNT];
};

/* Bulk gets half of `connections_max`, bulk and vends together seven eighths, all together all of
 * it; each at least 1. */
void admission_init(struct admission *admission, int64_t connections_max);
bool admission_open(const struct admission *admission, enum callback_class class);
void admission_begin(struct admission *admission, enum callback_class class);
void admission_end(struct admission *admission, enum callback_class class);
/* Attempts under way. */
int64_t admission_flying(const struct admission *admission);

/* Whether one more callback of an integrator may come into memory, where `most` may be: those that
 * wait for a customer, /txn/request, have a quarter more; bulk gets half, so that feeds and replays
 * that wait for their time leave room for the vends. `bulk` of the `count` there are bulk. */
bool admission_room(int64_t most, int64_t count, int64_t bulk,
                    const struct outbound_callback *callback);

#endif
