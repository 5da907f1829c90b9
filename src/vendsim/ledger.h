/* ledger.h - what a simulated vending machine remembers through a power cut, as plain data. Pure.
 *
 * The only way to change a ledger is to apply a line of the journal (journal.h), live and at boot
 * alike: so what a machine knows after a power cut is by construction what it had written down. The
 * lines are described in journal.h. */
#ifndef VENDGATE_VENDSIM_LEDGER_H
#define VENDGATE_VENDSIM_LEDGER_H

#include "base/macros.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEDGER_APPROVAL_SIZE 65
#define LEDGER_JOURNAL_SIZE 33
#define LEDGER_REASON_SIZE 24
#define LEDGER_APPROVALS_MAX 32 /* the protocol asks for 16 */
#define LEDGER_ENDED_MAX 16
#define LEDGER_ACKED_MAX 64 /* acknowledged events kept to answer `resend` */
#define LEDGER_NONE (-1)

enum ledger_state {
    LEDGER_UNKNOWN = 0,
    LEDGER_TAKEN,
    LEDGER_DISPENSED,
    LEDGER_NOT_DISPENSED,
    LEDGER_INTERRUPTED,
    LEDGER_VOID,
    LEDGER_STATE_COUNT
};

struct ledger_approval {
    char id[LEDGER_APPROVAL_SIZE];
    enum ledger_state state;
    char reason[LEDGER_REASON_SIZE]; /* VOID: the word of the refusal */
    bool on_bus;                     /* the approval was put on the machine's bus */
    int64_t n, session, request, item, price, amount;
    int64_t code; /* NOT_DISPENSED; else LEDGER_NONE */
};

struct ledger_event {
    int64_t epoch, seq;
    bool acked;
    int mid;      /* of the present connection's message; 0: not sent on it. Not remembered. */
    json_t *body; /* as sent, numbers included; owned */
    struct ledger_event *prev, *next;
};

struct ledger {
    char journal[LEDGER_JOURNAL_SIZE];
    int64_t epoch, seq; /* the last number used; seq LEDGER_NONE: none in this epoch */
    int64_t highest_n;
    int64_t session, request; /* open session and its latest choice; LEDGER_NONE */
    bool welcomed;            /* a hello was answered with this journal */
    bool planogram_known;     /* the gateway has acknowledged a planogram of ours */
    struct ledger_approval approvals[LEDGER_APPROVALS_MAX]; /* oldest first */
    size_t approval_count;
    int64_t ended[LEDGER_ENDED_MAX]; /* sessions that must not be opened again, oldest first */
    size_t ended_count;
    struct ledger_event *events; /* rising by (epoch, seq); owned */
    size_t event_count, acked_count;
};

void ledger_init(struct ledger *ledger);
void ledger_done(struct ledger *ledger);

/* Applies one line. -EINVAL: it makes no sense; the ledger may then be half changed. */
MUST_CHECK int ledger_apply(struct ledger *ledger, const json_t *line);

/* The lines that bring an empty ledger to this one's state, as an array; acknowledged events are
 * left out. The caller owns it. */
json_t *ledger_snapshot(const struct ledger *ledger);

/* NULL: not known, or forgotten. */
const struct ledger_approval *ledger_find(const struct ledger *ledger, const char *approval);
/* The approval that was taken and has no result yet; at most one. */
const struct ledger_approval *ledger_unfinished(const struct ledger *ledger);
/* The one with the highest n. */
const struct ledger_approval *ledger_last(const struct ledger *ledger);
bool ledger_session_ended(const struct ledger *ledger, int64_t session);

/* The protocol's words: "taken", "dispensed" ... */
const char *ledger_state_name(enum ledger_state state);

#endif
