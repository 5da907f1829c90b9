/* connection.h - one asynchronous connection to PostgreSQL in pipeline mode, made again for ever.
 * Internal to store/.
 *
 *   wait -> resolve names (thread pool) -> connect -> settings and schema version -> prepare -> UP
 *     ^                                                                                        |
 *     +------------------------------------ lost, or failed on the way <----------------------+
 *
 * Knows nothing of what the statements mean. Loop thread only; nothing blocks; no handler runs
 * inside a call. */
#ifndef VENDGATE_STORE_CONNECTION_H
#define VENDGATE_STORE_CONNECTION_H

#include "base/macros.h"
#include "base/metrics.h"
#include "store/operation.h"
#include "store/statements.h"

#include <libpq-fe.h>
#include <stdint.h>
#include <uv.h>

struct connection;

struct connection_options {
    const char *name;        /* "steps" ...: in logs and metrics; borrowed for ever */
    const char *conninfo;    /* copied */
    const char *password;    /* copied; NULL: as conninfo says */
    const char *application; /* shown in pg_stat_activity; copied */
    unsigned on;             /* which statements are prepared (ON_STEPS ...) */
    bool durable;            /* false: synchronous_commit = off */
    int64_t statement_timeout_ms;
    int64_t connect_timeout_ms; /* for its host to accept us; six times as long for the rest */
    int64_t silence_ms;         /* an answer that takes longer means that the server is lost */
};

struct connection_handlers {
    void (*up)(void *arg);
    /* Only after up(). Whatever was sent and not answered has an unknown outcome. */
    void (*down)(void *arg);
    /* One for each statement sent, in order; takes the result. */
    void (*result)(void *arg, PGresult *result);
    /* All up to connection_sync() is answered. */
    void (*synced)(void *arg);
    void (*notified)(void *arg, const char *payload);
};

/* -EINVAL and the reason: conninfo can never work. */
MUST_CHECK int connection_open(uv_loop_t *loop, const struct connection_options *options,
                               const struct connection_handlers *handlers, void *arg,
                               struct metrics *metrics, struct connection **ret_connection,
                               char ret_error[static STORE_ERROR_SIZE]);
/* No handler runs any more. */
void connection_free(struct connection **connection);

/* Only while up. A failure shows as down(), later. */
void connection_send(struct connection *connection, enum statement statement,
                     const struct parameters *parameters, const int64_t instance_epoch[2]);
/* Ends what was sent so far as one unit, and sends it off. */
void connection_sync(struct connection *connection);
/* Gives the connection up, as if it were lost; the cause goes to the log. */
void connection_drop(struct connection *connection, const char *cause);

#endif
