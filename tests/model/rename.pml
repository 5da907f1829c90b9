/* rename.pml - another choice in the same session: one ref takes over from the other, for spin.
 *
 *   LOCKED(0) -> REQUESTED(0) --another selection--> CLOSED(0) + REQUESTED(1) --> ...   /txn/request with new_txn_ref
 *
 * The steps are txn_step() as in transaction.pml. What is looked at here is promise 3 over the refs: whatever is lost
 * between gateway and integrator, the integrator's books are empty when all is over, and no ref ends twice. The machine
 * is only a source of numbered choices and results; its journal is transaction.pml's matter.
 *
 * Any number: attempts at a callback, lost answers to it, calls of the integrator, repeats of events, crashes of the
 * gateway, timers at any moment. Bounded: refs (REFS), choices of the customer (CHOICES). */

#include "table.pml"

#ifndef REFS
#define REFS 3
#define CHOICES 4
#endif

/* --- on disk --- */
mtype:state row[REFS] = TXN_NONE;
mtype:timer timer = TIMER_SELECTION;
byte last;                 /* the row of the session that was made last */
byte choice[REFS];         /* which choice it is for, 0: none */
bit paid[REFS];
byte stored;               /* choices on disk; what comes again is known by it */
bit renames;               /* the integrator allows them */
#define NOTHING 0
#define OWED 1
#define DELIVERED 2
#define DROPPED 3          /* refused or expired */
byte request[REFS];        /* the /txn/request by which this ref took over */
byte ending[REFS];         /* /txn/vend, /txn/unlock or the answer to the own /api/unlock */
byte endings[REFS];        /* how often */

/* --- in the gateway's memory --- */
bit named[REFS];           /* the integrator has called by this ref */

/* --- the machine --- */
byte chosen;               /* choices made */

/* --- the integrator's books --- */
bit open[REFS];
bit known[REFS];

bit refund_said[REFS];
byte broken;

#define PROMISE(n_, kept_) if :: (kept_) :: else -> broken = n_; assert(broken != n_) fi
#define REFUND 8
#define STATE row[last]
#define IS_FINAL(s_) (s_ == TXN_VENDED || s_ == TXN_FAILED || s_ == TXN_CLOSED)
#define IS_MONEY(s_) (s_ == TXN_PAID || s_ == TXN_VENDING || s_ == TXN_IN_DOUBT)
/* Its ref is the first, or something shows that the integrator has heard of it. */
#define CONFIRMED (last == 0 || request[last] == DELIVERED || named[last] || paid[last])

inline owe(ref_)
{
    ending[ref_] = OWED;
    endings[ref_]++;
    PROMISE(3, endings[ref_] <= 1)
}

/* The integrator reads that ref_ took over from the one before. */
inline hear(ref_)
{
    if
    :: !known[ref_] ->
        known[ref_] = 1;
        open[ref_] = 1;
        if
        :: row[ref_ - 1] == TXN_CLOSED -> open[ref_ - 1] = 0
        :: else /* several vends in one session: the former has its own ending */
        fi
    :: else
    fi
}

/* The next choice, as txn_judge_selection() and succession_possible() judge it. */
inline judge_choice()
{
    if
    :: STATE == TXN_LOCKED -> event = EV_SELECTION
    :: (STATE == TXN_REQUESTED || STATE == TXN_WITHDRAWN) && choice[last] == number -> event = EV_SELECTION_REPEATED
    :: (STATE == TXN_REQUESTED || STATE == TXN_WITHDRAWN) && choice[last] != number ->
        if
#ifdef FAULT_RENAME_OVER_UNCONFIRMED
        :: renames && last < REFS - 1 -> event = EV_SELECTION_RENAMING
#else
        :: renames && last < REFS - 1 && CONFIRMED -> event = EV_SELECTION_RENAMING
#endif
        :: else -> event = EV_SELECTION_CHANGED
        fi
    :: STATE == TXN_VENDED && renames && last < REFS - 1 && ending[last] == DELIVERED -> event = EV_SELECTION_RENAMING
    :: else
    fi
}

inline commit()
{
    step_of(STATE, event);
    if
    :: legal ->
        printf("step: ref %d %e --%e--> %e\n", last, STATE, event, next);
        PROMISE(6, !IS_FINAL(STATE) || next == STATE);
        if
        :: event == EV_PAID -> paid[last] = 1
        :: event == EV_SELECTION -> choice[last] = number
        :: else
        fi;
        if
        :: event == EV_UNLOCK && next == TXN_CLOSED && STATE != TXN_CLOSED -> owe(last)
        :: actions & CALL_VEND -> owe(last)
        :: actions & CALL_UNLOCK ->
#ifndef FAULT_UNCONFIRMED_CLOSES_NEW_ONLY
            if
            :: !CONFIRMED && row[last - 1] == TXN_CLOSED -> owe(last - 1)
            :: else
            fi;
#endif
            owe(last)
        :: else
        fi;
        STATE = next;
        if
        :: new_timer != TIMER_KEEP -> timer = new_timer
        :: else
        fi;
        if
        :: actions & NEXT_ROW ->
            last++;
            STATE = TXN_REQUESTED;
            choice[last] = number;
            request[last] = OWED;
            timer = TIMER_PAYMENT;
            printf("ref %d takes over\n", last)
        :: else
        fi
    :: else
    fi
}

