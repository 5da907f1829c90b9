#include "outbound/callback_kind.h"

#include "base/macros.h"

#include <string.h>

static const char *const PATHS[CALLBACK_KIND_COUNT] = {
    [CALLBACK_REQUEST] = "/txn/request",
    [CALLBACK_VEND] = "/txn/vend",
    [CALLBACK_UNLOCK] = "/txn/unlock",
    [CALLBACK_FEED_TRANSACTIONS] = "/feed/transactions",
    [CALLBACK_FEED_REFILLS] = "/feed/refills",
    [CALLBACK_FEED_ALERTS] = "/feed/alerts",
    [CALLBACK_FEED_BUTTON_ACTIONS] = "/feed/button_actions",
};

static const char *const FATES[] = {
    [CALLBACK_PENDING] = "pending", [CALLBACK_DELIVERED] = "delivered",
    [CALLBACK_REFUSED] = "refused", [CALLBACK_EXPIRED] = "expired",
    [CALLBACK_PARKED] = "parked",   [CALLBACK_CANCELLED] = "cancelled",
    [CALLBACK_IMPLIED] = "implied", [CALLBACK_SKIPPED] = "skipped",
};
static_assert(ARRAY_SIZE(FATES) == CALLBACK_SKIPPED + 1, "a name for every fate");

const char *callback_kind_path(enum callback_kind kind)
{
    assert(kind > CALLBACK_KIND_NONE && kind < CALLBACK_KIND_COUNT);
    return PATHS[kind];
}

bool callback_kind_parse(const char *path, enum callback_kind *ret_kind)
{
    for (int kind = CALLBACK_KIND_NONE + 1; kind < CALLBACK_KIND_COUNT; kind++) {
        if (strcmp(PATHS[kind], path) == 0) {
            *ret_kind = (enum callback_kind)kind;
            return true;
        }
    }
    return false;
}

const char *callback_fate_name(enum callback_fate fate)
{
    assert((size_t)fate < ARRAY_SIZE(FATES));
    return FATES[fate];
}

static const char *const RESULTS[] = {
    [ATTEMPT_DELIVERED] = "delivered", [ATTEMPT_REFUSED] = "refused", [ATTEMPT_RETRY] = "retry",
    [ATTEMPT_PERMANENT] = "permanent", [ATTEMPT_GONE] = "gone",       [ATTEMPT_ABORTED] = "aborted",
};
static_assert(ARRAY_SIZE(RESULTS) == ATTEMPT_ABORTED + 1, "a name for every result");

const char *attempt_result_name(enum attempt_result result)
{
    assert(result >= ATTEMPT_DELIVERED && result <= ATTEMPT_ABORTED);
    return RESULTS[result];
}
