/* recorded.h - callbacks whose fate was handed to the journal and is not yet on disk: whoever loads
 * them from there again must not send them again. Ids only; as many as the store has queued. */
#ifndef VENDGATE_OUTBOUND_RECORDED_H
#define VENDGATE_OUTBOUND_RECORDED_H

#include <stdbool.h>
#include <stdint.h>

struct recorded; /* an entry; the set is the pointer to its first one */

/* One that is there stays there once. */
void recorded_add(struct recorded **set, int64_t callback_id);
bool recorded_has(const struct recorded *set, int64_t callback_id);
/* Unknown: nothing happens. */
void recorded_remove(struct recorded **set, int64_t callback_id);
void recorded_clear(struct recorded **set);

#endif
