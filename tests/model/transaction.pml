/* transaction.pml - the protocol between integrator, gateway and machine, for spin.
 *
 *   integrator --calls--> gateway --cmd--> machine        one machine, one integrator, one ref
 *              <-answers-         <--re---                (renames: rename.pml)
 *                                 <-outbox-               events, kept by the machine until PUBACK
 *
 * The gateway's steps are txn_step() itself: table.c prints it, with txn_judge_evidence() and
 * txn_timer_event(), into table.pml. What is written here is what surrounds the table: the wires,
 * the machine with its journal, the deadlines' rules, and the promises.
 *
 * Without any bound on their number: repeats, delays and losses of calls, answers, commands, replies
 * and events; lost links, seen by either side first; outages; crashes of the gateway between any two
 * effects (RAM lost, database kept); COMMITs that succeed unanswered; power cuts of the machine
 * (RAM and session lost, journal kept); every timer at any moment at which it may fire.
 * Bounded: the messages in one wire (COMMANDS, REPLIES, EVENTS), the customer's choices
 * (SELECTIONS), lost journals (JOURNALS - 1).
 *
 * How the real thing is folded into so few steps, without losing a behaviour:
 * - A call is not sent and then received: the integrator may make any call at any time, which is
 *   what delay, repetition, reordering and a crashed integrator amount to. An answer is lost unless
 *   noted (lock_answered, paid_answered, refund_said): the promises bind from the first that arrives.
 * - A connection is one TCP stream; replies and events are handled in any order between each other.
 * - A commit that the database applies later than the gateway believes is refused by row version and
 *   owner epoch; one that it applies unanswered is `answered == false` below.
 * - Time is not modelled, but two things are assumed of it: a machine that can reach the gateway is
 *   connected again within the recovery grace, and within `doubt`.
 *
 * WITHOUT_x takes out the rule (*) of that name, FAULT_x plants a fault: either breaks a promise. NO_BACKLOG_WAIT
 * takes out what the promises turn out not to need. See README.md. */

#include "table.pml"

#ifndef COMMANDS
#define COMMANDS 2
#define REPLIES 1
#define EVENTS 3
#define SELECTIONS 2
#define JOURNALS 2
#endif

#ifdef FAULT_NEW_APPROVAL_ON_RESEND
#define APPROVALS 2
#else
#define APPROVALS 1
#endif

/* With ENDS, all misfortune stops at some moment, and everybody but the gateway falls silent: the integrator, the
 * customer, the operators. Whatever is left, in any order: when nothing more can happen, the row has ended. */
#ifdef ENDS
bit calm;
#define STORM (!calm)
#else
#define STORM true
#endif

/* What the connection carries. */
mtype:command = { C_HELLO, C_LOCK, C_APPROVE, C_UNLOCK, C_QUERY };
mtype:reply = { R_HELLO, R_LOCK_OK, R_LOCK_NO, R_APPROVE, R_QUERY, R_QUERY_AFTER_EXPIRY };
mtype:report = { E_NONE, E_SELECTION, E_WITHDRAWN, E_SESSION_ENDED, E_SESSION_RESET,
                 E_DISPENSED, E_NOT_DISPENSED, E_INTERRUPTED_OFF_BUS, E_INTERRUPTED_ON_BUS };
/* C_HELLO: whether a session is named. C_APPROVE: approval, journal, request. C_QUERY: approval,
 * whether it was asked after the deadline of a doubt. */
chan cmd = [COMMANDS] of { mtype:command, byte, byte, byte };
/* Word of the journal, whether on the bus, journal, approval; R_HELLO: session and request as 0 (no
 * session) or request + 1. */
chan re = [REPLIES] of { mtype:reply, mtype:word, bit, byte, byte, byte };

/* --- on disk --- */
mtype:state state = TXN_NONE;
mtype:timer timer = TIMER_NONE;
bit lock_answered;       /* the lock was answered success: promise 3 holds for the row */
byte endings;            /* /txn/vend and /txn/unlock rows, and the first answer to the own /api/unlock */
byte row_request;        /* 0: no selection yet */
byte approval;           /* 0: not paid */
byte row_journal;        /* of the PAID step */
byte known_journal;      /* as hello told last */
bit adjusted;            /* contrary evidence was recorded */
byte stored;             /* so many events at the head of the outbox are on disk */

