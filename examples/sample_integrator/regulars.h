/* regulars.h - customers who come again and again: at each of their machines one purchase follows
 * another, under the references PREFIX-1, PREFIX-2, ... */
#ifndef SAMPLE_INTEGRATOR_REGULARS_H
#define SAMPLE_INTEGRATOR_REGULARS_H

#include "sample_integrator/shop.h"

struct regulars;

/* `shop` is borrowed. About `pause_ms` lie between the end of a purchase and the next one. */
struct regulars *regulars_new(struct shop *shop, int64_t pause_ms);
void regulars_free(struct regulars **regulars);

/* From now on there; a former prefix of that machine is forgotten with its purchase. */
void regulars_come(struct regulars *regulars, const char *vm_id, const char *prefix);
/* No new purchases; those under way go on. */
void regulars_stay_away(struct regulars *regulars);

/* For shop_config.ended. */
void regulars_ended(void *regulars, const char *vm_id, const char *ref);

/* Begins what is due. The milliseconds until it wants to be called again; -1: nothing waits. */
int regulars_work(struct regulars *regulars);

#endif
