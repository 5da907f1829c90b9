/* device.h - a machine as machine-protocol.md demands it: a durable journal of approvals and
 * events, a session, a customer, and the bus behind it on which goods really fall. */
#ifndef VENDGATE_TESTS_SIMULATION_DEVICE_H
#define VENDGATE_TESTS_SIMULATION_DEVICE_H

#include "choices.h"
#include "link.h"

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_FINGERPRINT "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define DEVICE_EVENT_RAW_SIZE 256
#define DEVICE_APPROVALS_MAX 16
#define DEVICE_EVENTS_MAX 48
#define DEVICE_INBOX_MAX 16
#define DEVICE_ENDED_MAX 32

struct world;

struct device_approval {
    char approval[APPROVAL_SIZE];
    int64_t n;
    enum approval_state state;
    bool on_bus;
    int64_t code;
    char reason[16]; /* VOID */
};

/* What survives a power cut. */
struct device_flash {
    char journal[JOURNAL_SIZE];
    struct device_approval approvals[DEVICE_APPROVALS_MAX]; /* oldest first */
    size_t approval_count;
    int64_t highest_n;
    bool fresh; /* no hello was answered since it was made */
    int64_t event_epoch, next_seq;
    struct device_event events[DEVICE_EVENTS_MAX]; /* unacknowledged, in order */
    size_t event_count;
};

struct device {
    struct world *world;
    int number;
    char vm_id[VM_ID_SIZE];
    bool elsewhere; /* with another process of the gateway */
    bool quiet;     /* an old client that does not ping */
    struct device_flash flash;
    bool powered;
    /* The session. */
    int64_t session;                            /* -1: none */
    int64_t last_request, request, item, price; /* request -1: nothing is chosen */
    int64_t session_until_ms, keys_n;
    bool ends_when_done;             /* told to end while the bus is busy */
    int64_t ended[DEVICE_ENDED_MAX]; /* sessions that are never opened again */
    size_t ended_count;
    /* The bus. */
    char vending[APPROVAL_SIZE]; /* empty: idle */
    bool fallen;
    /* The link. */
    struct wire *wire;                 /* NULL: none */
    bool welcome;                      /* hello was answered on it */
    int64_t generation, connect_at_ms; /* it waits a little before it tries again */
    size_t sent;                       /* of flash.events, on this wire */
    struct wire_message inbox[DEVICE_INBOX_MAX];
    size_t inbox_count;
    int64_t inbox_at_ms[DEVICE_INBOX_MAX];
    bool held; /* a reply that leaves later: events overtake it */
    struct wire_message held_reply;
};

void device_init(struct device *device, struct world *world, int number);
void device_offer(struct device *device, struct choices *choices);
/* From below. */
void device_receive(struct device *device, struct wire *wire, const struct wire_message *message);
void device_disconnected(struct device *device, struct wire *wire);
/* As the broker gets it; `event->json` is the caller's. */
void device_event_write(const struct device_event *event,
                        char ret_raw[static DEVICE_EVENT_RAW_SIZE],
                        struct machine_event *ret_event);

/* device_command.c */
void device_obey(struct device *device, const struct wire_message *message, int64_t arrived_ms);
struct device_approval *device_approval_find(struct device *device, const char *approval);

/* device_bus.c: the customer and the goods. */
void device_bus_offer(struct device *device, struct choices *choices);
void device_bus_power_lost(struct device *device);
void device_bus_booted(struct device *device);

/* device.c */
/* The next number is its; false: the queue is full. */
bool device_say(struct device *device, struct device_event event);
void device_session_end(struct device *device);
bool device_busy(const struct device *device);

#endif
