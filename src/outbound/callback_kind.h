/* callback_kind.h - what kinds of callbacks there are, and how one may end. Names only. */
#ifndef VENDGATE_OUTBOUND_CALLBACK_KIND_H
#define VENDGATE_OUTBOUND_CALLBACK_KIND_H

#include <stdbool.h>
#include <stdint.h>

enum callback_kind {
    CALLBACK_KIND_NONE = 0,
    CALLBACK_REQUEST, /* /txn/request */
    CALLBACK_VEND,    /* /txn/vend */
    CALLBACK_UNLOCK,  /* /txn/unlock */
    CALLBACK_FEED_TRANSACTIONS,
    CALLBACK_FEED_REFILLS,
    CALLBACK_FEED_ALERTS,
    CALLBACK_FEED_BUTTON_ACTIONS,
    CALLBACK_KIND_COUNT
};

/* "/txn/request" ...: the path below the endpoint's base address, and the name in the database. */
const char *callback_kind_path(enum callback_kind kind);
bool callback_kind_parse(const char *path, enum callback_kind *ret_kind);
/* From the commit to giving up; 0: the transaction's payment deadline (/txn/request). */
int64_t callback_lifetime_ms(enum callback_kind kind);

/* How one attempt ended. */
enum attempt_result {
    ATTEMPT_DELIVERED = 1, /* 2xx, success not false */
    ATTEMPT_REFUSED,       /* 2xx, success:false */
    ATTEMPT_RETRY,         /* 408, 425, 429, 5xx, transport error */
    ATTEMPT_PERMANENT,     /* other 4xx, 3xx */
    ATTEMPT_GONE,          /* 410 */
    ATTEMPT_ABORTED,       /* taken back while in flight */
};
/* "delivered" ...: the name in the database. */
const char *attempt_result_name(enum attempt_result result);

/* What becomes of the callback for good. */
enum callback_fate {
    CALLBACK_PENDING = 0,
    CALLBACK_DELIVERED,
    CALLBACK_REFUSED,   /* request: the transaction closes (110); vend: parked with an alarm; feed:
                           logged */
    CALLBACK_EXPIRED,   /* request: undeliverable in time (111) */
    CALLBACK_PARKED,    /* kept until an operator acts; never dropped */
    CALLBACK_CANCELLED, /* superseded before it was sent */
    CALLBACK_IMPLIED,   /* /api/paid proved that it arrived */
    CALLBACK_SKIPPED,   /* a person has taken it out; never decided here */
};
const char *callback_fate_name(enum callback_fate fate);

#endif
