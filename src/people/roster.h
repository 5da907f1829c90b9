/* roster.h - the integrators by id. Plain table, filled row by row; used by people*.c only.
 *
 * A reread fills a new roster beside the one in force; then they are swapped, and what differs is
 * told. */
#ifndef VENDGATE_PEOPLE_ROSTER_H
#define VENDGATE_PEOPLE_ROSTER_H

#include "people/people.h"

struct roster;

struct roster *roster_new(void);
/* Copies; a row with an id that is there already replaces it. `unreadable`: its secrets are. */
void roster_add(struct roster *roster, const struct store_integrator_row *row, bool unreadable);
/* Borrowed; NULL: unknown. */
const struct integrator *roster_find(const struct roster *roster, int64_t integrator_id);
size_t roster_count(const struct roster *roster);

/* Calls `differs` for each id that is in one of the two only, or not the same in both. */
typedef void roster_differs_cb(void *arg, int64_t integrator_id);
void roster_compare(const struct roster *before, const struct roster *after,
                    roster_differs_cb *differs, void *arg);
/* Wipes the secrets. */
void roster_free(struct roster **roster);

#endif
