/* rate.h - at most so many attempts a second: a token bucket, kept as the one time at which it
 * would be full again. It holds what a tenth of a second lets through, and at least one. Pure: the
 * caller gives the time. */
#ifndef VENDGATE_OUTBOUND_RATE_H
#define VENDGATE_OUTBOUND_RATE_H

#include <stdint.h>

struct rate {
    int64_t interval_ns; /* one token's; 0: no limit */
    int64_t slack_ns;    /* a full bucket's, less one token's */
    int64_t full_at_ns;  /* monotonic */
};

/* 0: no limit. What was used counts on. */
void rate_set(struct rate *rate, int64_t per_second);
/* Until an attempt may begin; 0: now. */
int64_t rate_wait_ns(const struct rate *rate, int64_t now_ns);
void rate_use(struct rate *rate, int64_t now_ns);

#endif
