/* reason.h - the stable answers to integrators: reason codes, actions, callback codes. One table,
 * pure. */
#ifndef VENDGATE_TXN_REASON_H
#define VENDGATE_TXN_REASON_H

#include "txn/state.h"

/* The envelope's `code`. REASON_NONE: success, no code. */
enum reason {
    REASON_NONE = 0,
    REASON_BAD_JSON,
    REASON_MISSING_FIELD,
    REASON_BAD_FIELD,
    REASON_BODY_TOO_LARGE,
    REASON_UNAUTHENTICATED,
    REASON_FORBIDDEN,
    REASON_RATE_LIMITED,
    REASON_TOO_MANY_IDS,
    REASON_MACHINE_UNKNOWN,
    REASON_MACHINE_OFFLINE,
    REASON_MACHINE_BUSY,
    REASON_MACHINE_BUSY_SELF,
    REASON_MACHINE_DISABLED,
    REASON_MACHINE_FAULT,
    REASON_MACHINE_NO_ANSWER,
    REASON_MACHINE_RECONCILING,
    REASON_MACHINE_NOT_READY,
    REASON_TXN_UNKNOWN,
    REASON_TXN_REF_REUSED,
    REASON_TXN_MACHINE_MISMATCH,
    REASON_NO_SELECTION,
    REASON_REF_SUPERSEDED,
    REASON_CLOSED_BEFORE_PAID,
    REASON_PAID_CONFLICT,
    REASON_ALREADY_PAID,
    REASON_ALREADY_CLOSED,
    REASON_PRICE_MISMATCH,
    REASON_BAD_AMOUNT,
    REASON_OVER_LIMIT,
    REASON_KEYPAD_OFF,
    REASON_KEY_UNKNOWN,
    REASON_KEY_COUNT,
    REASON_KEYS_NOT_EXPECTED,
    REASON_INTERNAL,
    REASON_STORE_UNAVAILABLE,
    REASON_SHUTTING_DOWN,
    REASON_OUTCOME_UNKNOWN,
    REASON_IDEMPOTENCY_KEY_REUSED, /* the header's value came before with another call */
    REASON_NOT_IN_DOUBT,           /* operators only: there is nothing to decide */
    /* Calls that never reached the business. */
    REASON_NOT_FOUND,
    REASON_METHOD_NOT_ALLOWED,
    REASON_BAD_MEDIA_TYPE,
    REASON_SLOW_CLIENT,
    REASON_BAD_REQUEST,
    REASON_COUNT
};

enum reason_action {
    ACTION_NONE = 0,
    ACTION_RETRY,  /* same call later */
    ACTION_NEW,    /* start again with a new ref */
    ACTION_REFUND, /* give the money back; nothing will be dispensed */
    ACTION_WAIT,   /* an outcome will follow */
    ACTION_FIX,    /* the caller's bug */
};

struct reason_info {
    const char *code;          /* upper-case word */
    const char *message;       /* for people, when nothing more exact is known */
    enum reason_action action; /* default; a step may say otherwise */
    int http_status;           /* 200 for a business refusal */
};

/* Never NULL; REASON_NONE has a NULL code and status 200. */
const struct reason_info *reason_info(enum reason reason);
/* "retry" ...; NULL for ACTION_NONE. */
const char *reason_action_name(enum reason_action action);

/* Codes of /txn/unlock (transaction.md, "Reason codes"). */
enum unlock_code {
    UNLOCK_CUSTOMER = 101,
    UNLOCK_NO_SELECTION = 102,
    UNLOCK_NOT_PAID = 103,
    UNLOCK_WITHDRAWN = 104,
    UNLOCK_SESSION_ENDED = 105,
    UNLOCK_LINK_LOST = 106,
    UNLOCK_DEVICE_RESTARTED = 107,
    UNLOCK_CASH_USED = 109,
    UNLOCK_REQUEST_REFUSED = 110,
    UNLOCK_REQUEST_UNDELIVERED = 111,
    UNLOCK_RELEASED = 112,
    UNLOCK_OUT_OF_SERVICE = 113,
    UNLOCK_UNPAYABLE = 114,
    UNLOCK_SHUTDOWN = 116,
    UNLOCK_UNKNOWN = 199,
};

/* Codes of /txn/vend: the published numbers, then ours. */
enum vend_code {
    VEND_OK = 0, /* rendered as an empty string */
    VEND_WRONG_STATE = 1,
    VEND_OVERTAKEN = 2,
    VEND_DEVICE_RESET = 3,
    VEND_CANCELLED = 4,
    VEND_DISPENSE_FAILED = 5,
    VEND_LAUNDRY = 6,
    VEND_UNCLASSIFIED = 1000,
    VEND_APPROVAL_REFUSED = 201,
    VEND_NEVER_ARRIVED = 202,
    VEND_UNKNOWN_OUTCOME = 203,
    VEND_NO_DROP = 206,
    VEND_MACHINE_LOCKED = 207,
    VEND_APPROVAL_EXPIRED = 209,
};

#endif
