/* sender.h - what the parts of the sender share: struct outbound itself.
 *
 *   outbound.c  the interface         dispatch.c  who goes when
 *   outcome.c   what an end means     room.c      who may come into memory
 *
 * Each target's parcels and each lane's order belong to target.h and lane.h. */
#ifndef VENDGATE_OUTBOUND_SENDER_H
#define VENDGATE_OUTBOUND_SENDER_H

#include "outbound/outbound.h"

#include "base/timer.h"
#include "outbound/outbound_metrics.h"
#include "outbound/parcel.h"
#include "outbound/recorded.h"
#include "outbound/target.h"

struct outbound {
    uv_loop_t *loop;
    struct outbound_options options;
    struct outbound_journal journal;
    struct outbound_directory directory;
    struct outbound_handlers handlers;
    void *arg;
    struct outbound_metrics metrics;
    struct http_client *client;
    struct lane_book *lanes;
    struct target *targets;
    struct recorded *recorded;
    struct admission admission;
    struct target_turn *turns[CLASS_COUNT]; /* those who can send but for a common place */
    int64_t lease_ms;                       /* monotonic; INT64_MAX: no limit */
    struct target *short_of_room;           /* room.c's */
    bool full;                              /* somebody was refused for queue_max; room.c's */
    struct timer *room_timer;               /* room.c's */
    void (*drained)(void *arg);             /* not NULL: draining */
    void *drained_arg;
    bool draining;
    struct timer *drain_timer;
};

#endif