/* --- in the gateway's memory --- */
#define GONE 0     /* not connected */
#define WELCOME 1  /* hello sent */
#define ONLINE 2
#define CONNECTED (presence >= WELCOME)
byte presence = WELCOME;
#define NOT_EXPIRED 0
#define ASKING 1   /* the doubt's deadline has passed; the machine is asked once more */
#define DECIDING 2 /* the policy's turn */
byte expiring;
bit heard;         /* an event came since the last query after the expiry */
bit recovered;     /* the row lived before this start, and the recovery grace is not over */

/* --- the machine --- */
#define OFF 0
#define AWAY 1     /* no way to the gateway for long */
#define SOON 2     /* not connected, but it will be soon */
#define LINKED 3   /* as the machine sees it */
byte link = LINKED;
#define NO_SESSION 0
#define OPEN 1
#define OVER 2     /* never opened again */
byte session;
byte choosing;     /* the request that is open, 0: none */
byte selections;   /* requests used */
byte journal = 1;
mtype:word verdict[APPROVALS] = WORD_NONE; /* the journal: what became of approval id i + 1 */
bit on_bus;        /* in the journal: the approval that is taken was put on the bus */
byte highest;      /* in the journal: the highest approval number seen; an approval's number is its id here */
bit dropped;       /* the goods have fallen, and the result is not written yet */
byte taken_id;     /* the approval that was executed */
mtype:report outbox[EVENTS] = E_NONE;
byte outbox_request[EVENTS];
byte events;       /* in the outbox */
byte received;     /* of them, so many came over this connection; their PUBACK is on its way */

/* --- what a witness of everything writes down --- */
byte fell;         /* goods */
bit refund_said;   /* or could be: of a CLOSED row at any time */
bit excused;       /* a person, or the policy about what nobody could know, has decided */
bit ignorant;      /* asked after the deadline, the machine knew no outcome itself */
byte broken;

#define PROMISE(n_, kept_) if :: (kept_) :: else -> broken = n_; assert(broken != n_) fi
#define REFUND 8

#define IS_FINAL(s_) (s_ == TXN_VENDED || s_ == TXN_FAILED || s_ == TXN_CLOSED)
#define IS_MONEY(s_) (s_ == TXN_PAID || s_ == TXN_VENDING || s_ == TXN_IN_DOUBT)
#define IS_LIVE(s_) (s_ != TXN_NONE && !IS_FINAL(s_))
#define PAID_ON_DISK (IS_MONEY(state) || state == TXN_VENDED || state == TXN_FAILED)

/* After every step of either side. */
inline keep_promises()
{
    PROMISE(2, fell <= 1);
    PROMISE(3, endings <= 1 && (IS_FINAL(state) || endings == 0));
    PROMISE(3, !IS_LIVE(state) || timer != TIMER_NONE); /* so it does end */
    PROMISE(5, state != TXN_CLOSED || fell == 0);
    PROMISE(5, state != TXN_FAILED || excused || fell == 0);
    PROMISE(5, state != TXN_VENDED || excused || fell == 1);
    PROMISE(REFUND, !refund_said || fell == 0)
}

/* --- wires --- */

/* What does not fit is lost, like with the connection: a superset of what can happen. */
inline send(command_, approval_, journal_, argument_)
{
    if
    :: CONNECTED && link == LINKED && len(cmd) < COMMANDS -> cmd!command_, approval_, journal_, argument_
    :: else
    fi
}

inline respond(reply_, word_, bus_, approval_, argument_)
{
    if
    :: CONNECTED && len(re) < REPLIES -> re!reply_, word_, bus_, journal, approval_, argument_
    :: else
    fi
}

/* What is thrown away; always these values between two steps. */
mtype:command no_order = C_HELLO;
mtype:reply no_answer = R_HELLO;
mtype:word no_word = WORD_NONE;
byte no_byte;

inline drain_commands()
{
    do
    :: len(cmd) > 0 -> cmd?no_order, no_byte, no_byte, no_byte
    :: else -> break
    od;
    no_order = C_HELLO;
    no_byte = 0
}

inline drain_replies()
{
    do
    :: len(re) > 0 -> re?no_answer, no_word, no_byte, no_byte, no_byte, no_byte
    :: else -> break
    od;
    no_answer = R_HELLO;
    no_word = WORD_NONE;
    no_byte = 0
}

/* The gateway's end of the connection is closed. */
inline close_link()
{
    presence = GONE;
    known_journal = 0; /* told anew by the next hello */
    received = 0;
    drain_replies()
}

