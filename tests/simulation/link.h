/* link.h - machine_link/machine_link.h as the broker sees it, and the wires between it and the
 * devices.
 *
 * A wire is one connection: two queues in which nothing overtakes (TCP), cut at any message,
 * or silent at one end's or both ends' cost. It outlives either end. */
#ifndef VENDGATE_TESTS_SIMULATION_LINK_H
#define VENDGATE_TESTS_SIMULATION_LINK_H

#include "choices.h"
#include "machine_link/machine_link.h"

#include <stdbool.h>
#include <stdint.h>

#define WIRE_ROOM 24
#define WIRE_COMMANDS_MAX 48
#define HANDED_QUEUE_MAX 16
#define LINK_MACHINES_MAX 4

struct device;
struct gateway;
struct timer;

/* An event as a device keeps it until it is acknowledged. */
struct device_event {
    enum machine_event_kind kind;
    int64_t event_epoch, seq;
    int64_t session, request, item, price, code, gap_from, gap_to, keys, scale, max_response_s;
    enum session_end end;
    char approval[APPROVAL_SIZE];
    bool on_bus, garbled;
};

enum wire_kind {
    WIRE_CONNECT = 1, /* up */
    WIRE_SUBSCRIBE,
    WIRE_EVENT,
    WIRE_REPLY,
    WIRE_COMMAND_ACK,
    WIRE_CONNACK, /* down */
    WIRE_COMMAND,
    WIRE_EVENT_ACK,
};

struct wire_message {
    enum wire_kind kind;
    char id[COMMAND_ID_SIZE]; /* COMMAND, COMMAND_ACK, REPLY */
    int64_t ttl_ms, generation;
    union {
        struct machine_command command;
        struct machine_reply reply;
        struct device_event event; /* EVENT; EVENT_ACK: its number */
    } of;
};

struct wire_queue {
    struct wire_message messages[WIRE_ROOM];
    size_t first, count;
};

enum wire_phase {
    WIRE_CONNECTING = 0,
    WIRE_WELCOME, /* CONNECT came, ownership is being taken */
    WIRE_SUBSCRIBING,
    WIRE_HELLO,
    WIRE_ONLINE,
    WIRE_ENDED,
};

enum wire_command_state { WIRE_QUEUED = 1, WIRE_SENT, WIRE_RECEIVED };

struct wire_command {
    struct machine_command command;
    char id[COMMAND_ID_SIZE];
    enum wire_command_state state;
    bool answered;
    int64_t deadline_ms, sent_ms;
};

struct wire {
    uint64_t id;
    struct device *device;
    bool machine_open, gateway_open; /* what each end believes */
    bool silent;                     /* half-open: nothing passes, nobody is told */
    struct wire_queue up, down;
    /* The gateway's end. */
    enum wire_phase phase;
    enum link_down_reason down_reason;
    bool gone_owed, hello_answered;
    int64_t generation, heard_ms, phase_deadline_ms;
    struct wire_command commands[WIRE_COMMANDS_MAX];
    size_t command_count;
    struct timer *watch;
    struct wire *prev, *next;
};

struct link_machine {
    const char *vm_id;
    struct device *device;
    struct wire *live;
    bool handed;
    struct event_ticket ticket;
    struct device_event handed_event;
    struct {
        uint64_t wire;
        struct device_event event;
    } waiting[HANDED_QUEUE_MAX];
    size_t waiting_count;
};

struct machine_link {
    struct gateway *gateway;
    bool open;
    struct machine_link_handlers handlers;
    struct wire *wires;
    struct link_machine machines[LINK_MACHINES_MAX];
    size_t machine_count;
    uint64_t last_wire, last_ticket, last_command;
    struct timer *turn;
};

void link_init(struct machine_link *link, struct gateway *gateway);
void link_add_device(struct machine_link *link, struct device *device);
/* With a process: its handlers are bound; its death cuts the wires; at its funeral nothing of it is
 * left. */
void link_open(struct machine_link *link);
void link_die(struct machine_link *link);
void link_close(struct machine_link *link);
void link_free(struct machine_link *link);
void link_offer(struct machine_link *link, struct choices *choices);

/* The device's end. */
struct wire *wire_connect(struct machine_link *link, struct device *device);
/* False: no room, or it is closed. */
bool wire_say(struct wire *wire, const struct wire_message *message);
/* Lets go of it; `quietly`: the gateway is not told. */
void wire_leave(struct wire *wire, bool quietly);
/* wire.c: the queues and the cuts. */
bool wire_push(struct wire_queue *queue, const struct wire_message *message);
bool wire_pop(struct wire_queue *queue, struct wire_message *ret_message);
void wire_cut(struct wire *wire);
void wires_offer(struct machine_link *link, struct choices *choices);
void wires_sweep(struct machine_link *link);
/* link.c: what comes up, and the gateway's end of a wire. */
void link_receive(struct machine_link *link, struct wire *wire, const struct wire_message *message);
void link_end(struct wire *wire, enum link_down_reason reason);

#endif
