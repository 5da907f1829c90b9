/* open_session.h - a machine session that goes on after its goods came out, for integrators that
 * allow several purchases in one (multi-vend).
 *
 * Lives in memory only: a gateway that starts anew tells the machine of no session, which ends it.
 */
#ifndef VENDGATE_BROKER_OPEN_SESSION_H
#define VENDGATE_BROKER_OPEN_SESSION_H

#include "broker/live.h"

struct open_session {
    struct txn_record txn;   /* the last purchase, VENDED */
    struct machine *machine; /* back pointer */
    int64_t vend_callback_id;
    bool vend_delivered; /* a further choice is taken only then (transaction.md, "Steps") */
    int64_t until_ms;    /* monotonic: the machine is reserved so long */
    struct timer *timer;
    UT_hash_handle hh; /* broker->open_sessions by txn.id */
};

/* Whether the session of `live`, whose goods have just come out, is to go on. */
bool open_session_wanted(const struct live *live, enum txn_event event);
/* `live` is VENDED on disk, and its /txn/vend is this callback. */
void open_session_begin(const struct live *live, int64_t vend_callback_id);
/* The reservation does not run out while a further choice is being stored. */
void open_session_hold(struct machine *machine);
/* Nothing happens if none is open. */
void open_session_end(struct machine *machine, bool tell_machine);
/* A /txn/vend has arrived. */
void open_session_vend_delivered(struct broker *broker, int64_t callback_id, int64_t txn_id);
/* Whether another choice in it may be sold. */
bool open_session_may_go_on(const struct machine *machine);
int64_t open_session_seconds_left(const struct open_session *open);

#endif
