/* store_binding.c - news from the store and from the caches above it. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

static void doubts_extend(struct broker *broker, int64_t away_ms)
{
    struct live *live, *next;
    HASH_ITER (hh, broker->lives, live, next) {
        if (live->txn.timer != TXN_TIMER_DOUBT)
            continue;
        live->expiring = false; /* its deadline is not over, and it is asked again when it is */
        live->txn.deadline_ms += away_ms; /* only time in which the machine could be heard counts */
        live->deadline_moved = true;
        live_deadline_start(live);
    }
}

static void store_is_ready(void *arg)
{
    struct broker *broker = arg;
    people_refresh(broker->people, NULL, NULL); /* what was changed meanwhile was not heard */
    fleet_directory_refresh(broker->directory, NULL);
    if (!broker->ready) {
        recovery_begin(broker);
        return;
    }
    if (broker->lost_at_ms != 0)
        doubts_extend(broker, clock_monotonic_ms() - broker->lost_at_ms);
    broker->lost_at_ms = 0;
    struct machine *machine, *next;
    HASH_ITER (hh, broker->machines, machine, next)
        mailbox_turn(machine);
    outbox_sweep(broker);
}

static void store_is_lost(void *arg)
{
    struct broker *broker = arg;
    if (broker->lost_at_ms == 0)
        broker->lost_at_ms = clock_monotonic_ms();
}

static void data_changed(void *arg, const char *what, const char *key)
{
    struct broker *broker = arg;
    if (!store_ready(broker->store))
        return; /* everything is read again when it is */
    bool everything = what[0] == '\0';
    bool machine = strcmp(what, "machine") == 0;
    bool callback = strcmp(what, "callback") == 0;
    if (everything && broker->ready)
        outbox_survey(broker); /* a callback may have been added unheard */
    if (everything || callback)
        outbox_changed(broker, key);
    if (everything || machine)
        fleet_directory_refresh(broker->directory, everything || key[0] == '\0' ? NULL : key);
    if (everything)
        people_refresh(broker->people, NULL, NULL);
    else if (!machine && !callback)
        people_refresh(broker->people, what, key);
}

static void process_alive(void *arg, int64_t until_ms)
{
    const struct broker *broker = arg;
    outbound_lease(broker->outbound, until_ms);
}

static void callbacks_taken(void *arg)
{
    outbox_dispossessed(arg);
}

static void callbacks_adopted(void *arg)
{
    struct broker *broker = arg;
    if (broker->ready)
        outbox_survey(broker);
}

void broker_store_handlers(struct store_handlers *ret_handlers)
{
    *ret_handlers = (struct store_handlers){.ready = store_is_ready,
                                            .lost = store_is_lost,
                                            .changed = data_changed,
                                            .alive = process_alive,
                                            .dispossessed = callbacks_taken,
                                            .adopted = callbacks_adopted};
}

static void people_are_loaded(void *arg)
{
    recovery_begin(arg);
}

static void integrator_changed(void *arg, int64_t integrator_id)
{
    struct broker *broker = arg;
    outbound_endpoint_changed(broker->outbound, integrator_id);
}

void broker_people_handlers(struct people_handlers *ret_handlers)
{
    *ret_handlers = (struct people_handlers){.loaded = people_are_loaded,
                                             .integrator_changed = integrator_changed};
}

static void directory_is_loaded(void *arg)
{
    recovery_begin(arg);
}

static void machine_changed(void *arg, const struct fleet_machine *known)
{
    struct broker *broker = arg;
    struct machine *machine = broker_machine_find(broker, known->vm_id);
    if (machine && review_due(machine))
        mailbox_post(machine, input_new(INPUT_REVIEW));
}

void broker_directory_handlers(struct fleet_directory_handlers *ret_handlers)
{
    *ret_handlers = (struct fleet_directory_handlers){.loaded = directory_is_loaded,
                                                      .changed = machine_changed};
}
