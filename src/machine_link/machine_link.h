/* machine_link.h - the MQTT connections that machines hold open to us.
 *
 * Owns every machine's connection: TLS through net/, MQTT 3.1.1 and 5.0, the JSON of the machine
 * protocol, keep-alives, takeover, command queues. Knows nothing of HTTP, SQL or transactions,
 * which reach it as typed commands and leave it as typed events. Loop thread only; no call blocks.
 *
 *   TLS -> CONNECT -> authenticate() -> arrived() ... machine_link_welcome() -> CONNACK ->
 * SUBSCRIBE -> subscribed()
 *   -> HELLO command -> its reply -> machine_link_online() -> events flow: event() ...
 * machine_link_ack() -> PUBACK
 *
 * Events of one machine come one at a time: the next only after the former was acknowledged, in the
 * order of arrival. */
#ifndef VENDGATE_MACHINE_LINK_H
#define VENDGATE_MACHINE_LINK_H

#include "base/metrics.h"
#include "machine_link/message.h"
#include "net/listener.h"

struct machine_link;

enum link_refusal {
    LINK_ALLOWED = 0,
    LINK_BAD_IDENTITY, /* client id empty or not the identity: 3.1.1 CONNACK 2, v5 0x85 */
    LINK_BAD_TOKEN,    /* 4 / 0x86 */
    LINK_NOT_ALLOWED,  /* unknown, disabled, revoked: 5 / 0x87 */
    LINK_UNAVAILABLE,  /* overloaded, store away: 3 / 0x88 */
    LINK_BUSY,         /* flapping or tool connections used up: 3 / 0x9F */
    LINK_DRAINING,     /* 3 / 0x9D or 0x89 */
};

/* Who wants in; texts are borrowed. */
struct link_credentials {
    const char *vm_id;       /* the identity claimed: certificate's, else the MQTT user name */
    const char *fingerprint; /* of the certificate's public key; NULL: none was given */
    const char *token;       /* MQTT password; NULL: none */
    bool tool;               /* client id `<vm_id>:tool` */
};

enum link_down_reason {
    LINK_DOWN_CLOSED = 1, /* DISCONNECT or orderly end */
    LINK_DOWN_RESET,      /* reset, TCP_USER_TIMEOUT, TLS error */
    LINK_DOWN_KEEP_ALIVE,
    LINK_DOWN_NO_PUBACK,   /* a command unacknowledged for command_ack_ms */
    LINK_DOWN_TAKEOVER,    /* a newer connection of the same machine: no "offline" */
    LINK_DOWN_PROTOCOL,    /* the peer broke MQTT or a limit */
    LINK_DOWN_REVOKED,     /* machine_link_cut() */
    LINK_DOWN_NOT_WELCOME, /* never welcomed, never subscribed or hello unanswered in time */
    LINK_DOWN_DRAIN,
};
const char *link_down_reason_name(enum link_down_reason reason);

/* Names one received event until it is acknowledged; plain data, copy freely. Each is acknowledged
 * exactly once, even after its connection is gone: until then no further event of the machine comes
 * up, so that events of two connections are never under way at once. */
struct event_ticket {
    uint64_t connection;
    uint64_t number;
};

struct machine_link_handlers {
    /* From memory, at once. */
    enum link_refusal (*authenticate)(void *arg, const struct link_credentials *credentials);
    /* A machine (never a tool) was authenticated on `connection`. An older connection of it was
     * told goodbye already. Answer with machine_link_welcome() or _refuse(), later or within the
     * call. */
    void (*arrived)(void *arg, const char *vm_id, uint64_t connection, const char *fingerprint);
    /* It has subscribed to its commands: HELLO may be sent. */
    void (*subscribed)(void *arg, const char *vm_id, uint64_t connection);
    /* In order, one at a time per machine. Borrowed for the call. From the tool connection too. */
    void (*event)(void *arg, const char *vm_id, struct event_ticket ticket,
                  const struct machine_event *event);
    /* Only for commands of the live connection that were not answered before. */
    void (*reply)(void *arg, const char *vm_id, const struct machine_reply *reply);
    /* The command's PUBACK came. */
    void (*received)(void *arg, const char *vm_id, const struct machine_command *command);
    /* A command left the queue unsent (ttl) or its link went down before the PUBACK: `sent` tells
     * whether it went out. */
    void (*dropped)(void *arg, const char *vm_id, const struct machine_command *command, bool sent);
    /* QoS 0 status; borrowed. */
    void (*status)(void *arg, const char *vm_id, const json_t *status);
    /* Exactly once for each arrived(). */
    void (*gone)(void *arg, const char *vm_id, uint64_t connection, enum link_down_reason reason);
};

