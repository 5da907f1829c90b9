#include "store/store_internal.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define PING_MS 15000
#define WHAT_SIZE 32

static const int64_t NOBODY[2] = {0, 0};

static void on_up(void *arg)
{
    struct store *store = arg;
    connection_send(store->news_connection, STATEMENT_LISTEN, NULL, NOBODY);
    connection_sync(store->news_connection);
    timer_start(store->ping, PING_MS);
}

static void on_down(void *arg)
{
    struct store *store = arg;
    timer_stop(store->ping);
}

static void on_result(void *arg, PGresult *result)
{
    struct store *store = arg;
    bool refused = PQresultStatus(result) == PGRES_FATAL_ERROR;
    bool listening = !strcmp(PQcmdStatus(result), "LISTEN");
    PQclear(result);
    if (refused)
        connection_drop(store->news_connection, "not listening");
    else if (listening)
        store->handlers.changed(store->arg, "", ""); /* what changed before went unheard */
}

static void on_synced(void *arg)
{
    (void)arg;
}

/* "seq what key" */
static void on_notified(void *arg, const char *payload)
{
    struct store *store = arg;
    char what[WHAT_SIZE] = "";
    const char *start = strchr(payload, ' ');
    const char *end = start ? strchr(start + 1, ' ') : NULL;
    if (!end || end - start > WHAT_SIZE) {
        log_warning("store_change_unknown", LOG_TEXT("payload", payload));
        return;
    }
    memcpy(what, start + 1, (size_t)(end - start - 1));
    store->handlers.changed(store->arg, what, end + 1);
}

/* Finds a peer that is gone: this connection says nothing else. */
static void on_ping(void *arg)
{
    struct store *store = arg;
    connection_send(store->news_connection, STATEMENT_PING, NULL, NOBODY);
    connection_sync(store->news_connection);
    timer_start(store->ping, PING_MS);
}

int listen_open(struct store *store, const struct connection_options *options,
                char ret_error[static STORE_ERROR_SIZE])
{
    static const struct connection_handlers HANDLERS = {on_up, on_down, on_result, on_synced,
                                                        on_notified};
    store->ping = timer_new(store->loop, on_ping, store);
    return connection_open(store->loop, options, &HANDLERS, store, store->metrics,
                           &store->news_connection, ret_error);
}

void listen_done(struct store *store)
{
    connection_free(&store->news_connection);
    timer_free(&store->ping);
}