/* What was asked before this deadline does not count as asked after it. */
inline forget_queries()
{
    index = len(cmd);
    do
    :: index > 0 -> index--; cmd?order, id, word_journal, argument;
        if
        :: order == C_QUERY -> cmd!order, id, word_journal, 0
        :: else -> cmd!order, id, word_journal, argument
        fi
    :: else -> break
    od;
    index = len(re);
    do
    :: index > 0 -> index--; re?answer, said, bus, word_journal, id, argument;
        if
        :: answer == R_QUERY_AFTER_EXPIRY -> re!R_QUERY, said, bus, word_journal, id, argument
        :: else -> re!answer, said, bus, word_journal, id, argument
        fi
    :: else -> break
    od
}

/* --- the gateway --- */

#ifdef FAULT_OLD_QUERY_COUNTS
#define COUNTS_AS_ASKED 1
#else
#define COUNTS_AS_ASKED (expiring == ASKING)
#endif

inline ask_machine()
{
    if
    :: presence == ONLINE -> send(C_QUERY, approval, 0, COUNTS_AS_ASKED); heard = 0
    :: else
    fi
}

/* /api/paid, as txn_judge_payment() judges it. */
inline judge_paid()
{
    if
    :: state == TXN_REQUESTED && presence == ONLINE -> event = EV_PAID
    :: state == TXN_REQUESTED -> event = EV_PAID_NOT_YET /* figures, or the link is down */
    :: state == TXN_REQUESTED -> event = EV_PAID_NEVER   /* over the limit, or out of time */
    :: state == TXN_LOCKING || state == TXN_LOCKED || state == TXN_WITHDRAWN ->
        event = EV_PAID_NOT_YET
    :: PAID_ON_DISK -> event = EV_PAID_REPEATED
    :: PAID_ON_DISK -> event = EV_PAID_CONFLICT
    :: state == TXN_CLOSED -> event = EV_PAID_NEVER
    fi
}

/* Everything else that people and the way to the integrator may do. */
inline judge_people()
{
    if
    :: IS_LIVE(state) || IS_FINAL(state) -> event = EV_UNLOCK
    :: IS_LIVE(state) && !IS_MONEY(state) -> event = EV_OPERATOR_RELEASE
    :: IS_LIVE(state) && !IS_MONEY(state) -> event = EV_OUT_OF_SERVICE
    :: IS_LIVE(state) && !IS_MONEY(state) -> event = EV_DRAIN
    :: state == TXN_REQUESTED -> event = EV_REQUEST_REFUSED
    :: state == TXN_REQUESTED -> event = EV_REQUEST_UNDELIVERABLE
    :: state == TXN_IN_DOUBT -> event = EV_VERDICT_VENDED; excuse = 1
    :: state == TXN_IN_DOUBT -> event = EV_VERDICT_FAILED; excuse = 1
    fi
}

/* The next event of the outbox. What is on disk already is a repeat: acknowledged, no effect. */
inline judge_report()
{
    told = outbox[received];
    argument = outbox_request[received];
    if
    :: received < stored
    :: else ->
        if
        :: told == E_SELECTION && (state == TXN_LOCKING || state == TXN_LOCKED) && row_request == 0 ->
            event = EV_SELECTION
        :: told == E_SELECTION && IS_LIVE(state) && row_request == argument ->
            event = EV_SELECTION_REPEATED
        :: told == E_SELECTION && IS_LIVE(state) && row_request != argument && row_request != 0 ->
            event = EV_SELECTION_CHANGED
        :: told == E_WITHDRAWN && row_request == argument -> event = EV_SELECTION_WITHDRAWN
        :: told == E_SESSION_ENDED -> event = EV_SESSION_ENDED
        :: told == E_SESSION_RESET -> event = EV_SESSION_RESET
        :: told == E_DISPENSED && approval == taken_id -> event = EV_DISPENSED
        :: told == E_NOT_DISPENSED && approval == taken_id -> event = EV_NOT_DISPENSED
        :: told == E_INTERRUPTED_OFF_BUS && approval == taken_id -> event = EV_INTERRUPTED_OFF_BUS
        :: told == E_INTERRUPTED_ON_BUS && approval == taken_id -> event = EV_INTERRUPTED_ON_BUS
        :: else
        fi
    fi;
    if
    :: expiring == ASKING -> heard = 1
    :: else
    fi
}

/* What a reply says of the approval. */
inline judge_word()
{
    same = (word_journal == row_journal);
#ifdef WITHOUT_REFUSED_NEEDS_SAME_JOURNAL
    if
    :: said == WORD_VOID || said == WORD_WRONG_JOURNAL -> said = WORD_VOID; same = 1
    :: else
    fi;
#endif
#ifdef WITHOUT_NEVER_SEEN_NEEDS_SAME_JOURNAL
    if
    :: said == WORD_NEVER_SEEN -> same = 1
    :: else
    fi;
#endif
#ifdef WITHOUT_EVIDENCE_IN_REPLIES
    if
    :: said == WORD_DISPENSED || said == WORD_NOT_DISPENSED -> said = WORD_NONE
    :: else
    fi;
#endif
    evidence_of(said, same, bus)
}

