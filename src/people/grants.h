/* grants.h - which machines an integrator may use. Plain set, filled row by row; used by people*.c
 * only. */
#ifndef VENDGATE_PEOPLE_GRANTS_H
#define VENDGATE_PEOPLE_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grants;

struct grants *grants_new(void);
void grants_add(struct grants *grants, int64_t integrator_id, const char *vm_id);
bool grants_has(const struct grants *grants, int64_t integrator_id, const char *vm_id);
size_t grants_count(const struct grants *grants);
void grants_free(struct grants **grants);

#endif
