/* listener.h - accepts connections (TLS, plain TCP or UNIX socket) and turns each into a byte
 * stream.
 *
 * Owns the sockets, handshakes and write queues. One policy for machines and integrators: accepts
 * paced per loop turn, handshakes bounded in number and time, limits in all and per address. Knows
 * nothing of HTTP or MQTT. OpenSSL works on the socket itself (own BIO, no memory BIO); read
 * buffers are shared by the loop. Loop thread only. */
#ifndef VENDGATE_NET_LISTENER_H
#define VENDGATE_NET_LISTENER_H

#include "base/macros.h"
#include "base/metrics.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct net_listener;
struct net_stream;

/* Who is at the other end; lives as long as the stream. */
struct net_peer {
    struct sockaddr_storage address;
    socklen_t address_size;
    char address_text[64]; /* numeric, without the port; "unix" for a UNIX socket */
    bool tls, resumed;
    char tls_version[16];           /* "TLSv1.3"; empty without TLS */
    bool certificate;               /* a client certificate was given and verified against the CA */
    char fingerprint[65];           /* SHA-256 of its SubjectPublicKeyInfo, lower-case hex */
    char urn[128];                  /* first SAN URI, or empty */
    char common_name[65];           /* CN, or empty */
    int64_t certificate_expires_at; /* unix seconds */
    uid_t uid;                      /* UNIX socket: the peer's user (SO_PEERCRED); else (uid_t)-1 */
    gid_t gid;
};

enum net_close_reason {
    NET_CLOSED_BY_PEER = 1, /* orderly end */
    NET_CLOSED_BY_US,       /* net_stream_close() or _abort() */
    NET_CLOSED_RESET,       /* connection reset, TLS error, TCP_USER_TIMEOUT */
    NET_CLOSED_OVERFLOW,    /* the peer does not read: its write queue was full */
    NET_CLOSED_SHUTDOWN,    /* the listener was closed */
};

struct net_handlers {
    /* The handshake is done. The result is `user` in the other two; NULL refuses: the stream is
     * closed and `closed` is not called. */
    void *(*opened)(void *arg, struct net_stream *stream);
    /* `bytes` are borrowed for the call. May close, pause or write the stream. */
    void (*data)(void *user, const uint8_t *bytes, size_t size);
    /* Exactly once, from the loop; the stream is gone when it returns. */
    void (*closed)(void *user, enum net_close_reason reason);
    /* Optional: the write queue ran empty after it was not. */
    void (*drained)(void *user);
};

struct net_listener_options {
    const char *name;    /* label in metrics and logs: "machines", "api", "private", "admin" */
    const char *address; /* "0.0.0.0", "::", or "unix:/path" (then mode 0660, an old socket file is
                            replaced) */
    uint16_t port;       /* 0: the kernel chooses; see net_listener_port() */
    int fd;              /* an inherited listening socket instead, or -1 */
    struct net_tls *tls; /* borrowed; NULL: plain */
    int64_t connections_max; /* in all; further ones are closed at once */
    /* An IPv6 client owns a /64, so those count as one address. Ignored for UNIX sockets. */
    int64_t connections_per_address_max;
    int64_t handshakes_max;  /* under way at once; further accepts wait in the kernel's backlog */
    int64_t handshake_ms;    /* wall-clock bound on the handshake */
    int64_t write_queue_max; /* bytes per stream */
    int64_t user_timeout_ms; /* TCP_USER_TIMEOUT; 0: the system's */
};

/* Starts accepting. 0, or a negative errno with the reason in ret_error. `handlers` is copied;
 * `arg` and `metrics` are borrowed until the last stream has closed. */
MUST_CHECK int net_listener_open(uv_loop_t *loop, const struct net_listener_options *options,
                                 const struct net_handlers *handlers, void *arg,
                                 struct metrics *metrics, struct net_listener **ret_listener,
                                 char ret_error[static NET_ERROR_SIZE]);
uint16_t net_listener_port(const struct net_listener *listener);
size_t net_listener_connections(const struct net_listener *listener);
/* Stops accepting; live streams go on. */
void net_listener_stop(struct net_listener *listener);
/* Closes everything (each stream's `closed` runs with NET_CLOSED_SHUTDOWN from the loop), then
 * frees itself at the loop's edge. */
void net_listener_free(struct net_listener **listener);

const struct net_peer *net_stream_peer(const struct net_stream *stream);
/* Copies, then writes as much as the socket takes in this turn's flush. -ENOBUFS: queue full (the
 * stream will be closed with NET_CLOSED_OVERFLOW); -ENOTCONN: already closing. */
MUST_CHECK int net_stream_write(struct net_stream *stream, const void *bytes, size_t size);
size_t net_stream_queued(const struct net_stream *stream);
/* Back-pressure: while paused nothing is read (a hang-up may go unnoticed). */
void net_stream_pause(struct net_stream *stream);
void net_stream_resume(struct net_stream *stream);
/* Sends what is queued (at most 5 s), then close_notify and FIN. `closed` follows from the loop
 * when FIN is out; the socket then lingers at most 2 s, so that no reset takes the last bytes from
 * the peer. */
void net_stream_close(struct net_stream *stream);
/* Drops what is queued and closes now. `closed` follows from the loop. */
void net_stream_abort(struct net_stream *stream);

#endif