/* As hello_names() and last_event() of the broker. */
inline judge_hello()
{
    presence = ONLINE;
    known_journal = word_journal;
    if
    :: id != 0 && id == approval ->
        judge_word();
        step_of(state, event);
        if
        :: event == EV_NONE || !legal || next == state -> event = EV_NONE
        :: else
        fi
    :: else
    fi;
    if
    :: event != EV_NONE || !IS_LIVE(state)
    :: else ->
        same = argument > 0;
        if
        :: state == TXN_LOCKED || state == TXN_WITHDRAWN
        :: state == TXN_PAID -> same = (argument == row_request + 1 && word_journal == row_journal)
        :: else -> same = (argument == row_request + 1)
        fi;
        if
        :: same -> event = EV_HELLO_SAME
        :: else -> event = EV_HELLO_OTHER
        fi
    fi
}

inline judge_reply()
{
    if
    :: answer == R_HELLO -> judge_hello()
    :: answer == R_LOCK_OK && IS_LIVE(state) -> event = EV_LOCK_ACCEPTED
    :: answer == R_LOCK_NO && IS_LIVE(state) -> event = EV_LOCK_REFUSED
    :: (answer == R_APPROVE || answer == R_QUERY || answer == R_QUERY_AFTER_EXPIRY) && id == approval ->
        judge_word();
        step_of(state, event);
        if
        :: expiring == ASKING && answer == R_QUERY_AFTER_EXPIRY && !(legal && next != state) ->
            if
#ifndef NO_BACKLOG_WAIT
            :: heard -> ask_machine()
#endif
            :: else -> expiring = DECIDING
            fi
        :: else
        fi
    :: else
    fi
}

/* Which deadline may fire now. A doubt's is decided in judge_policy(). */
#ifdef WITHOUT_RECOVERY_GRACE
#define GRACE_OVER true
#else
#define GRACE_OVER (!recovered || !IS_MONEY(state))
#endif
#define MAY_EXPIRE (timer != TIMER_NONE && timer != TIMER_DOUBT && GRACE_OVER)

/* The machine is there, or has been away for long. After a start without the grace, the deadline
 * that passed meanwhile is due before the machine can be back. */
#if defined(WITHOUT_RECOVERY_GRACE)
#define HEARD_OR_AWAY (CONNECTED || link <= AWAY || recovered)
#elif defined(FAULT_DOUBT_WHILE_LINK_DOWN)
#define HEARD_OR_AWAY true
#else
#define HEARD_OR_AWAY (CONNECTED || link <= AWAY)
#endif
#define DOUBT_MAY_EXPIRE (timer == TIMER_DOUBT && expiring == NOT_EXPIRED && GRACE_OVER && HEARD_OR_AWAY)

#ifdef WITHOUT_DOUBT_ASKS_FIRST
#define ASKS_FIRST false
#else
#define ASKS_FIRST CONNECTED
#endif

inline ask_once_more()
{
#ifndef FAULT_OLD_QUERY_COUNTS
    forget_queries();
#endif
    expiring = ASKING;
    ignorant = 0;
    ask_machine()
}

/* What nobody could know: put on the bus when the power went, the journal is lost, the machine is
 * away, or it did not know itself. (Connected and dumb for 60 s: see `patience`.) */
#define UNKNOWABLE ((verdict[0] == WORD_INTERRUPTED && on_bus) || journal != row_journal || link <= AWAY || ignorant)

inline judge_policy()
{
    excuse = excuse || UNKNOWABLE;
    printf("gateway: the policy decides\n");
    if
    :: event = EV_DOUBT_REFUND
#ifndef POLICY_REFUND
    :: event = EV_DOUBT_CAPTURE
    :: STORM -> event = EV_DOUBT_HOLD; excuse = 0
#endif
    fi
}