struct machine_link_options {
    struct net_listener_options listener;
    int64_t connect_ms;       /* TLS done to CONNECT, 10 s */
    int64_t welcome_ms;       /* CONNECT to welcome, and subscribe to hello's reply, 10 s each */
    int64_t keep_alive_s;     /* Server Keep Alive for v5, 10..600 */
    int64_t keep_alive_max_s; /* a 3.1.1 client's own is cut to this, 1,200 */
    int64_t probe_after_ms;   /* silence after which machine_link_fresh() is false, 45 s */
    int64_t command_ack_ms;   /* a command without PUBACK this long closes the socket, 15 s */
    int64_t in_flight_max;    /* commands in flight to one machine, 4 */
    int64_t queue_max;        /* commands waiting for one machine, 16 */
    int64_t takeovers_per_minute; /* beyond: alarm, refused for 60 s; 5 */
    int64_t tools_max;            /* tool connections per machine, 4 */
};

/* `handlers` is copied, `arg` borrowed. 0, or negative errno with ret_error. */
MUST_CHECK int machine_link_open(uv_loop_t *loop, const struct machine_link_options *options,
                                 const struct machine_link_handlers *handlers, void *arg,
                                 struct metrics *metrics, struct machine_link **ret_link,
                                 char ret_error[static NET_ERROR_SIZE]);
uint16_t machine_link_port(const struct machine_link *link);

/* Lets the connection in: CONNACK. `generation` stamps its commands. False: the connection is no
 * more. */
bool machine_link_welcome(struct machine_link *link, const char *vm_id, uint64_t connection,
                          int64_t generation);
void machine_link_refuse(struct machine_link *link, const char *vm_id, uint64_t connection,
                         enum link_refusal refusal);
/* Hello was answered and judged: the machine is online; other commands than HELLO may go, events
 * flow. */
void machine_link_online(struct machine_link *link, const char *vm_id);

/* Copies and queues. 0; -ENOTCONN: not connected here, or not online yet (only HELLO may go then);
 * -ENOBUFS: its queue is full. After 0 the command may still be lost: only a reply, received(),
 * dropped() or gone() tells. ret_id (may be NULL) gets the command's id. */
MUST_CHECK int machine_link_send(struct machine_link *link, const char *vm_id,
                                 const struct machine_command *command,
                                 char ret_id[COMMAND_ID_SIZE]);
/* Takes a command that was not sent yet out of the queue (dropped() is not called); harmless
 * otherwise. */
void machine_link_cancel(struct machine_link *link, const char *vm_id, const char *command_id);
/* Something was heard within probe_after_ms. */
bool machine_link_fresh(const struct machine_link *link, const char *vm_id);

enum event_ack {
    EVENT_STORED = 1, /* PUBACK 0 */
    EVENT_UNREADABLE, /* PUBACK, in v5 0x99 */
    EVENT_REFUSED, /* not acknowledged: the connection is closed and the machine sends it again */
};
void machine_link_ack(struct machine_link *link, struct event_ticket ticket, enum event_ack ack);

/* Cuts the live connection(s) of the machine, tools too. */
void machine_link_cut(struct machine_link *link, const char *vm_id, enum link_down_reason reason);
/* Stops accepting and says goodbye to all (v5: DISCONNECT 0x8B). gone() follows for each. */
void machine_link_drain(struct machine_link *link);
size_t machine_link_connections(const struct machine_link *link);
/* No handler runs any more, gone() neither; the memory goes when the loop has closed the streams.
 * Not from within a handler. */
void machine_link_free(struct machine_link **link);

#endif
