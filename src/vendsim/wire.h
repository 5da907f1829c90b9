/* wire.h - one MQTT connection of a simulated machine: libmosquitto over TLS, its socket under the
 * libuv loop.
 *
 * libmosquitto does the protocol (so that a client that we did not write proves the gateway's), the
 * loop tells it when its socket is ready. Every connection has a libmosquitto instance of its own:
 * what an old one still wanted to say dies with it, and the machine's own numbering decides what is
 * said again.
 *
 *   wire_open() -> connected() (subscribed to the commands) -> command()*, acked()* -> closed() or
 * wire_close() */
#ifndef VENDGATE_VENDSIM_WIRE_H
#define VENDGATE_VENDSIM_WIRE_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct wire;

/* All texts are borrowed for as long as the wire lives. */
struct wire_config {
    const char *host; /* checked against the server's certificate */
    const char *ca_file;
    const char *vm_id;
    const char *cert_file, *key_file;
    int port;
    bool v5; /* else 3.1.1 */
};

/* Why a connection ended, where that changes what the machine does next (MQTT 5 only: 3.1.1 does
 * not say). Compare the pointer. */
extern const char WIRE_TAKEN_OVER[];

/* Called from the loop, or while libmosquitto works for it; wire_publish() and wire_close() may be
 * called inside. */
struct wire_hooks {
    void (*connected)(void *arg);
    /* `bytes` is borrowed for the call. */
    void (*command)(void *arg, const char *bytes, size_t size);
    /* PUBACK for the message `mid`; `reason` as in MQTT 5, 0 in 3.1.1. */
    void (*acked)(void *arg, int mid, int reason);
    /* The connection is gone, by itself; `why` is static. wire_open() may follow. Not after
     * wire_close(). */
    void (*closed)(void *arg, const char *why);
};

struct wire *wire_new(struct uv_loop_s *loop, const struct wire_config *config,
                      const struct wire_hooks *hooks, void *arg);
void wire_free(struct wire **wire);

/* Begins to connect; 0 and then connected() or closed(), or a negative errno and neither. */
MUST_CHECK int wire_open(struct wire *wire);

enum wire_leaf { WIRE_EVENTS = 1, WIRE_REPLIES, WIRE_STATUS };

/* Events and replies go with QoS 1, the status with QoS 0. Copies. -ENOTCONN: no connection. After
 * 0 the message may still be lost: acked() tells. */
MUST_CHECK int wire_publish(struct wire *wire, enum wire_leaf leaf, const char *body, int *ret_mid);

enum wire_end {
    WIRE_POLITE = 1, /* DISCONNECT first */
    WIRE_BREAK,      /* as if the cable were pulled: reset, without a word */
};

/* No hook is called afterwards until wire_open(). Nothing when there is no connection. */
void wire_close(struct wire *wire, enum wire_end end);
/* From now on nothing is read or written, and the connection stays open until wire_close(). */
void wire_mute(struct wire *wire);

/* To be called about once a second: keep-alive, and the deadline of 15 s for a connection that does
 * not come up. */
void wire_tick(struct wire *wire);

#endif
