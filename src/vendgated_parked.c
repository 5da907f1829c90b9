#include "vendgated_parked.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"
#include "outbound/outbound.h"
#include "store/parked.h"

#include <stdlib.h>

#define LOOK_MS 15000
#define READY_MS 1000 /* until the store is there */
#define REPEAT_MS (15 * 60 * INT64_C(1000))

struct parked_alarm {
    struct store *store;
    struct metrics *metrics;
    struct timer *timer;
    int64_t counts[CALLBACK_KIND_COUNT]; /* of the look under way */
    bool looking;
    bool loud;              /* this look writes to the log */
    bool rang;              /* it has written */
    int64_t quiet_until_ms; /* monotonic */
};

static const struct metric_def PARKED = {
    .name = "vendgate_callbacks_parked",
    .kind = METRIC_GAUGE,
    .help = "Callbacks in the database that were given up and that nobody has taken note of.",
    .labels = {"kind"},
};

static void ring(struct parked_alarm *alarm, const struct store_parked *parked)
{
    alarm->rang = true;
    log_error("alert", LOG_TEXT("level", "High"), LOG_TEXT("what", "vend_callback_parked"),
              LOG_INT("callback", parked->callback_id), LOG_INT("txn", parked->txn_id),
              LOG_INT("integrator", parked->integrator_id),
              LOG_INT("age_s", parked->age_ms / 1000));
}

static void done(struct parked_alarm *alarm)
{
    for (int kind = CALLBACK_REQUEST; kind < CALLBACK_KIND_COUNT; kind++)
        metric_set(
            metrics_cell(alarm->metrics, &PARKED, callback_kind_path((enum callback_kind)kind)),
            (double)alarm->counts[kind]);
    if (alarm->rang)
        alarm->quiet_until_ms = clock_monotonic_ms() + REPEAT_MS;
}

static void on_parked(void *arg, enum store_outcome outcome, const struct store_parked *parked)
{
    struct parked_alarm *alarm = arg;
    enum callback_kind kind;
    if (!parked)
        alarm->looking = false;
    if (!parked && outcome == STORE_APPLIED)
        done(alarm);
    else if (parked && parked->count > 0 && callback_kind_parse(parked->kind, &kind))
        alarm->counts[kind] = parked->count;
    else if (parked && parked->count == 0 && alarm->loud)
        ring(alarm, parked);
}

static void look(void *arg)
{
    struct parked_alarm *alarm = arg;
    bool ready = store_ready(alarm->store);
    timer_start(alarm->timer, ready ? LOOK_MS : READY_MS);
    if (!ready || alarm->looking)
        return;
    alarm->looking = true;
    for (size_t i = 0; i < CALLBACK_KIND_COUNT; i++)
        alarm->counts[i] = 0;
    alarm->loud = clock_monotonic_ms() >= alarm->quiet_until_ms;
    alarm->rang = false;
    store_parked_list(alarm->store, on_parked, alarm);
}

struct parked_alarm *parked_alarm_start(uv_loop_t *loop, struct store *store,
                                        struct metrics *metrics)
{
    struct parked_alarm *alarm = memory_zero(1, sizeof(*alarm));
    alarm->store = store;
    alarm->metrics = metrics;
    metrics_declare(metrics, &PARKED, 1);
    alarm->timer = timer_new(loop, look, alarm);
    timer_start(alarm->timer, READY_MS);
    return alarm;
}

void parked_alarm_free(struct parked_alarm **alarm)
{
    struct parked_alarm *old = TAKE(*alarm);
    if (!old)
        return;
    timer_free(&old->timer);
    free(old);
}
