/* vendgated_parked.h - the alarm for callbacks that wait for a person: a gauge by kind, and for
 * each /txn/vend a line in the log, again and again until somebody takes note (`vendctl callback
 * acknowledge`, replay or skip). It reads the database, so a restart does not silence it. */
#ifndef VENDGATE_VENDGATED_PARKED_H
#define VENDGATE_VENDGATED_PARKED_H

#include "base/metrics.h"
#include "store/store.h"

#include <uv.h>

struct parked_alarm;

/* `store` and `metrics` are borrowed. */
struct parked_alarm *parked_alarm_start(uv_loop_t *loop, struct store *store,
                                        struct metrics *metrics);
/* Only when the store has answered all that it was asked: after it was closed. */
void parked_alarm_free(struct parked_alarm **alarm);

#endif
