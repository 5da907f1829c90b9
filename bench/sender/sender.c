#include "bench/sender/sender.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/timer.h"
#include "bench/sender/commit.h"
#include "bench/sender/journal.h"
#include "outbound/outbound.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_MAX = 100000, /* events that wait in memory: a measurement never pages */
    URL_SIZE = 64,
    CONNECTIONS_MAX = 256, /* this and what follows as the daemon has it by default */
    BATCH_MAX = 128,
    STATEMENT_MS = 5000,
    CONNECT_MS = 5000,
    HEARTBEAT_MS = 2000,
    LEASE_MS = 15000,
    CLOSE_MS = 1000,
};

struct sender {
    const struct sender_options *options;
    struct sender_handlers handlers;
    void *arg;
    struct metrics *metrics;
    struct store *store;
    struct outbound *outbound;
    struct timer *patience;
    char urls[SENDER_ENDPOINTS_MAX][URL_SIZE];
    struct sender_figures figures;
    bool was_ready, ended, done;
};

static void fail(const char *why)
{
    (void)fprintf(stderr, "sender: %s\n", why);
    exit(1);
}

/* --- Endings --- */

static void on_done(void *arg)
{
    struct sender *sender = arg;
    sender->done = true;
    sender->handlers.done(sender->arg);
}

static void check_done(struct sender *sender)
{
    if (sender->ended && !sender->done && sender->figures.delivered == sender->figures.events)
        timer_start(sender->patience, 0);
}

static void on_recorded(void *arg, int64_t callback_id, enum store_recorded recorded,
                        int64_t lane UNUSED)
{
    struct sender *sender = arg;
    if (recorded != STORE_RECORDED)
        fail("an outcome was not recorded");
    outbound_recorded(sender->outbound, callback_id);
    sender->figures.delivered++;
    sender->figures.recorded_ns = clock_monotonic_ns();
    check_done(sender);
}

static void on_retry_recorded(void *arg UNUSED, int64_t callback_id UNUSED,
                              enum store_recorded recorded UNUSED, int64_t lane UNUSED)
{
}

/* --- What outbound asks for --- */

static void record(void *arg, const struct outbound_attempt *attempt)
{
    struct sender *sender = arg;
    bool again = attempt->fate == CALLBACK_PENDING;
    if (again)
        sender->figures.failed_attempts++;
    else if (attempt->fate != CALLBACK_DELIVERED)
        fail("a callback was given up");
    journal_record(sender->store, attempt, again ? on_retry_recorded : on_recorded, sender);
}

static void settle(void *arg UNUSED, int64_t callback_id UNUSED, enum callback_fate fate UNUSED)
{
    fail("a callback has expired");
}

static int64_t now_ms(void *arg)
{
    const struct sender *sender = arg;
    return store_now_ms(sender->store);
}

static bool endpoint(void *arg, int64_t integrator_id, struct outbound_endpoint *ret_endpoint)
{
    const struct sender *sender = arg;
    *ret_endpoint = (struct outbound_endpoint){
        .base_url = sender->urls[integrator_id - 1],
        .ca_file = sender->options->ca_file,
        .allow_cidr = "127.0.0.0/8",
        .signing_keys = {{.secret = sender->options->secret}},
    };
    return true;
}

static void settled(void *arg UNUSED, const struct outbound_callback *callback UNUSED,
                    enum callback_fate fate UNUSED, const char *message UNUSED)
{
}

static void room(void *arg UNUSED, int64_t integrator_id UNUSED)
{
}

static void gone(void *arg UNUSED, int64_t integrator_id UNUSED)
{
    fail("an endpoint answered 410");
}

/* --- Events --- */

static void on_committed(void *arg, const struct outbound_callback *callback)
{
    struct sender *sender = arg;
    if (!callback)
        fail("an event was not committed");
    sender->figures.committed++;
    if (outbound_submit(sender->outbound, callback) < 0)
        fail("a callback was not taken");
}

void sender_take(struct sender *sender, const struct event *event)
{
    if (event->endpoint < 0 || event->endpoint >= (int64_t)sender->options->endpoint_count)
        fail("an event of an unknown endpoint");
    sender->figures.events++;
    if (sender->options->feeds)
        commit_feed(sender->store, event, on_committed, sender);
    else
        commit_sale(sender->store, event, on_committed, sender);
}

