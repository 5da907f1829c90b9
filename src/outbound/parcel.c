#include "outbound/parcel.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/memory.h"

#include <stdlib.h>
#include <utlist.h>

struct parcel *parcel_of(struct delivery *delivery)
{
    return CONTAINER_OF(delivery, struct parcel, delivery);
}

struct parcel *parcel_new(struct outbound *outbound, struct target *target,
                          const struct outbound_callback *callback)
{
    struct parcel *parcel = memory_zero(1, sizeof(*parcel));
    parcel->delivery.callback = *callback;
    parcel->delivery.callback.body = memory_bytes(callback->body, callback->body_size);
    parcel->outbound = outbound;
    parcel->target = target;
    parcel->stage = STAGE_BEHIND;
    parcel->class = callback_class_of(callback);
    parcel->submitted_ns = clock_monotonic_ns();
    return parcel;
}

void parcel_free(struct parcel *parcel)
{
    assert(!parcel->attempt);
    timer_free(&parcel->timer);
    free((char *)parcel->delivery.callback.body);
    free(parcel);
}

static int64_t id_of(const struct parcel *parcel)
{
    return parcel->delivery.callback.callback_id;
}

static bool is_unlock(const struct parcel *parcel)
{
    return parcel->delivery.callback.kind == CALLBACK_UNLOCK;
}

static bool goes_before(const struct parcel *one, const struct parcel *other)
{
    if (is_unlock(one) != is_unlock(other))
        return is_unlock(other);
    return id_of(one) < id_of(other);
}

static bool is_nearer_to_first(const struct parcel *first, const struct parcel *last,
                               const struct parcel *parcel)
{
    return id_of(parcel) - id_of(first) < id_of(last) - id_of(parcel) ||
           (is_unlock(first) && !is_unlock(parcel));
}

/* The first one that goes after it; NULL: none. */
static struct parcel *successor(struct parcel *first, const struct parcel *parcel)
{
    struct parcel *last = first->prev; /* utlist: the first's prev is the last */
    if (goes_before(last, parcel))
        return NULL;
    struct parcel *at = first;
    if (is_nearer_to_first(first, last, parcel)) {
        while (goes_before(at, parcel))
            at = at->next;
        return at;
    }
    for (at = last; at != first && goes_before(parcel, at->prev);)
        at = at->prev;
    return at;
}

void parcel_enqueue(struct parcel **queue, struct parcel *parcel)
{
    struct parcel *after = *queue ? successor(*queue, parcel) : NULL;
    if (after)
        DL_PREPEND_ELEM(*queue, after, parcel);
    else
        DL_APPEND(*queue, parcel);
}

void parcel_dequeue(struct parcel **queue, struct parcel *parcel)
{
    DL_DELETE(*queue, parcel);
}