/* The commit: the row, its callbacks and the machine's event together. */
inline commit()
{
#ifdef FAULT_NO_EPOCH_CHECK
    step_of(believed, event);
#else
    step_of(state, event);
#endif
    if
    :: legal ->
        PROMISE(6, !IS_FINAL(state) || next == state);
        if
        :: event == EV_PAID -> approval = 1; row_journal = known_journal
        :: event == EV_SELECTION -> row_request = argument
        :: else
        fi;
        if
        :: actions & ANSWER_LOCK_OK -> lock_answered = 1
        :: else
        fi;
        if
#ifdef FAULT_CALLBACK_AFTER_COMMIT
        :: (actions & (CALL_VEND | CALL_UNLOCK)) && answered -> endings++
#else
        :: actions & (CALL_VEND | CALL_UNLOCK) -> endings++
#endif
        :: lock_answered && event == EV_UNLOCK && next == TXN_CLOSED && state != TXN_CLOSED -> endings++
        :: else
        fi;
        PROMISE(4, !PAID_ON_DISK || IS_MONEY(next) || next == TXN_FAILED || next == TXN_VENDED);
        if
        :: IS_FINAL(next) && !IS_FINAL(state) ->
            PROMISE(3, endings == lock_answered);
            PROMISE(4, next == TXN_CLOSED || endings == 1);
            excused = excuse;
            /* Nothing asks for these any more; a second ending shows all the same. */
            endings = 1; lock_answered = 0; row_request = 0; recovered = 0;
            refund_said = (refund_said || next == TXN_CLOSED)
        :: else
        fi;
        if
        :: actions & ADJUST -> adjusted = 1
        :: else
        fi;
        printf("step: %e --%e--> %e\n", state, event, next);
        state = next;
        if
        :: new_timer != TIMER_KEEP ->
            timer = new_timer;
            expiring = NOT_EXPIRED; heard = 0; ignorant = 0
        :: else
        fi
    :: else -> actions = 0
    fi
}

/* After the commit. */
inline act()
{
    if
    :: actions & SEND_LOCK -> send(C_LOCK, 0, 0, 0)
    :: else
    fi;
    if
    :: actions & SEND_APPROVE ->
#ifdef FAULT_NEW_APPROVAL_ON_RESEND
        if
        :: event != EV_PAID -> approval = 2
        :: else
        fi;
#endif
        if
        :: presence == ONLINE -> send(C_APPROVE, approval, row_journal, row_request)
        :: else
        fi
    :: else
    fi;
    if
    :: actions & SEND_QUERY -> ask_machine()
    :: else
    fi;
    if
    :: (actions & SEND_RELEASE) && presence == ONLINE -> send(C_UNLOCK, 0, 0, 0)
    :: else
    fi;
    if
    :: actions & APPLY_POLICY -> expiring = DECIDING
    :: else
    fi
}

/* What the integrator is told, once it is on disk. */
inline answer_call()
{
    if
    :: event == EV_PAID || event == EV_PAID_REPEATED -> PROMISE(4, PAID_ON_DISK)
    :: event == EV_PAID_NEVER -> PROMISE(REFUND, state == TXN_CLOSED)
#ifdef WITHOUT_RETRY_WHILE_OPEN
    :: event == EV_PAID_NOT_YET && state == TXN_REQUESTED -> refund_said = 1
#endif
    :: else
    fi
}

inline expect_nothing()
{
    event = EV_NONE; next = TXN_NONE; new_timer = TIMER_NONE; actions = 0; legal = 0; answered = 0;
    excuse = 0; same = 0; bus = 0; id = 0; word_journal = 0; argument = 0; said = WORD_NONE;
    answer = R_HELLO; order = C_HELLO; told = E_NONE; reporting = 0; index = 0
}

