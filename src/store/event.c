#include "store/event.h"

#include "store/store_internal.h"

int64_t store_event_horizon(const struct store *store)
{
    return store->horizon.known;
}

void horizon_forget(struct horizon *horizon)
{
    *horizon = (struct horizon){.known = -1};
}

/* Whoever draws a callback's id has the number of its transaction before: a batch locks its fence,
 * vendctl asks for it. So a transaction numbered after an id was read is younger than all that drew
 * an id up to that; and once none older than it is under way, they are all decided.
 *
 *   heartbeat 1: reads the last id drawn, L         -> read
 *   heartbeat 2: its number N is above theirs       -> (L, N) waits
 *   heartbeat 3, or later: nothing below N goes on  -> L is the horizon
 *
 * Two heartbeats may share a transaction: then the second proves nothing. */
void horizon_learn(struct horizon *horizon, int64_t last_id, int64_t number, int64_t oldest_number)
{
    if (horizon->number > 0 && oldest_number >= horizon->number) {
        horizon->known = horizon->last_id;
        horizon->number = 0;
    }
    if (horizon->number == 0 && horizon->read_number > 0 && number > horizon->read_number) {
        horizon->last_id = horizon->read_id;
        horizon->number = number;
    }
    horizon->read_id = last_id;
    horizon->read_number = number;
}

/* The order is that of STATEMENT_EVENT_LIST. */
static void listed(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    struct store_events events = {0};
    if (rows) {
        events.events = row_text(rows, 0, 0);
        events.next = row_integer(rows, 0, 1);
        events.more = row_bool(rows, 0, 2);
    }
    operation->callback.events(operation->arg, outcome, rows ? &events : NULL);
}

void store_event_list(struct store *store, int64_t integrator_id, int64_t after, int64_t limit,
                      store_events_cb *callback, void *arg)
{
    assert(store->horizon.known >= 0);
    struct operation *operation = operation_new(STATEMENT_EVENT_LIST, listed, arg);
    operation->callback.events = callback;
    operation_add_integer(operation, integrator_id);
    operation_add_integer(operation, after);
    operation_add_integer(operation, store->horizon.known);
    operation_add_integer(operation, limit);
    store_queue_step(store, operation);
}
