/* room.h - how many callbacks may be in memory, of one integrator and in all, and who is told when
 * there is room again. */
#ifndef VENDGATE_OUTBOUND_ROOM_H
#define VENDGATE_OUTBOUND_ROOM_H

#include "outbound/sender.h"

/* At the start; frees at the end. */
void room_open(struct outbound *outbound);
void room_close(struct outbound *outbound);
/* 0, or -ENOBUFS: then handlers.room() comes once there is room for this target again. */
MUST_CHECK int room_ask(struct outbound *outbound, struct target *target,
                        const struct outbound_callback *callback);
/* One of the target has left memory. */
void room_made(struct outbound *outbound, struct target *target);

#endif