active proctype gateway()
{
    mtype:event event = EV_NONE;
    mtype:state next = TXN_NONE;
    mtype:timer new_timer = TIMER_NONE;
    mtype:reply answer = R_HELLO;
    mtype:command order = C_HELLO;
    mtype:word said = WORD_NONE;
    mtype:report told = E_NONE;
    short actions;
    byte id, word_journal, argument, index;
    bit legal, answered, excuse, same, bus, reporting;
#ifdef FAULT_NO_EPOCH_CHECK
    mtype:event old_event = EV_NONE;
    mtype:state old_state = TXN_NONE, believed = TXN_NONE;
#endif

    expect_nothing();
    send(C_HELLO, 0, 0, 0);
end:
    do
    :: atomic {
        if
        :: STORM && state == TXN_NONE && presence == ONLINE -> event = EV_LOCK
        :: STORM && state != TXN_NONE -> judge_paid()
        :: STORM && state == TXN_NONE && !refund_said ->
            /* /api/paid came before, or without, its /api/lock. */
#ifndef WITHOUT_UNKNOWN_REF_SPENT
            state = TXN_CLOSED;
            endings = 1;
#endif
            refund_said = 1
        :: STORM && state != TXN_NONE -> judge_people()
        :: MAY_EXPIRE -> expiry_of(timer)
        :: STORM && state == TXN_PAID && timer == TIMER_APPROVE && presence == ONLINE ->
            event = EV_APPROVE_ACK_TIMER
        :: DOUBT_MAY_EXPIRE && ASKS_FIRST -> d_step { ask_once_more() }
        :: DOUBT_MAY_EXPIRE && !ASKS_FIRST -> judge_policy()
        :: expiring == DECIDING -> judge_policy()
#ifndef FAULT_ASKING_WITHOUT_END
        :: expiring == ASKING -> excuse = 1; judge_policy() /* patience: 60 s and no word */
#endif
        :: STORM && state == TXN_IN_DOUBT && presence == ONLINE -> d_step { ask_machine() }
        :: recovered && (presence == ONLINE || link <= AWAY) -> recovered = 0
        :: STORM && presence == GONE -> event = EV_LINK_LOST
        :: CONNECTED && len(re) > 0 ->
            re?answer, said, bus, word_journal, id, argument;
            d_step { judge_reply() }
        :: presence == ONLINE && link == LINKED && received < events ->
            reporting = 1;
            d_step { judge_report() }
        :: presence == WELCOME && len(cmd) == 0 && len(re) == 0 -> /* no answer to hello */
            d_step {
                close_link();
                link = (link == LINKED -> SOON : link)
            }
        :: link == SOON -> /* the newest connection wins */
            d_step {
                close_link();
                drain_commands();
                link = LINKED;
                presence = WELCOME;
                event = EV_NEW_CONNECTION
            }
        :: STORM -> /* a crash and the next start: the memory is gone, the database is not */
            d_step {
                printf("gateway: crashes and starts\n");
                close_link();
                expiring = NOT_EXPIRED;
                heard = 0;
                ignorant = 0;
                recovered = IS_MONEY(state);
                event = EV_RESTART
            }
#ifdef FAULT_NO_EPOCH_CHECK
        /* A gateway that hangs between decision and commit; another has taken over meanwhile. */
        :: old_event != EV_NONE && !reporting -> event = old_event; believed = old_state; old_event = EV_NONE
#endif
        fi;
        if
        :: answered = 1
        :: STORM && event != EV_NEW_CONNECTION && event != EV_RESTART && event != EV_NONE -> answered = 0
        fi;
#ifdef FAULT_NO_EPOCH_CHECK
        if
        :: believed == TXN_NONE -> believed = state
        :: else
        fi;
        if
        :: old_event == EV_NONE && (event == EV_PAID || event == EV_UNLOCK) ->
            old_event = event; old_state = state; event = EV_NONE
        :: true
        fi;
#endif
#ifdef FAULT_APPROVE_BEFORE_COMMIT
        if
        :: event == EV_PAID -> send(C_APPROVE, 1, known_journal, row_request);
            if
            :: event = EV_NONE /* and then the commit fails */
            :: true
            fi
        :: else
        fi;
#endif
#ifdef FAULT_ANSWER_BEFORE_COMMIT
        if
        :: event == EV_PAID -> event = EV_NONE; PROMISE(4, PAID_ON_DISK) /* and then the commit fails */
        :: true
        fi;
#endif
#ifdef FAULT_PUBACK_BEFORE_COMMIT
        if
        :: reporting && received >= stored -> received++; reporting = 0;
            if
            :: event = EV_NONE /* and then the commit fails */
            :: true
            fi
        :: else
        fi;
#endif
        d_step {
            if
            :: event != EV_NONE -> commit()
            :: else
            fi;
            if
            :: reporting && received >= stored -> stored++
            :: else
            fi;
            if
            :: reporting && (answered || event == EV_NONE) -> received++
            :: else
            fi;
            if
            :: answered && event != EV_NONE -> act(); answer_call()
            :: reporting && !answered && event != EV_NONE -> close_link() /* no PUBACK without a commit's answer */
            :: else
            fi;
            if
            :: event == EV_NEW_CONNECTION -> send(C_HELLO, 0, 0, IS_LIVE(state))
            :: else
            fi;
            keep_promises();
#ifdef FAULT_NO_EPOCH_CHECK
            believed = TXN_NONE;
#endif
            expect_nothing()
        }
    }
    od
}

/* --- the machine --- */

#define POWERED (link != OFF)
#define CUSTOMER (STORM && POWERED && session == OPEN && !IS_FINAL(state))
#define BUS_TOLD (said == WORD_INTERRUPTED && on_bus)
#define VENDING_NOW (taken_id != 0 && verdict[taken_id - 1] == WORD_TAKEN)

