/* retry_policy.h - how long each kind of callback may take, how often it is tried, and what an
 * attempt's result means for it. One table and one decision; no I/O, no clock. */
#ifndef VENDGATE_OUTBOUND_RETRY_POLICY_H
#define VENDGATE_OUTBOUND_RETRY_POLICY_H

#include "outbound/outbound.h"

#include <stdbool.h>
#include <stdint.h>

#define RETRY_AFTER_MAX_MS (60 * 60 * 1000) /* a longer Retry-After is cut to this */
#define RETRY_NEVER_EXPIRES INT64_MAX

struct retry_policy {
    int64_t connect_ms; /* for name and connection */
    int64_t total_ms;   /* for the whole attempt */
    int64_t base_ms;    /* wait = random(0, min(cap, base * 2^n)) */
    int64_t cap_ms;
    int64_t lifetime_ms;  /* from the commit to giving up; 0: the transaction's payment deadline */
    int permanent_more;   /* further tries after the first permanent answer */
    bool waits_when_gone; /* 410: waits for the operator; false: given up at once */
    bool alarm;           /* to be refused or given up wakes a person */
    enum callback_fate given_up;
};

/* What is known when an attempt has ended. */
struct retry_facts {
    enum callback_kind kind;
    enum attempt_result result;
    int attempts;           /* made so far, this one included */
    int permanents;         /* permanent answers so far, this one included */
    int64_t retry_after_ms; /* what the endpoint asked for; below 0: nothing */
    int64_t closed_off_ms;  /* its endpoint is given nothing before; 0: no such limit */
    int64_t left_ms;        /* until the callback expires; RETRY_NEVER_EXPIRES */
};

struct retry_plan {
    enum callback_fate fate; /* PENDING: again after wait_ms */
    int64_t wait_ms;
    bool hold; /* nothing more to this endpoint until it is changed */
};

const struct retry_policy *retry_policy_of(enum callback_kind kind);

/* ATTEMPT_ABORTED always means again at once: whoever aborted decides otherwise. */
struct retry_plan retry_decide(const struct retry_facts *facts);

#endif
