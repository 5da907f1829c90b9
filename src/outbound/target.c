#include "outbound/target.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>

struct target *target_of(struct target **targets, int64_t integrator_id)
{
    struct target *target;
    HASH_FIND(hh, *targets, &integrator_id, sizeof(integrator_id), target);
    if (target)
        return target;
    target = memory_zero(1, sizeof(*target));
    target->integrator_id = integrator_id;
    HASH_ADD(hh, *targets, integrator_id, sizeof(integrator_id), target);
    return target;
}

bool target_open(struct target *target, struct resolver *resolver,
                 const struct outbound_endpoint *given)
{
    if (target->gone)
        return false;
    if (!target->endpoint)
        target->endpoint = endpoint_new(resolver, given, target->changed_ms);
    return true;
}

void target_hold(struct target *target)
{
    if (!target->gone)
        log_error("callback_endpoint_gone", LOG_INT("integrator", target->integrator_id));
    target->gone = true;
}

void target_changed(struct target *target)
{
    endpoint_free(&target->endpoint);
    target->changed_ms = clock_monotonic_ms();
    target->gone = false;
}

void targets_free(struct target **targets)
{
    struct target *target, *next;
    HASH_ITER (hh, *targets, target, next) {
        HASH_DEL(*targets, target);
        endpoint_free(&target->endpoint);
        free(target);
    }
}
