/* live.h - a transaction that is not final, as it is on disk, with its timers. */
#ifndef VENDGATE_BROKER_LIVE_H
#define VENDGATE_BROKER_LIVE_H

#include "broker/machine.h"

#define LIVE_KEY_SIZE (TXN_REF_SIZE + 24)

/* A transaction that is not final, as it is on disk. */
struct live {
    struct txn_record txn;
    char key[LIVE_KEY_SIZE]; /* "integrator:ref" */
    struct machine *machine; /* back pointer */
    struct call *lock_calls; /* waiting for the machine's answer; linked by waiting_* */
    struct timer *deadline, *nudge;
    int64_t request_callback_id; /* the last /txn/request; 0 */
    bool request_withheld;       /* that callback was taken back from outbound, and the commit that
                                    cancels it is not answered, or failed and is decided again */
    bool rename_unconfirmed;     /* its ref took over from another's, and nothing shows that the
                                    integrator has heard of it */
    bool session_over;        /* paid, and the machine has said that no further choice will come */
    bool goes_on;             /* VENDED, and its session stays open (open_session.h) */
    int64_t approve_since_ms; /* monotonic, first send on this connection; 0 */
    int64_t keys_sent_ms;     /* monotonic; 0: none pending */
    bool keys_unsure;         /* sent or not by a former process, and not answered since */
    bool expiring; /* the deadline has passed; the connected machine is asked once more */
    int64_t expiring_until_ms;      /* monotonic */
    char query_id[COMMAND_ID_SIZE]; /* of the last query; empty: none was sent */
    bool heard;                     /* an event came since the last query */
    bool interrupted;      /* the machine has said that nobody can know: the policy was applied */
    bool needs_person;     /* an unreadable event named its approval: only hold */
    bool deadline_moved;   /* here, but not on disk yet: the next step or note writes it */
    bool approve_received; /* the last approve was PUBACKed or never left: it may be sent anew */
    bool recovered;        /* lived before this start: its deadlines wait for the recovery grace */
    UT_hash_handle hh;     /* broker->lives by key */
    UT_hash_handle hh_id;  /* broker->lives_by_id by txn.id */
};

struct live *live_new(struct machine *machine, const struct store_live_row *row);
/* The row was read again. */
void live_reload(struct machine *machine, const struct store_live_row *row);
/* The machine has said something that is not an answer. */
void live_heard(struct machine *machine);
void live_free(struct live **live);
struct live *live_find(const struct broker *broker, int64_t integrator_id, const char *ref);
struct live *live_find_id(const struct broker *broker, int64_t txn_id);
/* A clock that jumped while nobody watched must not make a deadline longer than its timer. */
void live_deadline_bound(struct live *live);
/* Sets the deadline timer by the record; after a start money states wait for the recovery grace. */
void live_deadline_start(struct live *live);
int64_t live_seconds_left(const struct live *live);
/* The integrator has named the ref that took over: so it has heard of it. */
void live_named(struct live *live);

#endif
