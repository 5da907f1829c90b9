#include "store/connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"
#include "store/backoff.h"
#include "store/conninfo.h"
#include "store/migrations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCEPTED_PATIENCE 6 /* times connect_timeout_ms, once the server's host has accepted us */
#define COMPLAIN_MS 10000   /* an outage is logged when it begins, and then this often */
#define LOCK_TIMEOUT_MS 5000

static const struct metric_def METRICS[] = {
    {.name = "vendgate_store_connected",
     .kind = METRIC_GAUGE,
     .help = "1 while the connection to PostgreSQL is usable.",
     .labels = {"connection"}},
    {.name = "vendgate_store_connection_losses_total",
     .kind = METRIC_COUNTER,
     .help = "Connections lost or never made.",
     .labels = {"connection"}},
};
enum { METRIC_CONNECTED, METRIC_LOSSES };

enum phase {
    WAITING = 1, /* for the next attempt */
    RESOLVING,   /* a host name, on the thread pool */
    CONNECTING,
    CHECKING, /* settings and schema version */
    PREPARING,
    UP,
};

struct resolution {
    uv_getaddrinfo_t request;
    struct connection *connection; /* NULL: nobody waits any more */
};

struct connection {
    uv_loop_t *loop;
    struct connection_options options; /* texts in it are gone but for name */
    struct connection_handlers handlers;
    void *arg;
    struct conninfo *conninfo;
    enum phase phase;
    PGconn *pg;
    uv_poll_t *poll;
    struct resolution *resolution;
    size_t host;         /* that is being resolved */
    bool accepted;       /* CONNECTING: the server's host has */
    struct timer *timer; /* the wait or deadline of the phase */
    size_t awaited;      /* results and sync points to come */
    const char *doomed;  /* why it is given up at the timer's next turn; NULL: it is not */
    bool refused;        /* a result of this phase was an error */
    struct backoff backoff;
    int64_t complain_ms; /* monotonic; a failure before it is not worth a line of the log */
    struct metric_cell *connected, *losses;
};

static void attempt(struct connection *connection);
static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_gone(uv_handle_t *handle)
{
    free(handle);
}

static void poll_stop(struct connection *connection)
{
    uv_poll_t *poll = TAKE(connection->poll);
    if (!poll)
        return;
    poll->data = NULL;
    uv_close((uv_handle_t *)poll, poll_gone);
}

/* False: the descriptor cannot be watched. */
static bool poll_start(struct connection *connection, int events)
{
    if (PQsocket(connection->pg) < 0)
        return false;
    if (!connection->poll) {
        connection->poll = memory_zero(1, sizeof(uv_poll_t));
        int result = uv_poll_init(connection->loop, connection->poll, PQsocket(connection->pg));
        if (result < 0) {
            free(TAKE(connection->poll));
            return false;
        }
        connection->poll->data = connection;
    }
    return uv_poll_start(connection->poll, events, on_poll) == 0;
}

/* Down to WAITING; nothing of the old connection is left. */
static void tear_down(struct connection *connection)
{
    poll_stop(connection); /* before libpq closes the descriptor */
    PQfinish(TAKE(connection->pg));
    connection->awaited = 0;
    connection->doomed = NULL;
    connection->phase = WAITING;
    metric_set(connection->connected, 0);
}

static void complain(struct connection *connection, const char *cause)
{
    int64_t now = clock_monotonic_ms();
    if (connection->phase != UP && now < connection->complain_ms)
        return;
    connection->complain_ms = now + COMPLAIN_MS;
    log_warning("store_connection_lost", LOG_TEXT("connection", connection->options.name),
                LOG_TEXT("error", cause),
                LOG_TEXT("postgresql", connection->pg ? PQerrorMessage(connection->pg) : NULL));
}

/* Only from the loop: calls down(). */
static void fail(struct connection *connection, const char *cause)
{
    bool was_up = connection->phase == UP;
    complain(connection, cause);
    tear_down(connection);
    metric_add(connection->losses, 1);
    timer_start(connection->timer, backoff_down(&connection->backoff));
    if (was_up)
        connection->handlers.down(connection->arg);
}

/* From anywhere: fail() follows from the loop. The first cause counts. */
static void doom(struct connection *connection, const char *cause)
{
    if (connection->doomed)
        return;
    connection->doomed = cause;
    poll_stop(connection);
    timer_start(connection->timer, 0);
}

static void awaited_add(struct connection *connection)
{
    if (connection->awaited++ == 0 && connection->phase == UP)
        timer_start(connection->timer, connection->options.silence_ms);
}

