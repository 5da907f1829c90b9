/* core.h - the broker itself and its metrics. */
#ifndef VENDGATE_BROKER_CORE_H
#define VENDGATE_BROKER_CORE_H

#include "broker/live.h"
#include "broker/open_session.h"

/* outbox.c's. */
struct outbox {
    struct shelf *shelves; /* by integrator; those that have callbacks only in the database */
    bool surveying;        /* whose callbacks are there is being asked: nothing is handed over */
    bool survey_due;       /* ask when the store is there ... */
    int64_t survey_ms;     /* ... and not before; monotonic */
    bool claim_due;        /* first take back the lanes of our machines' live purchases */
    bool replays_reading, replays_again;
    int64_t replays_ms; /* monotonic, when they are read next */
    int64_t replay_after;
    size_t replay_rows;
};

struct broker {
    uv_loop_t *loop;
    struct broker_options options;
    struct store *store;
    struct people *people;
    struct fleet_directory *directory;
    struct metrics *metrics;
    struct machine_link *link; /* bound later */
    struct outbound *outbound;
    struct machine *machines;           /* by vm_id */
    struct live *lives;                 /* by key */
    struct live *lives_by_id;           /* the same by txn.id */
    struct open_session *open_sessions; /* by the id of the last transaction */
    struct machine *due;                /* mailboxes to be worked off at the next turn */
    struct call *due_calls;             /* refusals to be answered at the next turn */
    struct timer *due_timer;
    struct call *calls; /* unanswered, oldest first */
    size_t call_count;
    struct timer *sweep; /* once a second: calls over their deadline */
    bool recovery_begun, ready, draining;
    int64_t started_ms; /* monotonic, when recovery was done */
    int64_t lost_at_ms; /* monotonic; 0: the store is there */
    struct outbox outbox;
    void (*drained)(void *arg);
    void *drained_arg;
};

extern const struct metric_def BROKER_STEPS, BROKER_UNEXPECTED, BROKER_ALERTS, BROKER_ANSWERS,
    BROKER_OUTCOMES;

#endif
