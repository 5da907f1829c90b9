#include "outbound/room.h"

#include <errno.h>
#include <utlist.h>

static int64_t in_memory(const struct outbound *outbound)
{
    return (int64_t)lane_book_count(outbound->lanes);
}

/* Half empty: then one load brings many. */
static bool roomy(const struct outbound *outbound, const struct target *target)
{
    return target->count * 2 < outbound->options.endpoint_waiting_max && !outbound->full;
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
        target->short_of_room = false;
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

static void refuse(struct outbound *outbound, struct target *target)
{
    metric_add(outbound->metrics.left, 1);
    if (target->short_of_room)
        return;
    target->short_of_room = true;
    DL_APPEND2(outbound->short_of_room, target, room_prev, room_next);
}

int room_ask(struct outbound *outbound, struct target *target, enum callback_class class)
{
    bool full = in_memory(outbound) >= outbound->options.queue_max;
    if (!full && target->count < admission_memory(outbound->options.endpoint_waiting_max, class))
        return 0;
    outbound->full |= full;
    refuse(outbound, target);
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
