/* outbound.h - the callbacks we owe to integrators: signed, in lane order, retried by kind, each
 * attempt recorded.
 *
 * Owns the HTTP client, the lanes and their waits. The callback is durable before it comes here:
 * what is handed in was committed by its step; what happens to it goes out through `journal`. Knows
 * nothing of SQL, MQTT or transactions. Loop thread only.
 *
 *   submit -> [lane: one in flight, in order] -> [a place at its endpoint] -> attempt
 *                                                          ^                     |
 *                                                          +-- wait <-- retry ---+
 *                                                                                |
 *                                      handlers.settled() <- journal.record() <--+ */
#ifndef VENDGATE_OUTBOUND_H
#define VENDGATE_OUTBOUND_H

#include "base/macros.h"
#include "base/metrics.h"
#include "outbound/callback_kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define OUTBOUND_ERROR_SIZE 256
#define WEBHOOK_ID_SIZE 40 /* "msg_" and 32 hexadecimal digits; no dot in it */
#define OUTBOUND_KEYS_MAX 4

struct outbound;

/* One callback as it was committed; copied by outbound_submit(). */
struct outbound_callback {
    int64_t callback_id; /* callback.callback_id */
    char webhook_id[WEBHOOK_ID_SIZE];
    int64_t integrator_id; /* whose endpoint */
    int64_t txn_id;        /* 0: none (feeds) */
    int64_t lane;          /* ordering key: the machine session; feeds: 0 = no order */
    int64_t lane_sequence; /* told in the header webhook-lane-sequence */
    enum callback_kind kind;
    const char *body; /* exact bytes; borrowed for the call */
    size_t body_size;
    int64_t expires_ms;    /* unix ms on PostgreSQL's clock; after it no attempt is made */
    int attempts;          /* made already, before a restart */
    int64_t not_before_ms; /* same clock; no attempt before it; 0: at once */
    bool replay;  /* sent again by a person: header webhook-replay, class of feeds, lane 0 */
    bool renames; /* /txn/request with new_txn_ref: never cancelled */
};

struct outbound_attempt {
    int64_t callback_id;
    int number;         /* from 1 */
    int64_t started_ms; /* unix ms on our clock */
    int64_t dns_us, connect_us, tls_us, first_byte_us,
        total_us;    /* since the attempt's start; -1: not reached */
    char remote[64]; /* address it was sent to; empty: never connected */
    int http_status; /* 0: none */
    enum attempt_result result;
    char error[160];   /* transport error or why the answer was not understood; empty if none */
    char answer[4097]; /* first 4 KiB of the answer, control bytes replaced */
    enum callback_fate fate; /* PENDING: it will be tried again */
};

/* What outbound needs from the store. */
struct outbound_journal {
    /* Appends the attempt; a fate other than PENDING also takes the callback out of the queue.
     * Batched and asynchronous: a crash may repeat a callback, never lose it. The struct is copied.
     */
    void (*record)(void *arg, const struct outbound_attempt *attempt);
    /* A fate without an attempt (EXPIRED, IMPLIED, PARKED); a cancelled one is the caller's to
     * write. */
    void (*settle)(void *arg, int64_t callback_id, enum callback_fate fate);
    /* Now on PostgreSQL's clock, unix ms. */
    int64_t (*now_ms)(void *arg);
};

/* Where an integrator wants its callbacks; borrowed until the next turn of the loop. */
struct outbound_endpoint {
    const char *base_url;   /* "https://host[:port][/path]", the kind's path is appended */
    const char *ca_file;    /* PEM, instead of the system's; NULL */
    bool allow_http;        /* plain http:// by explicit permission */
    const char *allow_cidr; /* networks that are reached though they are not public,
                               "10.0.0.0/8,::1/128"; NULL or empty: none */
    const char *client_cert_file, *client_key_file; /* PEM, what we present in TLS; NULL: nothing */
    const char *public_key_pins; /* "sha256//<base64>;..."; NULL or empty: none */
    int64_t rate_per_second;     /* most attempts a second; 0: no limit */
    const char *api_key;         /* X-API-Key that we present; NULL: none */
    const char *user, *password; /* Basic that we present; NULL: none */
    /* "whsec_..." (v1) or "whsk_..." (v1a), newest first; secret NULL ends. */
    struct outbound_key {
        const char *secret;
        int64_t until_ms; /* PostgreSQL's clock, unix ms: it signs until then; 0: no end */
    } signing_keys[OUTBOUND_KEYS_MAX];
    bool v1a_only; /* it verifies v1a: v1 is left out while a v1a key is live */
};