inline tell(report_, request_)
{
    outbox[events] = report_;
    printf("machine: %e\n", outbox[events]);
    outbox_request[events] = request_;
    events++
}

inline end_session(report_)
{
    session = OVER;
    if
    :: !VENDING_NOW -> choosing = 0
    :: else
    fi;
    tell(report_, 0)
}

/* PUBACK of the first event: now only the database has it. */
inline forget_event()
{
    PROMISE(6, outbox[0] != E_DISPENSED || state == TXN_VENDED || adjusted);
    i = 1;
    do
    :: i < EVENTS -> outbox[i - 1] = outbox[i]; outbox_request[i - 1] = outbox_request[i]; i++
    :: else -> break
    od;
    outbox[EVENTS - 1] = E_NONE;
    outbox_request[EVENTS - 1] = 0;
    i = 0;
    events--;
    received--;
    if
    :: stored > 0 -> stored--
    :: else
    fi
}

inline on_hello()
{
    if
    :: argument == 0 -> session = (session == OPEN -> OVER : session); choosing = (VENDING_NOW -> choosing : 0)
    :: else
    fi;
    if
    :: taken_id != 0 -> id = taken_id
    :: else -> id = (verdict[0] != WORD_NONE -> 1 : 0)
    fi;
    said = (id != 0 -> verdict[id - 1] : WORD_NONE);
    argument = (session == OPEN -> choosing + 1 : 0);
    respond(R_HELLO, said, BUS_TOLD, id, argument)
}

/* The verdict is in the journal before it is answered, and before anything moves. */
#if defined(FAULT_MACHINE_NO_LOOKUP) || defined(FAULT_MACHINE_NO_JOURNAL)
#define LOOKED_UP WORD_NONE
#else
#define LOOKED_UP verdict[id - 1]
#endif
#ifdef FAULT_MACHINE_NO_JOURNAL
#define SEEN_BEFORE false
#else
#define SEEN_BEFORE (id <= highest)
#endif

inline on_approve()
{
    if
    :: cmd_journal != journal -> said = WORD_WRONG_JOURNAL
    :: cmd_journal == journal && LOOKED_UP != WORD_NONE -> said = LOOKED_UP
    :: cmd_journal == journal && LOOKED_UP == WORD_NONE ->
        if
        :: session != OPEN || choosing == 0 || choosing != argument || VENDING_NOW || expired || SEEN_BEFORE ->
            said = WORD_VOID
        :: else ->
            said = WORD_TAKEN;
            taken_id = id;
            on_bus = 0;
            PROMISE(1, approval != 0 && PAID_ON_DISK)
        fi;
        verdict[id - 1] = (said == WORD_TAKEN || verdict[id - 1] == WORD_NONE -> said : verdict[id - 1]);
        highest = (id > highest -> id : highest)
    fi;
    respond(R_APPROVE, said, BUS_TOLD, id, 0)
}

inline on_query()
{
    if
    :: verdict[id - 1] != WORD_NONE -> said = verdict[id - 1]
    :: verdict[id - 1] == WORD_NONE && id > highest ->
        verdict[id - 1] = WORD_VOID;
        highest = id;
        said = WORD_NEVER_SEEN
    :: else -> said = WORD_FORGOTTEN
    fi;
    if
    :: expiring == ASKING && said == WORD_TAKEN -> ignorant = 1
    :: else
    fi;
    if
    :: argument == 1 -> respond(R_QUERY_AFTER_EXPIRY, said, BUS_TOLD, id, 0)
    :: else -> respond(R_QUERY, said, BUS_TOLD, id, 0)
    fi
}

/* A lock is refused for many reasons; an ended session is never opened again. */
inline on_lock()
{
    if
    :: session == OVER || expired -> respond(R_LOCK_NO, WORD_NONE, 0, 0, 0)
    :: else -> session = OPEN; respond(R_LOCK_OK, WORD_NONE, 0, 0, 0)
    fi
}

inline on_unlock()
{
    session = OVER;
    choosing = (VENDING_NOW -> choosing : 0)
}

