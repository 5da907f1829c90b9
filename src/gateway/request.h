/* request.h - one HTTP request from its head to its answer. Used by src/gateway only.
 *
 *   ARRIVING --(body complete)--> handler --answer--------------------------> ANSWERED -> sent,
 * freed by surface.c |                                           ^
 *                                    +--ticket--> WAITING --answer or deadline---+
 *                                                    +-----client gone--> CANCELLED
 *
 * Exactly one answer. Whoever is asked to answer later gets a ticket, never the request: the
 * request may be gone by then. */
#ifndef VENDGATE_GATEWAY_REQUEST_H
#define VENDGATE_GATEWAY_REQUEST_H

#include "base/buffer.h"
#include "base/json.h"
#include "base/timer.h"
#include "gateway/envelope.h"
#include "gateway/routes.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct gateway;
struct connection;
struct request;
struct ticket;

enum request_phase {
    REQUEST_ARRIVING = 1, /* its body is being read */
    REQUEST_WAITING,      /* suspended until somebody answers */
    REQUEST_ANSWERED,     /* the answer is ready to be sent */
    REQUEST_CANCELLED,    /* the client has gone */
};

/* The answer to be sent. */
struct answer {
    int status;               /* HTTP */
    const char *content_type; /* static */
    const char *allow;        /* static; NULL: no such header */
    bool challenge;           /* WWW-Authenticate */
    bool retry;               /* Retry-After */
    bool replayed;            /* Idempotency-Replayed */
    enum reason reason;       /* what the body says */
    enum reason_action action;
    char *body; /* owned */
    size_t body_size;
};

/* A run was answered: its answer stands in request->answer. Called inside the call that answers it,
 * so it may not free it. */
typedef void request_ran_cb(void *arg);

struct request {
    uint64_t id; /* the key */
    struct gateway *gateway;
    struct connection *connection; /* never goes before the request; NULL: a run */
    const struct route *route;     /* NULL: unknown path, or the head was not judged yet */
    enum request_phase phase;
    bool suspended;  /* in libmicrohttpd */
    bool json_media; /* Content-Type is application/json */
    bool too_large;  /* the body passed the limit; the rest was dropped */
    struct buffer body;
    json_t *json;                /* the body of a POST, the query of a GET of the API */
    int64_t integrator_id;       /* API: who asks; 0: not known yet */
    const char *idempotency_key; /* API: the header's value, "" if it came twice, NULL if not at
                                    all; borrowed from libmicrohttpd */
    request_ran_cb *ran;         /* of a run */
    void *ran_arg;
    int64_t started_ns;          /* monotonic */
    enum reason deadline_reason; /* what it is told when it waited too long */
    struct timer *deadline;      /* made when it waits first */
    struct answer answer;
    UT_hash_handle hh;
};

struct request *request_new(struct gateway *gateway, struct connection *connection);
/* A run: the caller's call under a request of its own that no client's hanging up can end. Takes
 * its body over. Whoever asked for it hands it to its handler and frees it after `ran` was called.
 */
struct request *request_new_run(struct request *caller, request_ran_cb *ran, void *arg);
/* After the answer went out, or the connection broke. Tickets find nothing from then on. */
void request_free(struct request *request);
void request_take_body(struct request *request, const char *bytes, size_t size);
/* The client has hung up; a waiting request ends now. */
void request_cancel(struct request *request);

/* Each answers, once: */
/* With the HTTP status of the envelope's reason. */
void request_answer(struct request *request, const struct envelope *envelope);
void request_answer_status(struct request *request, const struct envelope *envelope, int status);
/* `message` NULL: the reason's own. */
void request_refuse(struct request *request, enum reason reason, const char *message);
/* 405. */
void request_refuse_method(struct request *request);
/* Takes `body` over. `content_type` is static. */
void request_answer_body(struct request *request, int status, const char *content_type, char *body,
                         size_t body_size);
/* As another request of the API was answered; `given` is copied. */
void request_answer_again(struct request *request, const struct answer *given, bool replayed);

/* Fills `ret_struct` from the JSON body. False: it was refused, with the field named. */
MUST_CHECK bool request_read_fields(struct request *request, const struct json_field *fields,
                                    size_t count, void *ret_struct);

/* Suspends the request until the ticket is redeemed and the request answered. Without an answer in
 * time it is refused with `late`. */
struct ticket *request_wait(struct request *request, enum reason late);
/* Exactly once for each ticket, which is gone afterwards. NULL: the request does not wait any more.
 */
struct request *ticket_redeem(struct ticket *ticket);
/* The same request, and the ticket stays out. */
struct request *ticket_look(const struct ticket *ticket);
/* The gateway goes: tickets that are still out redeem to NULL. */
void tickets_orphan(struct gateway *gateway);

#endif
