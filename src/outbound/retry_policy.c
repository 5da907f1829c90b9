#include "outbound/retry_policy.h"

#include "base/random.h"

#define SECOND (INT64_C(1000))
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* A customer waits in front of the machine: nobody will lift a hold before the deadline, so it
 * gives up. */
#define REQUEST_POLICY                                                                          \
    {                                                                                           \
        .connect_ms = 1 * SECOND, .total_ms = 3 * SECOND, .base_ms = 100, .cap_ms = 1 * SECOND, \
        .given_up = CALLBACK_EXPIRED,                                                           \
    }
#define UNLOCK_POLICY                                                                           \
    {                                                                                           \
        .connect_ms = 1 * SECOND, .total_ms = 5 * SECOND, .base_ms = 500, .cap_ms = 5 * MINUTE, \
        .lifetime_ms = 24 * HOUR, .permanent_more = 5, .waits_when_gone = true,                 \
        .given_up = CALLBACK_PARKED,                                                            \
    }
#define VEND_POLICY                                                           \
    {                                                                         \
        .connect_ms = 2 * SECOND, .total_ms = 10 * SECOND, .base_ms = SECOND, \
        .cap_ms = 15 * MINUTE, .lifetime_ms = 72 * HOUR, .permanent_more = 5, \
        .waits_when_gone = true, .alarm = true, .given_up = CALLBACK_PARKED,  \
    }
#define FEED_POLICY                                                               \
    {                                                                             \
        .connect_ms = 3 * SECOND, .total_ms = 15 * SECOND, .base_ms = 5 * SECOND, \
        .cap_ms = 1 * HOUR, .lifetime_ms = 72 * HOUR, .waits_when_gone = true,    \
        .given_up = CALLBACK_PARKED,                                              \
    }

static const struct retry_policy POLICIES[CALLBACK_KIND_COUNT] = {
    [CALLBACK_REQUEST] = REQUEST_POLICY,
    [CALLBACK_VEND] = VEND_POLICY,
    [CALLBACK_UNLOCK] = UNLOCK_POLICY,
    [CALLBACK_FEED_TRANSACTIONS] = FEED_POLICY,
    [CALLBACK_FEED_REFILLS] = FEED_POLICY,
    [CALLBACK_FEED_ALERTS] = FEED_POLICY,
    [CALLBACK_FEED_BUTTON_ACTIONS] = FEED_POLICY,
};

const struct retry_policy *retry_policy_of(enum callback_kind kind)
{
    assert(kind > CALLBACK_KIND_NONE && kind < CALLBACK_KIND_COUNT);
    return &POLICIES[kind];
}

int64_t callback_lifetime_ms(enum callback_kind kind)
{
    return retry_policy_of(kind)->lifetime_ms;
}

/* Full jitter: a crowd of callbacks that failed together does not come back together. */
static int64_t jitter_ms(const struct retry_policy *policy, int attempts)
{
    int64_t ceiling = policy->base_ms;
    for (int n = 1; n < attempts && ceiling < policy->cap_ms; n++)
        ceiling *= 2;
    if (ceiling > policy->cap_ms)
        ceiling = policy->cap_ms;
    return (int64_t)random_below((uint64_t)ceiling + 1);
}

/* A wait that would pass the deadline is no wait: the callback is given up now. */
static struct retry_plan again(const struct retry_policy *policy, const struct retry_facts *facts)
{
    int64_t wait_ms = jitter_ms(policy, facts->attempts);
    int64_t asked_ms = facts->retry_after_ms;
    if (asked_ms > RETRY_AFTER_MAX_MS)
        asked_ms = RETRY_AFTER_MAX_MS;
    if (asked_ms > wait_ms)
        wait_ms = asked_ms;
    if (facts->closed_off_ms > wait_ms)
        wait_ms = facts->closed_off_ms;
    if (wait_ms >= facts->left_ms)
        return (struct retry_plan){.fate = policy->given_up};
    return (struct retry_plan){.fate = CALLBACK_PENDING, .wait_ms = wait_ms};
}

static struct retry_plan gone(const struct retry_policy *policy)
{
    return (struct retry_plan){
        .fate = policy->waits_when_gone ? CALLBACK_PENDING : policy->given_up,
        .hold = true,
    };
}

struct retry_plan retry_decide(const struct retry_facts *facts)
{
    const struct retry_policy *policy = retry_policy_of(facts->kind);
    switch (facts->result) {
    case ATTEMPT_DELIVERED:
        return (struct retry_plan){.fate = CALLBACK_DELIVERED};
    case ATTEMPT_REFUSED:
        return (struct retry_plan){.fate = CALLBACK_REFUSED};
    case ATTEMPT_PERMANENT:
        if (facts->permanents > policy->permanent_more)
            return (struct retry_plan){.fate = policy->given_up};
        return again(policy, facts);
    case ATTEMPT_RETRY:
        return again(policy, facts);
    case ATTEMPT_GONE:
        return gone(policy);
    case ATTEMPT_ABORTED:
        break;
    }
    return (struct retry_plan){.fate = CALLBACK_PENDING};
}
