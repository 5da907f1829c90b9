#include "broker/internal.h"

#include "base/clock.h"
#include "base/memory.h"

#define SWEEP_MS 1000

const struct metric_def BROKER_STEPS = {
    .name = "vendgate_transaction_events_total",
    .kind = METRIC_COUNTER,
    .help = "Events that the step table knows, by the state they met.",
    .labels = {"state", "event"},
};
const struct metric_def BROKER_UNEXPECTED = {
    .name = "vendgate_transaction_unexpected_events_total",
    .kind = METRIC_COUNTER,
    .help = "Events without a row in the step table: late, repeated or impossible.",
    .labels = {"state", "event"},
};
const struct metric_def BROKER_ALERTS = {
    .name = "vendgate_alerts_total",
    .kind = METRIC_COUNTER,
    .help = "Alerts of level High that a person should look at.",
    .labels = {"what"},
};
const struct metric_def BROKER_ANSWERS = {
    .name = "vendgate_calls_total",
    .kind = METRIC_COUNTER,
    .help = "Calls of integrators that reached the business, by the code of the answer.",
    .labels = {"call", "code"},
};
const struct metric_def BROKER_OUTCOMES = {
    .name = "vendgate_transactions_total",
    .kind = METRIC_COUNTER,
    .help = "Transactions that ended, by final state and the event that ended them.",
    .labels = {"state", "event"},
};
static const struct metric_def LIVE = {
    .name = "vendgate_transactions_live",
    .kind = METRIC_GAUGE,
    .help = "Transactions that are not final, by state.",
    .labels = {"state"},
};
static const struct metric_def DOUBT_AGE = {
    .name = "vendgate_transactions_oldest_doubt_seconds",
    .kind = METRIC_GAUGE,
    .help = "Age of the oldest transaction whose outcome is unknown; 0: none.",
};
static const struct metric_def ONLINE = {
    .name = "vendgate_machines_online",
    .kind = METRIC_GAUGE,
    .help = "Machines that are connected and reconciled.",
};

static void collect(void *arg)
{
    struct broker *broker = arg;
    struct broker_counts counts;
    broker_count(broker, &counts);
    for (int state = TXN_LOCKING; state <= TXN_IN_DOUBT; state++)
        metric_set(metrics_cell(broker->metrics, &LIVE, txn_state_name((enum txn_state)state)),
                   (double)counts.by_state[state]);
    metric_set(metrics_cell(broker->metrics, &DOUBT_AGE), (double)counts.oldest_doubt_ms / 1000.0);
    metric_set(metrics_cell(broker->metrics, &ONLINE), (double)counts.machines_online);
}

static void due(void *arg)
{
    struct broker *broker = arg;
    mailbox_due(broker);
    if (broker->draining)
        drain_check(broker);
}

/* Once a second: what no other event would bring to an end. */
static void sweep(void *arg)
{
    struct broker *broker = arg;
    calls_sweep(broker);
    recovery_begin(broker); /* a reading of it may have failed though the store is there */
    if (fleet_directory_stale(broker->directory) && store_ready(broker->store))
        fleet_directory_refresh(broker->directory, NULL);
    outbox_sweep(broker);
    timer_start(broker->sweep, SWEEP_MS);
}

struct broker *broker_new(uv_loop_t *loop, const struct broker_options *options,
                          struct metrics *metrics)
{
    struct broker *broker = memory_zero(1, sizeof *broker);
    broker->loop = loop;
    broker->options = *options;
    broker->metrics = metrics;
    broker->due_timer = timer_new(loop, due, broker);
    broker->sweep = timer_new(loop, sweep, broker);
    static const struct metric_def *const DEFS[] = {
        &BROKER_STEPS, &BROKER_UNEXPECTED, &BROKER_ALERTS, &BROKER_ANSWERS, &BROKER_OUTCOMES,
        &LIVE,         &DOUBT_AGE,         &ONLINE};
    for (size_t i = 0; i < ARRAY_SIZE(DEFS); i++)
        metrics_declare(metrics, DEFS[i], 1);
    metrics_collect(metrics, collect, broker);
    return broker;
}

void broker_bind(struct broker *broker, const struct broker_parts *parts)
{
    assert(parts->store && parts->people && parts->directory && parts->link && parts->outbound);
    broker->store = parts->store;
    broker->people = parts->people;
    broker->directory = parts->directory;
    broker->link = parts->link;
    broker->outbound = parts->outbound;
    timer_start(broker->sweep, SWEEP_MS);
}

bool broker_ready(const struct broker *broker)
{
    return broker->ready;
}

void broker_count(const struct broker *broker, struct broker_counts *ret_counts)
{
    *ret_counts = (struct broker_counts){0};
    int64_t now = store_now_ms(broker->store);
    struct machine *machine, *next;
    HASH_ITER (hh, broker->machines, machine, next) {
        if (machine->presence == PRESENCE_ONLINE)
            ret_counts->machines_online++;
        if (!machine->live)
            continue;
        const struct txn_record *txn = &machine->live->txn;
        ret_counts->live++;
        ret_counts->by_state[txn->state]++;
        if (txn->state == TXN_IN_DOUBT && now - txn->paid_ms > ret_counts->oldest_doubt_ms)
            ret_counts->oldest_doubt_ms = now - txn->paid_ms;
    }
}

void broker_free(struct broker **broker)
{
    struct broker *old = TAKE(*broker);
    if (!old)
        return;
    struct machine *machine, *next;
    old->due = NULL; /* what waits in the mailboxes is answered below */
    HASH_ITER (hh, old->machines, machine, next) {
        struct machine *gone = machine;
        broker_machine_free(&gone);
    }
    mailbox_due(old);
    outbox_free(old);
    timer_free(&old->due_timer);
    timer_free(&old->sweep);
    free(old);
}