struct outbound_directory {
    /* False: unknown or held; its callbacks wait until outbound_endpoint_changed(), and end as any
     * other when they expire. Asked before each attempt, read only after a change. */
    bool (*endpoint)(void *arg, int64_t integrator_id, struct outbound_endpoint *ret_endpoint);
};

struct outbound_handlers { /* all of them */
    /* Exactly once per submitted callback, from the loop, unless outbound_cancel() or _imply() took
     * it. `message` is the integrator's own reason or NULL; borrowed. */
    void (*settled)(void *arg, const struct outbound_callback *callback, enum callback_fate fate,
                    const char *message);
    /* After a -ENOBUFS for it: less than half of endpoint_waiting_max is waiting again. */
    void (*room)(void *arg, int64_t integrator_id);
    /* It has answered 410: held here until outbound_endpoint_changed(); a person should look. */
    void (*gone)(void *arg, int64_t integrator_id);
};

struct outbound_options {
    int64_t connections_max;          /* in use at once, in all; 1,024 */
    int64_t connections_per_endpoint; /* at once to one integrator, 32 */
    int64_t queue_max;                /* callbacks held in memory, 100,000 */
    int64_t endpoint_waiting_max;     /* of them for one integrator, 1,000 */
    const char *dns_servers; /* "address[:port],..." instead of resolv.conf's; NULL or empty */
    const char *proxy;       /* HTTP proxy for all callbacks, a URL; NULL or empty: none, whatever
                                the environment says */
    const char *user_agent;
};

/* Who is on the other side of it; structs of pointers are copied, `arg` is borrowed and handed to
 * each. */
struct outbound_parts {
    const struct outbound_journal *journal;
    const struct outbound_directory *directory;
    const struct outbound_handlers *handlers;
    void *arg;
};

/* 0, or negative errno with ret_error. `metrics` is borrowed. */
MUST_CHECK int outbound_open(uv_loop_t *loop, const struct outbound_options *options,
                             const struct outbound_parts *parts, struct metrics *metrics,
                             struct outbound **ret_outbound,
                             char ret_error[static OUTBOUND_ERROR_SIZE]);

/* Sent in this turn when its lane is free. Those of one lane come in the order of lane_sequence.
 * -ENOBUFS: the limit of memory or of its endpoint is reached (class 0 has a reserve of its own
 * above the latter); it stays in the database and the caller loads it later, no other of its lane
 * before it. -EEXIST: this callback is here already, or its end is not yet recorded. */
MUST_CHECK int outbound_submit(struct outbound *outbound, const struct outbound_callback *callback);
/* Takes back a callback that has never been attempted and does not rename; settled() is not called.
 * True: it is gone (its queue row was removed in the caller's commit). False: in flight, attempted,
 * renaming or unknown: it goes on. */
bool outbound_cancel(struct outbound *outbound, int64_t callback_id);
/* The integrator has proved that it arrived: ends it as IMPLIED, aborts an attempt in flight,
 * releases the lane. Unknown: nothing happens. */
void outbound_imply(struct outbound *outbound, int64_t callback_id);
/* Its outcome is on disk, or was refused there: nothing is remembered of it any more. After each
 * journal.record() with a fate and each settle(). */
void outbound_recorded(struct outbound *outbound, int64_t callback_id);
/* It is no longer ours (a person skipped it, another process took it): nothing is told or recorded,
 * an attempt under way is aborted. Unknown: nothing happens. */
void outbound_forget(struct outbound *outbound, int64_t callback_id);
void outbound_forget_lane(struct outbound *outbound, int64_t lane);
void outbound_forget_all(struct outbound *outbound);
/* No attempt begins at or after `until_ms` (monotonic): then another process may have taken our
 * lanes. From outbound_open() on there is no such limit. */
void outbound_lease(struct outbound *outbound, int64_t until_ms);
/* An endpoint's data changed, or it is held no more (an answer 410 holds it here): connections made
 * with the old are not used again, waiting callbacks are due now. */
void outbound_endpoint_changed(struct outbound *outbound, int64_t integrator_id);
size_t outbound_pending(const struct outbound *outbound);
/* No new attempts; attempts in flight may end (at most 5 s), then `drained` runs once. */
void outbound_drain(struct outbound *outbound, void (*drained)(void *arg), void *arg);
void outbound_free(struct outbound **outbound);

#endif