inline keep_promises()
{
    /* All is over, and everything that was owed has been told: nothing is open in the integrator's books. */
    ref = 0;
    settled = IS_FINAL(STATE);
    do
    :: ref < REFS ->
        settled = settled && ending[ref] != OWED && request[ref] != OWED;
        PROMISE(REFUND, !refund_said[ref] || !paid[ref]);
        ref++
    :: else -> break
    od;
    ref = 0;
    do
    :: ref < REFS ->
        PROMISE(3, !settled || !open[ref]);
        PROMISE(4, !paid[ref] || row[ref] != TXN_CLOSED);
        ref++
    :: else -> break
    od;
    /* No repeat brings an old choice back. */
    PROMISE(7, STATE != TXN_REQUESTED || choice[last] == stored)
}

active proctype gateway()
{
    mtype:event event = EV_NONE;
    mtype:state next = TXN_NONE;
    mtype:timer new_timer = TIMER_NONE;
    short actions;
    byte number, ref;
    bit legal, settled, told;

    atomic {
        row[0] = TXN_LOCKED;
        open[0] = 1;
        known[0] = 1;
        if
        :: renames = 1
        :: renames = 0
        fi
    }
    do
    :: atomic {
        if
        /* The machine's choices: the next, and any of the former once more. */
        :: stored < chosen ->
            number = stored + 1;
            d_step { judge_choice() }
            stored++
#ifdef FAULT_REPEATS_NOT_KNOWN
        :: stored > 1 -> number = stored - 1; d_step { judge_choice() }
#endif
        :: STATE == TXN_REQUESTED && choice[last] == chosen -> event = EV_SELECTION_WITHDRAWN
        :: event = EV_SESSION_ENDED
        :: STATE == TXN_PAID && choice[last] == chosen -> event = EV_DISPENSED
        :: IS_MONEY(STATE) -> event = EV_NOT_DISPENSED
        :: STATE == TXN_PAID -> event = EV_APPROVAL_REFUSED

        :: timer != TIMER_NONE && !IS_MONEY(STATE) -> expiry_of(timer)
        :: event = EV_LINK_LOST
        :: !IS_MONEY(STATE) -> event = EV_OPERATOR_RELEASE
        :: !IS_MONEY(STATE) -> event = EV_HELLO_OTHER
        :: named[last] = 0 /* a crash: the row and its callbacks are read again */

        /* The integrator's calls by a ref that it knows: that is how we see that it does. */
        :: known[last] && STATE == TXN_REQUESTED -> named[last] = 1; event = EV_PAID
        :: known[last] && STATE == TXN_REQUESTED -> named[last] = 1; event = EV_PAID_NEVER; told = 1
        :: known[last] && STATE != TXN_NONE -> named[last] = 1; event = EV_UNLOCK
        /* ... and by one that was taken over: REF_SUPERSEDED, with the ref to use. */
        :: last > 0 && row[last - 1] == TXN_CLOSED && ending[last - 1] == NOTHING ->
            refund_said[last - 1] = 1;
            d_step { hear(last) }

        /* An attempt at the /txn/request: arrives and is answered, arrives unanswered, is refused, is given up. */
        :: request[last] == OWED -> request[last] = DELIVERED; d_step { hear(last) }
        :: request[last] == OWED -> d_step { hear(last) }
        :: request[last] == OWED -> request[last] = DROPPED; d_step { hear(last) } event = EV_REQUEST_REFUSED
        :: request[last] == OWED -> request[last] = DROPPED; event = EV_REQUEST_UNDELIVERABLE
        :: STATE == TXN_REQUESTED && last == 0 -> event = EV_REQUEST_REFUSED
        /* Endings follow in the order of the lane. */
        :: last > 0 && ending[last - 1] == OWED && request[last] != OWED ->
            ending[last - 1] = DELIVERED; open[last - 1] = 0
        :: ending[last] == OWED && request[last] != OWED && (last == 0 || ending[last - 1] != OWED) ->
            ending[last] = DELIVERED; open[last] = 0
        fi;
        d_step {
            if
            :: event != EV_NONE -> commit()
            :: else
            fi;
            if
            :: told -> refund_said[last] = 1; PROMISE(REFUND, STATE == TXN_CLOSED)
            :: else
            fi;
            keep_promises();
            event = EV_NONE; next = TXN_NONE; new_timer = TIMER_NONE;
            actions = 0; number = 0; ref = 0; legal = 0; settled = 0; told = 0
        } }
    od
}

active proctype customer()
{
    do
    :: d_step { chosen < CHOICES && !IS_MONEY(STATE) -> chosen++ }
    od
}