void sender_end(struct sender *sender)
{
    sender->ended = true;
    timer_start(sender->patience, sender->options->patience_ms);
    check_done(sender);
}

struct sender_figures sender_figures(const struct sender *sender)
{
    return sender->figures;
}

/* --- Life --- */

static void store_is_ready(void *arg)
{
    struct sender *sender = arg;
    if (!sender->was_ready)
        sender->handlers.ready(sender->arg);
    sender->was_ready = true;
}

static void store_is_lost(void *arg UNUSED)
{
    fail("the connection to PostgreSQL was lost");
}

static void data_changed(void *arg UNUSED, const char *what UNUSED, const char *key UNUSED)
{
}

static void store_is_alive(void *arg, int64_t until_ms)
{
    struct sender *sender = arg;
    outbound_lease(sender->outbound, until_ms);
}

static void lanes_changed_hands(void *arg UNUSED)
{
    fail("there was another process");
}

static void open_store(struct sender *sender, uv_loop_t *loop)
{
    static const struct store_handlers HANDLERS = {
        .ready = store_is_ready,
        .lost = store_is_lost,
        .changed = data_changed,
        .alive = store_is_alive,
        .dispossessed = lanes_changed_hands,
        .adopted = lanes_changed_hands,
    };
    const struct store_options options = {
        .conninfo = sender->options->database_url,
        .instance = "bench",
        .batch_max = BATCH_MAX,
        .queue_max = MEMORY_MAX,
        .statement_timeout_ms = STATEMENT_MS,
        .connect_timeout_ms = CONNECT_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .lease_ms = LEASE_MS,
    };
    char error[STORE_ERROR_SIZE];
    if (store_open(loop, &options, &HANDLERS, sender, sender->metrics, &sender->store, error) < 0)
        fail(error);
}

static void write_url(const struct sender_options *options, size_t number, char ret_url[URL_SIZE])
{
    if (options->dns_servers)
        (void)snprintf(ret_url, URL_SIZE, "https://endpoint-%zu.test:%u", number,
                       options->ports[number]);
    else
        (void)snprintf(ret_url, URL_SIZE, "https://127.0.0.1:%u", options->ports[number]);
}

static void open_outbound(struct sender *sender, uv_loop_t *loop)
{
    static const struct outbound_journal JOURNAL = {
        .record = record, .settle = settle, .now_ms = now_ms};
    static const struct outbound_directory DIRECTORY = {.endpoint = endpoint};
    static const struct outbound_handlers HANDLERS = {
        .settled = settled, .room = room, .gone = gone};
    const struct outbound_parts parts = {&JOURNAL, &DIRECTORY, &HANDLERS, sender};
    const struct outbound_options options = {
        .connections_max = CONNECTIONS_MAX,
        .connections_per_endpoint = sender->options->connections,
        .queue_max = MEMORY_MAX,
        .endpoint_waiting_max = MEMORY_MAX,
        .dns_servers = sender->options->dns_servers,
        .user_agent = "vendgate-bench",
    };
    char error[OUTBOUND_ERROR_SIZE];
    if (outbound_open(loop, &options, &parts, sender->metrics, &sender->outbound, error) < 0)
        fail(error);
}

struct sender *sender_open(uv_loop_t *loop, const struct sender_options *options,
                           const struct sender_handlers *handlers, void *arg)
{
    struct sender *sender = memory_zero(1, sizeof(*sender));
    sender->options = options;
    sender->handlers = *handlers;
    sender->arg = arg;
    sender->metrics = metrics_new();
    sender->patience = timer_new(loop, on_done, sender);
    for (size_t i = 0; i < options->endpoint_count; i++)
        write_url(options, i, sender->urls[i]);
    open_outbound(sender, loop);
    open_store(sender, loop);
    return sender;
}

static void on_store_closed(void *arg)
{
    struct sender *sender = arg;
    metrics_free(&sender->metrics);
    free(sender);
}

void sender_close(struct sender **sender)
{
    struct sender *old = TAKE(*sender);
    assert(old->done);
    timer_free(&old->patience);
    outbound_free(&old->outbound);
    store_close(old->store, clock_monotonic_ms() + CLOSE_MS, on_store_closed, old);
}