static void flush(struct connection *connection)
{
    if (connection->doomed)
        return;
    int left = PQflush(connection->pg);
    if (left < 0 || !poll_start(connection, left ? UV_READABLE | UV_WRITABLE : UV_READABLE))
        doom(connection, "sending failed");
}

static void notices(void *arg, const char *message)
{
    const struct connection *connection = arg;
    log_notice("store_notice", LOG_TEXT("connection", connection->options.name),
               LOG_TEXT("message", message));
}

/* --- Settings --- */

/* A lock is never waited for longer than a statement may take, and a transaction that we left open
 * does not stay. Planning one of the wide statements costs more than running it, so it is done
 * once. That plan must also hold when a queue that was empty then has grown long: rows are looked
 * up by their keys, never by reading a table. */
static bool send_settings(struct connection *connection)
{
    char statement_timeout[24], lock_timeout[24], idle_timeout[24];
    snprintf(statement_timeout, sizeof(statement_timeout), "%" PRId64,
             connection->options.statement_timeout_ms);
    snprintf(lock_timeout, sizeof(lock_timeout), "%d", LOCK_TIMEOUT_MS);
    snprintf(idle_timeout, sizeof(idle_timeout), "%" PRId64, connection->options.silence_ms);
    const char *const values[] = {statement_timeout, lock_timeout, idle_timeout,
                                  connection->options.durable ? "on" : "off"};
    static const char SETTINGS[] =
        "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"
        " set_config('idle_in_transaction_session_timeout', $3, false),"
        " set_config('synchronous_commit', CASE WHEN $4 = 'on' AND "
        "current_setting('synchronous_commit') <> 'off'"
        "     THEN current_setting('synchronous_commit') ELSE $4 END, false),"
        " set_config('default_transaction_isolation', 'read committed', false),"
        " set_config('plan_cache_mode', 'force_generic_plan', false),"
        " set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),"
        " set_config('client_min_messages', 'warning', false), set_config('timezone', 'UTC', "
        "false)";
    static const char SCHEMA[] =
        "SELECT coalesce(max(version), 0), pg_is_in_recovery() FROM schema_migration";
    connection->awaited = 3;
    return PQsendQueryParams(connection->pg, SETTINGS, 4, NULL, values, NULL, NULL, 0) &&
           PQsendQueryParams(connection->pg, SCHEMA, 0, NULL, NULL, NULL, NULL, 0) &&
           PQpipelineSync(connection->pg);
}

static void begin_checking(struct connection *connection)
{
    connection->phase = CHECKING;
    connection->refused = false;
    poll_stop(connection); /* its events were those of connecting */
    if (PQsetnonblocking(connection->pg, 1) || !PQenterPipelineMode(connection->pg) ||
        !send_settings(connection)) {
        doom(connection, "pipeline mode failed");
        return;
    }
    flush(connection);
}

static void check_schema(struct connection *connection, const PGresult *result)
{
    int64_t version = row_integer(result, 0, 0);
    if (row_bool(result, 0, 1))
        doom(connection, "the server is a standby");
    else if (version < store_schema_version())
        doom(connection, "the schema is older than this program: run vendctl migrate");
    else if (version > store_schema_version())
        doom(connection, "the schema is newer than this program");
}

/* --- Preparing --- */

static bool prepare_one(struct connection *connection, const struct statement_info *info)
{
    Oid types[PARAMETERS_MAX];
    size_t count = strlen(info->types);
    assert(count <= PARAMETERS_MAX);
    for (size_t i = 0; i < count; i++)
        types[i] = statement_type_oid(info->types[i]);
    connection->awaited++;
    return PQsendPrepare(connection->pg, info->name, info->sql, (int)count, types);
}

static void begin_preparing(struct connection *connection)
{
    connection->phase = PREPARING;
    connection->awaited = 1;
    bool sent = true;
    for (enum statement s = STATEMENT_NONE + 1; s < STATEMENT_COUNT && sent; s++)
        if (statement_info(s)->on & connection->options.on)
            sent = prepare_one(connection, statement_info(s));
    if (!sent || !PQpipelineSync(connection->pg)) {
        doom(connection, "preparing failed");
        return;
    }
    flush(connection);
}

static void become_up(struct connection *connection)
{
    connection->phase = UP;
    backoff_up(&connection->backoff);
    timer_stop(connection->timer);
    metric_set(connection->connected, 1);
    connection->handlers.up(connection->arg);
}

/* --- Answers --- */

