#include "outbound/rate.h"

#include <assert.h>

#define SECOND_NS INT64_C(1000000000)

enum { BUCKETS_PER_SECOND = 10 };

void rate_set(struct rate *rate, int64_t per_second)
{
    assert(per_second >= 0);
    int64_t tokens = per_second / BUCKETS_PER_SECOND;
    rate->interval_ns = per_second > 0 ? SECOND_NS / per_second : 0;
    rate->slack_ns = tokens > 1 ? (tokens - 1) * rate->interval_ns : 0;
}

int64_t rate_wait_ns(const struct rate *rate, int64_t now_ns)
{
    int64_t wait_ns = rate->full_at_ns - rate->slack_ns - now_ns;
    return rate->interval_ns > 0 && wait_ns > 0 ? wait_ns : 0;
}

void rate_use(struct rate *rate, int64_t now_ns)
{
    int64_t from_ns = rate->full_at_ns > now_ns ? rate->full_at_ns : now_ns;
    rate->full_at_ns = from_ns + rate->interval_ns;
}
