/* judge.h - the guards of the step table: turns figures and facts into the event that the table
 * knows. Pure. */
#ifndef VENDGATE_TXN_JUDGE_H
#define VENDGATE_TXN_JUDGE_H

#include "txn/reason.h"
#include "txn/record.h"

#include <stdbool.h>
#include <stdint.h>

/* The largest amount that one MDB vend can carry, in units of the machine's scale: FFFF means
 * unknown. */
#define MDB_AMOUNT_MAX 0xFFFE

/* What bounds an amount. */
struct txn_limits {
    int64_t scale;      /* the machine's scale factor, at least 1: amounts are multiples of it */
    int64_t amount_max; /* smallest unit; 0: only MDB's own limit */
};

/* Whether a price can be asked of a customer: >= 0, a multiple of the scale, within MDB and the
 * limit. */
bool txn_price_payable(int64_t price, const struct txn_limits *limits);

/* A selection as the machine told it. */
struct txn_selection {
    int64_t session, request, item, price;
    bool renaming_possible; /* the integrator allows renames and the earlier one is confirmed */
};
/* TXN_EVENT_NONE: not of this session. */
enum txn_event txn_judge_selection(const struct txn_record *txn,
                                   const struct txn_selection *selection,
                                   const struct txn_limits *limits);

struct txn_payment {
    int64_t price, discount, surcharge; /* as called */
    int64_t now_ms;                     /* PostgreSQL's clock */
    bool link_up;                       /* online, reconciled and heard of lately */
    bool link_known; /* connected, but not yet reconciled: RECONCILING instead of OFFLINE */
};
struct txn_payment_verdict {
    enum txn_event event;
    enum reason reason; /* REASON_NONE: accepted (now or before) */
    enum reason_action action;
    int code;       /* of /txn/unlock when the event is TXN_PAID_NEVER */
    int64_t amount; /* price + surcharge - discount; TXN_PAID_ACCEPTABLE only */
};
void txn_judge_payment(const struct txn_record *txn, const struct txn_payment *payment,
                       const struct txn_limits *limits, struct txn_payment_verdict *ret_verdict);

/* What an integrator's unlock is answered, besides what it does: REASON_NONE is success. */
enum reason txn_judge_unlock(const struct txn_record *txn);

/* What the device's journal says of an approval; the machine link's words. */
enum txn_approval_word {
    TXN_WORD_NONE = 0,
    TXN_WORD_TAKEN,
    TXN_WORD_DISPENSED,
    TXN_WORD_NOT_DISPENSED,
    TXN_WORD_INTERRUPTED,
    TXN_WORD_VOID, /* refused, or known as void */
    TXN_WORD_NEVER_SEEN,
    TXN_WORD_FORGOTTEN,
    TXN_WORD_WRONG_JOURNAL,
};
struct txn_evidence {
    enum txn_approval_word word;
    const char *journal; /* as told with it; NULL or empty: not told, counts as another one */
    bool on_bus;         /* INTERRUPTED */
};
/* TXN_EVENT_NONE: says nothing. */
enum txn_event txn_judge_evidence(const struct txn_record *txn,
                                  const struct txn_evidence *evidence);

/* The event of the operator's policy: "refund", "capture", "hold"; anything else is refund. */
enum txn_event txn_judge_policy(const char *policy);

/* The published number for one of ours, for integrators with strict_codes. */
int txn_strict_vend_code(int code);

/* Deadlines that fire in each state. TXN_EVENT_NONE: none. */
enum txn_event txn_timer_event(enum txn_timer timer);

#endif
