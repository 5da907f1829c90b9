/* machines.h - the machines by vm_id. Plain table, filled row by row; used by directory.c only. */
#ifndef VENDGATE_FLEET_MACHINES_H
#define VENDGATE_FLEET_MACHINES_H

#include "fleet/directory.h"

struct machines;

struct machines *machines_new(void);
/* Copies; a row with a vm_id that is there already replaces it. True: nothing that struct
 * fleet_machine shows was different. */
bool machines_put(struct machines *machines, const struct store_machine_row *row);
void machines_drop(struct machines *machines, const char *vm_id);
/* Borrowed; NULL: unknown. */
const struct fleet_machine *machines_find(const struct machines *machines, const char *vm_id);
size_t machines_count(const struct machines *machines);

/* Calls `differs` for each machine of `after` that `before` has not, or not the same. */
typedef void machines_differs_cb(void *arg, const struct fleet_machine *machine);
void machines_compare(const struct machines *before, const struct machines *after,
                      machines_differs_cb *differs, void *arg);
void machines_free(struct machines **machines);

#endif
