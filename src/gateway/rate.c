#include "gateway/rate.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/memory.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <stdlib.h>
#include <uthash.h>

#define MS_PER_SECOND 1000 /* a bucket counts thousandths of a call */

struct bucket {
    int64_t integrator_id; /* the key */
    int64_t left;          /* thousandths of a call */
    int64_t filled_ms;     /* monotonic */
    UT_hash_handle hh;
};

struct rate {
    struct bucket *buckets; /* one for each integrator that ever called: few */
};

struct rate *rate_new(void)
{
    return memory_zero(1, sizeof(struct rate));
}

static struct bucket *bucket_of(struct rate *rate, int64_t integrator_id, int64_t per_second)
{
    struct bucket *bucket;
    HASH_FIND(hh, rate->buckets, &integrator_id, sizeof(integrator_id), bucket);
    if (bucket)
        return bucket;
    bucket = memory_zero(1, sizeof(*bucket));
    bucket->integrator_id = integrator_id;
    bucket->left = per_second * MS_PER_SECOND;
    bucket->filled_ms = clock_monotonic_ms();
    HASH_ADD(hh, rate->buckets, integrator_id, sizeof(bucket->integrator_id), bucket);
    return bucket;
}

/* In one millisecond come `per_second` thousandths; never more than a second's worth. */
static void fill(struct bucket *bucket, int64_t per_second)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t passed_ms = now_ms - bucket->filled_ms;
    int64_t full = per_second * MS_PER_SECOND;
    bucket->filled_ms = now_ms;
    if (passed_ms >= MS_PER_SECOND || bucket->left + passed_ms * per_second > full)
        bucket->left = full;
    else
        bucket->left += passed_ms * per_second;
}

bool rate_take(struct rate *rate, int64_t integrator_id, int64_t per_second)
{
    if (per_second <= 0)
        return true;
    struct bucket *bucket = bucket_of(rate, integrator_id, per_second);
    fill(bucket, per_second);
    if (bucket->left < MS_PER_SECOND)
        return false;
    bucket->left -= MS_PER_SECOND;
    return true;
}

void rate_free(struct rate **rate)
{
    struct rate *old = TAKE(*rate);
    if (!old)
        return;
    struct bucket *bucket, *next;
    HASH_ITER (hh, old->buckets, bucket, next) {
        HASH_DEL(old->buckets, bucket);
        free(bucket);
    }
    free(old);
}
