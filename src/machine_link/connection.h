/* connection.h - one MQTT connection: its phases, deadlines and bytes; for the files of this folder
 * only.
 *
 *   CONNECT -> WELCOME -> SUBSCRIBE -> HELLO -> ONLINE      a machine
 *           -> TOOL                                         a person's tool beside it
 *   any     -> CLOSING                                      goodbye said, waiting for the stream's
 * end
 *
 * Freed when its stream is closed, never earlier: within a call from the loop a connection can at
 * most become CLOSING. */
#ifndef VENDGATE_MACHINE_LINK_CONNECTION_H
#define VENDGATE_MACHINE_LINK_CONNECTION_H

#include "base/buffer.h"
#include "machine_link/link.h"
#include "machine_link/window.h"

#define PACKET_SIZE_MAX 16384
/* The first packet, before anybody is authenticated. */
#define CONNECT_SIZE_MAX_3_1_1 512
#define CONNECT_SIZE_MAX_5 1024

enum link_phase {
    PHASE_CONNECT = 1, /* nothing received yet */
    PHASE_WELCOME, /* authenticated; our owner decides whether it comes in. Nothing more is read. */
    PHASE_SUBSCRIBE, /* let in, commands not subscribed yet */
    PHASE_HELLO,     /* subscribed; hello not judged yet */
    PHASE_ONLINE,
    PHASE_TOOL,
    PHASE_CLOSING,
    PHASE_COUNT
};
extern const char *const LINK_PHASE_NAMES[PHASE_COUNT];

struct connection {
    struct machine_link *link;
    struct net_stream *stream;
    struct machine *machine; /* NULL before it is authenticated */
    uint64_t id;
    UT_hash_handle by_id;
    struct connection *prev, *next;           /* in link->ended */
    struct connection *tool_prev, *tool_next; /* in machine->tools */

    enum link_phase phase;
    bool tool;
    uint8_t level; /* of MQTT; 0 before CONNECT */
    enum link_down_reason down;
    bool gone_owed, ended_listed;

    int64_t generation;
    int64_t keep_alive_s;
    int64_t heard_ms;          /* when bytes came last */
    int64_t phase_deadline_ms; /* 0: none */
    struct timer *timer;
    int64_t timer_due_ms; /* 0: does not run */

    struct buffer input;       /* received, not worked off: a part of a packet, or what must wait */
    int64_t tokens, tokens_ms; /* rate of packets; see connection.c */
    int64_t paused_until_ms;   /* 0: reading */
    int64_t pauses;
    bool stream_paused;
    struct window window;

    bool subscribed, subscribed_as_me, hello_answered;
    bool session_expiry; /* the client asked for a session that outlives the connection */
    uint8_t granted_qos;
    uint16_t last_packet_id;
    uint16_t receive_max;     /* the client's */
    uint32_t packet_max;      /* the client's */
    struct command *commands; /* all that are not done, in order */
};

/* For the listener. */
void *connection_opened(void *link, struct net_stream *stream);
void connection_data(void *connection, const uint8_t *bytes, size_t size);
void connection_closed(void *connection, enum net_close_reason reason);

/* The one function that changes the phase. `deadline_ms` from now bounds the new one; 0: none. */
void connection_move(struct connection *connection, enum link_phase phase, int64_t deadline_ms);
void connection_write(struct connection *connection, const struct mqtt_out *out);
/* Says goodbye (5.0: DISCONNECT with `reason`, unless it is MQTT_SUCCESS or CONNACK was not sent
 * yet), takes the connection from its machine and closes it. gone() follows from the loop. Harmless
 * when it is closing already. */
void connection_end(struct connection *connection, enum link_down_reason down,
                    enum mqtt_reason reason);
/* The peer broke MQTT or a limit. */
void connection_break(struct connection *connection, enum mqtt_reason reason);
/* Answers a packet of the window and writes what has become due. In 3.1.1 every answer is success.
 */
void connection_answer(struct connection *connection, uint16_t packet_id, enum mqtt_reason reason);
/* Some deadline may have come nearer. */
void connection_schedule(struct connection *connection);
/* Works off input that had to wait. Only from the loop. */
void connection_resume(struct connection *connection);
/* dropped() and gone(), as far as they are owed. Only from the loop. */
void connection_report(struct connection *connection);

/* The link is being freed: nothing is told any more, the stream's end only frees. */
void connection_silence(struct connection *connection);

/* Handlers of received packets. */
void connect_received(struct connection *connection, const struct mqtt_frame *frame);
void publish_received(struct connection *connection, const struct mqtt_frame *frame);
void pubrel_received(struct connection *connection, const struct mqtt_frame *frame);
void subscribe_received(struct connection *connection, const struct mqtt_frame *frame);
void unsubscribe_received(struct connection *connection, const struct mqtt_frame *frame);

/* CONNACK that lets it in. */
void connect_accept(struct connection *connection);
/* CONNACK that refuses, then the end. */
void connect_refuse(struct connection *connection, enum link_refusal refusal);

#endif