static void early_result(struct connection *connection, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR && !connection->refused) {
        connection->refused = true; /* those behind it are only aborted */
        log_error("store_setup_failed", LOG_TEXT("connection", connection->options.name),
                  LOG_TEXT("error", PQresultErrorMessage(result)));
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        doom(connection, state && !strcmp(state, "42P01")
                             ? "the database has no schema: run vendctl migrate"
                             : "setup failed");
    } else if (connection->phase == CHECKING && status == PGRES_TUPLES_OK &&
               PQnfields(result) == 2) {
        check_schema(connection, result);
    }
}

static void early_sync(struct connection *connection)
{
    if (connection->phase == CHECKING)
        begin_preparing(connection);
    else
        become_up(connection);
}

static void take_result(struct connection *connection, PGresult *result)
{
    bool sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    bool up = connection->phase == UP;
    connection->awaited--;
    if (connection->awaited == 0 && up)
        timer_stop(connection->timer);
    if (up && !sync) {
        connection->handlers.result(connection->arg, result);
        return;
    }
    if (!sync)
        early_result(connection, result);
    PQclear(result);
    if (connection->doomed || !sync)
        return;
    if (up)
        connection->handlers.synced(connection->arg);
    else
        early_sync(connection);
}

/* libpq puts a NULL behind each statement's result, but not behind a sync point. When the
 * connection breaks it makes up a result that answers nothing. */
static void take_results(struct connection *connection)
{
    int nulls = 0;
    while (!connection->doomed && connection->awaited && nulls < 2 && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);
        nulls = result ? 0 : nulls + 1;
        if (PQstatus(connection->pg) != CONNECTION_OK)
            PQclear(result);
        else if (result)
            take_result(connection, result);
    }
}

static void take_notifications(struct connection *connection)
{
    PGnotify *news;
    while (!connection->doomed && (news = PQnotifies(connection->pg))) {
        connection->handlers.notified(connection->arg, news->extra);
        PQfreemem(news);
    }
}

static void receive(struct connection *connection)
{
    bool alive = PQconsumeInput(connection->pg);
    if (connection->phase == UP && connection->awaited)
        timer_start(connection->timer, connection->options.silence_ms);
    take_results(connection);
    if (!connection->doomed && connection->phase == UP)
        take_notifications(connection);
    if (!alive || (!connection->doomed && PQstatus(connection->pg) != CONNECTION_OK))
        doom(connection, "the connection broke");
}

/* --- Connecting --- */

/* A server that stands still has a queue of those who wait for it: another attempt would come in
 * behind this one, and leave it a connection to clear away before ours. */
static void be_patient(struct connection *connection)
{
    ConnStatusType status = PQstatus(connection->pg);
    if (connection->accepted || status == CONNECTION_STARTED || status == CONNECTION_BAD)
        return;
    connection->accepted = true;
    timer_start(connection->timer, ACCEPTED_PATIENCE * connection->options.connect_timeout_ms);
}

static void connect_on(struct connection *connection, PostgresPollingStatusType wanted)
{
    be_patient(connection);
    poll_stop(connection); /* the descriptor may be another one after each step */
    if (wanted == PGRES_POLLING_OK)
        begin_checking(connection);
    else if (wanted == PGRES_POLLING_FAILED ||
             !poll_start(connection, wanted == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE))
        doom(connection, "connecting failed");
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    if (!connection)
        return;
    if (connection->phase == CONNECTING) {
        connect_on(connection, PQconnectPoll(connection->pg));
        return;
    }
    if (status < 0 || (events & UV_READABLE))
        receive(connection);
    if (!connection->doomed && (events & UV_WRITABLE))
        flush(connection);
}

static void begin_connecting(struct connection *connection)
{
    connection->phase = CONNECTING;
    connection->accepted = false;
    connection->pg = conninfo_connect(connection->conninfo);
    timer_start(connection->timer, connection->options.connect_timeout_ms);
    if (!connection->pg || PQstatus(connection->pg) == CONNECTION_BAD) {
        doom(connection, "no way to the server");
        return;
    }
    PQsetNoticeProcessor(connection->pg, notices, connection);
    connect_on(connection, PGRES_POLLING_WRITING);
}

static void resolve_next(struct connection *connection);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct resolution *resolution = CONTAINER_OF(request, struct resolution, request);
    struct connection *connection = resolution->connection;
    free(resolution);
    if (connection) {
        connection->resolution = NULL;
        if (status < 0)
            log_warning(
                "store_host_unknown",
                LOG_TEXT("host", conninfo_host_name(connection->conninfo, connection->host)),
                LOG_TEXT("error", uv_strerror(status)));
        else
            conninfo_resolved(connection->conninfo, connection->host, addresses);
        connection->host++;
        resolve_next(connection);
    }
    uv_freeaddrinfo(addresses);
}

