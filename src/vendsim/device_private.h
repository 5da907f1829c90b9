/* device_private.h - shared by device.c (what the device does) and device_command.c (what it is
 * told). */
#ifndef VENDGATE_VENDSIM_DEVICE_PRIVATE_H
#define VENDGATE_VENDSIM_DEVICE_PRIVATE_H

#include "vendsim/device.h"

#define DEVICE_REPLIES_MAX 16

struct device {
    struct journal *journal; /* borrowed */
    const char *lock_refusal;

    /* RAM: gone after device_boot(). */
    int64_t generation;
    bool choosing; /* the session's latest request waits for approval */
    int64_t item, price;
    char label[32];
    int64_t keys_n; /* of the last `keys` accepted in this session */
    json_t *keys;
    bool end_when_done; /* unlock came while the motor runs */
    json_t *replies[DEVICE_REPLIES_MAX];
    size_t reply_next;
};

/* Numbers and keeps an event that is part of a promise, however many are waiting; takes `body`. */
void device_tell(struct device *device, json_t *body);
/* Ends the open session without an event; nothing when none is open. */
void device_session_over(struct device *device);
/* The same, but waits for the result of an approval that was taken. True: it is over now. */
bool device_session_over_when_done(struct device *device);
/* A new journal id and the event epoch `epoch`; what is not acknowledged gets new numbers from 0
 * on. */
void device_renew(struct device *device, int64_t epoch);
void device_info(struct device *device, bool reset);

#endif
