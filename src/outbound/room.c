#include "outbound/room.h"

#include <errno.h>
#include <utlist.h>

static int64_t in_memory(const struct outbound *outbound)
{
    return (int64_t)lane_book_count(outbound->lanes);
}

/* One load brings many: half of what bulk may fill is free, or of what it may not. */
static bool roomy(const struct outbound *outbound, const struct target *target)
{
    int64_t most = outbound->options.endpoint_waiting_max;
    bool bulk = target->refused_bulk && target->bulk * 4 < most;
    bool other = target->refused_other && target->count * 4 < most * 3;
    return (bulk || other) && !outbound->full;
}

static void on_room(void *arg)
{
    struct outbound *outbound = arg;
    struct target *target, *next;
    DL_FOREACH_SAFE2(outbound->short_of_room, target, next, room_next)
    {
        if (!roomy(outbound, target))
            continue;
        DL_DELETE2(outbound->short_of_room, target, room_prev, room_next);
        target->short_of_room = target->refused_bulk = target->refused_other = false;
        outbound->handlers.room(outbound->arg, target->integrator_id);
    }
}

void room_open(struct outbound *outbound)
{
    outbound->room_timer = timer_new(outbound->loop, on_room, outbound);
}

void room_close(struct outbound *outbound)
{
    timer_free(&outbound->room_timer);
}

static void refuse(struct outbound *outbound, struct target *target, enum callback_class class)
{
    metric_add(outbound->metrics.left, 1);
    target->refused_bulk |= class == CLASS_BULK;
    target->refused_other |= class != CLASS_BULK;
    if (target->short_of_room)
        return;
    target->short_of_room = true;
    DL_APPEND2(outbound->short_of_room, target, room_prev, room_next);
}

int room_ask(struct outbound *outbound, struct target *target,
             const struct outbound_callback *callback)
{
    bool full = in_memory(outbound) >= outbound->options.queue_max;
    if (!full && admission_room(outbound->options.endpoint_waiting_max, target->count, target->bulk,
                                callback))
        return 0;
    outbound->full |= full;
    refuse(outbound, target, callback_class_of(callback));
    return -ENOBUFS;
}

void room_made(struct outbound *outbound, struct target *target)
{
    if (!outbound->short_of_room)
        return;
    bool was_full = outbound->full;
    if (was_full && in_memory(outbound) * 2 < outbound->options.queue_max)
        outbound->full = false;
    if (was_full != outbound->full || (target->short_of_room && roomy(outbound, target)))
        timer_start(outbound->room_timer, 0);
}