/* The resolver has deadlines of its own, and the loop does not wait for it. */
static void resolve_next(struct connection *connection)
{
    size_t count = conninfo_host_count(connection->conninfo);
    while (connection->host < count && !conninfo_host_name(connection->conninfo, connection->host))
        connection->host++;
    if (connection->host == count) {
        begin_connecting(connection);
        return;
    }
    struct resolution *resolution = memory_zero(1, sizeof(*resolution));
    resolution->connection = connection;
    connection->resolution = resolution;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int result =
        uv_getaddrinfo(connection->loop, &resolution->request, on_resolved,
                       conninfo_host_name(connection->conninfo, connection->host), NULL, &hints);
    if (result < 0) {
        free(TAKE(connection->resolution));
        doom(connection, "the resolver cannot be asked");
    }
}

static void attempt(struct connection *connection)
{
    connection->phase = RESOLVING;
    connection->host = 0;
    conninfo_forget(connection->conninfo);
    resolve_next(connection);
}

static void on_timer(void *arg)
{
    struct connection *connection = arg;
    if (connection->doomed)
        fail(connection, connection->doomed);
    else if (connection->phase == WAITING)
        attempt(connection);
    else
        fail(connection,
             connection->phase == UP ? "the server is silent" : "connecting took too long");
}

/* --- Life --- */

int connection_open(uv_loop_t *loop, const struct connection_options *options,
                    const struct connection_handlers *handlers, void *arg, struct metrics *metrics,
                    struct connection **ret_connection, char ret_error[static STORE_ERROR_SIZE])
{
    struct conninfo *conninfo;
    int result = conninfo_new(options->conninfo, options->password, options->application, &conninfo,
                              ret_error);
    if (result < 0)
        return result;
    struct connection *connection = memory_zero(1, sizeof(*connection));
    connection->loop = loop;
    connection->options = *options;
    connection->options.conninfo = connection->options.password = connection->options.application =
        NULL;
    connection->handlers = *handlers;
    connection->arg = arg;
    connection->conninfo = conninfo;
    connection->phase = WAITING;
    connection->timer = timer_new(loop, on_timer, connection);
    metrics_declare(metrics, METRICS, ARRAY_SIZE(METRICS));
    connection->connected = metrics_cell(metrics, &METRICS[METRIC_CONNECTED], options->name);
    connection->losses = metrics_cell(metrics, &METRICS[METRIC_LOSSES], options->name);
    timer_start(connection->timer, 0);
    *ret_connection = connection;
    return 0;
}

void connection_free(struct connection **connection)
{
    struct connection *old = TAKE(*connection);
    if (!old)
        return;
    tear_down(old);
    if (old->resolution) {
        old->resolution->connection = NULL; /* its callback frees it */
        (void)uv_cancel((uv_req_t *)&old->resolution->request);
    }
    timer_free(&old->timer);
    conninfo_free(&old->conninfo);
    free(old);
}

void connection_send(struct connection *connection, enum statement statement,
                     const struct parameters *parameters, const int64_t instance_epoch[2])
{
    assert(connection->phase == UP);
    if (connection->doomed)
        return;
    const struct statement_info *info = statement_info(statement);
    assert((info->on & connection->options.on) != 0);
    size_t count = strlen(info->types);
    char numbers[2][24];
    const char *values[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX] = {0}, formats[PARAMETERS_MAX] = {0};
    for (size_t i = 0; i < count && i < 2; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, instance_epoch[i]);
        values[i] = numbers[i];
    }
    assert(count == (count < 2 ? count : 2) + (parameters ? parameters->count : 0));
    for (size_t i = 2; i < count; i++) {
        const char *bytes = (const char *)parameters->bytes.bytes;
        values[i] =
            parameters->values[i - 2].null ? NULL : bytes + parameters->values[i - 2].offset;
        sizes[i] = (int)parameters->values[i - 2].size;
        formats[i] = parameters->values[i - 2].binary;
    }
    awaited_add(connection);
    if (!PQsendQueryPrepared(connection->pg, info->name, (int)count, values, sizes, formats, 0))
        doom(connection, "sending failed");
}

void connection_sync(struct connection *connection)
{
    assert(connection->phase == UP);
    if (connection->doomed)
        return;
    awaited_add(connection);
    if (!PQpipelineSync(connection->pg))
        doom(connection, "sending failed");
    else
        flush(connection);
}

void connection_drop(struct connection *connection, const char *cause)
{
    doom(connection, cause);
}