active proctype machine()
{
    mtype:command order = C_HELLO;
    mtype:word said = WORD_NONE;
    byte id, cmd_journal, argument, i;
    bit expired;

end:
    do
    :: atomic { link == LINKED && len(cmd) > 0 ->
        if
        :: cmd?order, id, cmd_journal, argument
        :: STORM -> cmd?<order, id, cmd_journal, argument> /* and once more */
        fi;
        if
        :: order == C_APPROVE || order == C_LOCK -> expired = 1
        :: true
        fi;
        d_step {
            printf("machine: works off %e\n", order);
            if
            :: order == C_HELLO -> on_hello()
            :: order == C_LOCK -> on_lock()
            :: order == C_APPROVE -> on_approve()
            :: order == C_UNLOCK -> on_unlock()
            :: order == C_QUERY -> on_query()
            fi;
            order = C_HELLO; said = WORD_NONE; id = 0; cmd_journal = 0; argument = 0; expired = 0
        } }
    :: d_step { link == LINKED && received > 0 -> forget_event() }

    /* The customer, who goes when all is over. */
    :: d_step { CUSTOMER && !VENDING_NOW && selections < SELECTIONS && events < EVENTS ->
        selections++;
        choosing = selections;
        tell(E_SELECTION, choosing) }
    :: d_step { CUSTOMER && choosing != 0 && !VENDING_NOW && events < EVENTS ->
        tell(E_WITHDRAWN, choosing);
        choosing = 0 }
    :: d_step { CUSTOMER && events < EVENTS -> end_session(E_SESSION_ENDED) }

    /* The motor. A vend, once taken, ends by itself only. */
    :: d_step { POWERED && VENDING_NOW && !on_bus -> on_bus = 1 }
    :: d_step { POWERED && VENDING_NOW && on_bus && !dropped ->
        dropped = 1;
        fell++;
        printf("machine: the goods fall\n");
        keep_promises() }
    :: d_step { POWERED && VENDING_NOW && dropped && events < EVENTS ->
        verdict[taken_id - 1] = WORD_DISPENSED;
        dropped = 0;
        on_bus = 0;
#ifndef FAULT_MACHINE_NO_JOURNAL
        choosing = 0;
#endif
        tell(E_DISPENSED, 0) }
    :: d_step { POWERED && VENDING_NOW && !dropped && events < EVENTS ->
        verdict[taken_id - 1] = WORD_NOT_DISPENSED;
        on_bus = 0;
        choosing = 0;
        tell(E_NOT_DISPENSED, 0) }

    /* Power: RAM and session are gone, the journal speaks at boot. */
    :: d_step { STORM && POWERED && events + 2 <= EVENTS ->
        printf("machine: power lost\n");
        link = OFF;
        dropped = 0;
        choosing = 0;
        received = 0;
        drain_commands() }
    :: d_step { link == OFF ->
        link = SOON;
        if
        :: VENDING_NOW ->
            verdict[taken_id - 1] = WORD_INTERRUPTED;
            if
            :: on_bus -> tell(E_INTERRUPTED_ON_BUS, 0)
            :: else -> tell(E_INTERRUPTED_OFF_BUS, 0)
            fi
        :: else
        fi;
        if
        :: session == OPEN -> end_session(E_SESSION_RESET)
        :: else
        fi }
    :: atomic { link == OFF && journal < JOURNALS -> /* the flash comes up empty */
        if
        :: highest = 0
        :: approval != 0 -> highest = approval /* or has known a higher number since */
        fi;
        d_step {
            link = SOON;
            printf("machine: boots with an empty journal\n");
            journal++;
            session = (session == OPEN -> OVER : session);
            taken_id = 0;
            on_bus = 0;
            i = 0;
            do
            :: i < APPROVALS -> verdict[i] = WORD_NONE; i++
            :: else -> break
            od;
            i = 0;
            do
            :: i < EVENTS -> outbox[i] = E_NONE; outbox_request[i] = 0; i++
            :: else -> break
            od;
            i = 0;
            events = 0;
            stored = 0
        } }
    od
}

/* --- links and crashes --- */

active proctype world()
{
end:
    do
    :: d_step { STORM && link == LINKED -> link = SOON; received = 0; drain_commands(); printf("link lost\n") }
    :: d_step { STORM && link == LINKED && IS_MONEY(state) -> link = AWAY; received = 0; drain_commands() }
    :: d_step { STORM && link == SOON && IS_MONEY(state) -> link = AWAY }
    :: d_step { link == AWAY -> link = SOON }
    :: d_step { STORM && CONNECTED -> close_link() }
    /* Sooner or later each side notices that the other has gone. */
    :: d_step { link == LINKED && !CONNECTED -> link = SOON; received = 0; drain_commands() }
#ifdef ENDS
    :: STORM -> calm = 1
    :: timeout -> PROMISE(3, !IS_LIVE(state))
#endif
    od
}
