/* sender_fixture.h - the sender with two integrators, 9 and 10, whose endpoints are receivers in
 * this process, and everything written down that it tells. Each test has a process of its own. */
#ifndef VENDGATE_TEST_SENDER_FIXTURE_H
#define VENDGATE_TEST_SENDER_FIXTURE_H

#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "outbound/outbound.h"
#include "receiver.h"

#include <errno.h>
#include <inttypes.h>

#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

enum { NOTES_MAX = 1024, SETTLEMENTS_MAX = 16384, PATIENCE_MS = 8000 };

struct settlement {
    int64_t callback_id;
    enum callback_fate fate;
    char message[64];
};

static uv_loop_t loop;
static struct metrics *metrics;
static struct outbound *outbound;
static struct receiver receiver;
static struct outbound_endpoint endpoint;
static bool held; /* no endpoint is given for either integrator */
static char base_url[128];
static char ca_file[64], other_ca_file[64];

static struct outbound_attempt attempts[NOTES_MAX];    /* the first ones */
static size_t attempt_count;                           /* of all */
static struct settlement settlements[SETTLEMENTS_MAX]; /* told upwards */
static size_t settlement_count;
static struct settlement quiet[NOTES_MAX]; /* written to the journal without an attempt */
static size_t quiet_count;
static int drained, rooms, gones;
static struct timer *tick;
static bool calling; /* inside a call of ours: nobody may be told now */

static struct receiver other; /* integrator 10's */
static char other_url[128];

static inline void on_record(void *arg, const struct outbound_attempt *attempt)
{
    ck_assert_ptr_null(arg);
    if (attempt_count < NOTES_MAX)
        attempts[attempt_count] = *attempt;
    attempt_count++;
}

static inline void on_settle(void *arg, int64_t callback_id, enum callback_fate fate)
{
    ck_assert_ptr_null(arg);
    ck_assert_uint_lt(quiet_count, NOTES_MAX);
    quiet[quiet_count++] = (struct settlement){.callback_id = callback_id, .fate = fate};
}

static inline int64_t now_ms(void *arg UNUSED)
{
    return clock_unix_ms();
}

static inline bool on_endpoint(void *arg UNUSED, int64_t integrator_id,
                               struct outbound_endpoint *ret)
{
    ck_assert(integrator_id == 9 || integrator_id == 10);
    *ret = endpoint;
    if (integrator_id == 10)
        ret->base_url = other_url;
    return !held;
}

static inline void on_settled(void *arg UNUSED, const struct outbound_callback *callback,
                              enum callback_fate fate, const char *message)
{
    ck_assert(!calling);
    ck_assert_uint_lt(settlement_count, SETTLEMENTS_MAX);
    struct settlement *settlement = &settlements[settlement_count++];
    settlement->callback_id = callback->callback_id;
    settlement->fate = fate;
    snprintf(settlement->message, sizeof(settlement->message), "%s", message ? message : "");
}

static inline void on_room(void *arg UNUSED, int64_t integrator_id)
{
    ck_assert(!calling);
    ck_assert_int_eq(integrator_id, 9);
    rooms++;
}

static inline void on_gone(void *arg UNUSED, int64_t integrator_id)
{
    ck_assert(!calling);
    ck_assert_int_eq(integrator_id, 9);
    gones++;
}

static inline void on_drained(void *arg UNUSED)
{
    ck_assert(!calling);
    drained++;
}

static struct outbound_options options = {.connections_max = 16,
                                          .connections_per_endpoint = 4,
                                          .queue_max = 8,
                                          .endpoint_waiting_max = 8,
                                          .user_agent = "vendgate-test"};

static inline void open_outbound(void)
{
    const struct outbound_journal journal = {on_record, on_settle, now_ms};
    const struct outbound_directory directory = {on_endpoint};
    const struct outbound_handlers handlers = {on_settled, on_room, on_gone};
    char error[OUTBOUND_ERROR_SIZE];
    const struct outbound_parts parts = {&journal, &directory, &handlers, NULL};
    ck_assert_int_eq(outbound_open(&loop, &options, &parts, metrics, &outbound, error), 0);
}

static inline void on_tick(void *arg UNUSED)
{
}

static inline void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    metrics = metrics_new();
    tick = timer_new(&loop, on_tick, NULL);
    endpoint = (struct outbound_endpoint){.allow_http = true,
                                          .allow_cidr = "127.0.0.0/8,::1/128",
                                          .api_key = "our-key",
                                          .user = "our-user",
                                          .password = "secret",
                                          .signing_keys = {{.secret = KEY}}};
    endpoint.base_url = base_url;
    open_outbound();
}

/* Every handle, connection and watcher must be gone, or the loop does not close. */
static inline void teardown(void)
{
    outbound_free(&outbound);
    timer_free(&tick);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    metrics_free(&metrics);
    receiver_stop(&receiver);
    receiver_stop(&other);
    unlink(ca_file);
    unlink(other_ca_file);
}

static inline void serve(const struct receiver_step *steps, size_t count)
{
    receiver_start(&receiver, steps, count, NULL);
    snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%u/hooks/", receiver.port);
}
#define SERVE(...)                                              \
    static const struct receiver_step steps_[] = {__VA_ARGS__}; \
    serve(steps_, ARRAY_SIZE(steps_))

static inline void serve_tls(const struct receiver_step *steps, size_t count, const char *host)
{
    snprintf(ca_file, sizeof(ca_file), "/tmp/vendgate-test-%d-ca.pem", (int)getpid());
    receiver_start(&receiver, steps, count, ca_file);
    snprintf(base_url, sizeof(base_url), "https://%s:%u", host, receiver.port);
    endpoint.ca_file = ca_file;
    endpoint.allow_http = false;
}

static inline struct outbound_callback callback_of(int64_t id, enum callback_kind kind,
                                                   int64_t lane)
{
    struct outbound_callback callback = {
        .callback_id = id,
        .integrator_id = 9,
        .txn_id = 4,
        .lane = lane,
        .lane_sequence = id,
        .kind = kind,
        .body = "{\"txn_ref\":\"r1\"}",
        .body_size = 16,
        .expires_ms = clock_unix_ms() + 60 * 1000,
    };
    snprintf(callback.webhook_id, sizeof(callback.webhook_id), "msg_%032" PRIx64, (uint64_t)id);
    return callback;
}

static inline int submit(const struct outbound_callback *callback)
{
    calling = true;
    int result = outbound_submit(outbound, callback);
    calling = false;
    return result;
}

static inline void send_one(int64_t id, enum callback_kind kind, int64_t lane)
{
    struct outbound_callback callback = callback_of(id, kind, lane);
    ck_assert_int_eq(submit(&callback), 0);
}

static inline void imply(int64_t id)
{
    calling = true;
    outbound_imply(outbound, id);
    calling = false;
}

/* One turn, of at most 2 ms: uv_run() runs timers first and would then sleep until the next event,
 * although what a timer did is what the test waits for. */
static inline void turn(void)
{
    timer_start(tick, 2);
    uv_run(&loop, UV_RUN_ONCE);
}

#define RUN_UNTIL(condition)                                    \
    do {                                                        \
        int64_t deadline_ = clock_monotonic_ms() + PATIENCE_MS; \
        while (!(condition)) {                                  \
            if (clock_monotonic_ms() > deadline_)               \
                ck_abort_msg("still not: %s", #condition);      \
            turn();                                             \
        }                                                       \
    } while (0)

static inline void run_for(int64_t ms)
{
    int64_t end = clock_monotonic_ms() + ms;
    while (clock_monotonic_ms() < end)
        turn();
}

static inline const char *request(size_t index)
{
    ck_assert_uint_lt(index, receiver_count(&receiver));
    return receiver.requests[index].text;
}

static inline void check_settled(size_t index, int64_t id, enum callback_fate fate)
{
    ck_assert_uint_lt(index, settlement_count);
    ck_assert_int_eq(settlements[index].callback_id, id);
    ck_assert_str_eq(callback_fate_name(settlements[index].fate), callback_fate_name(fate));
}

/* For those that are about more than one endpoint, or more than a few callbacks. */
static inline void reopen(int64_t connections_max, int64_t per_endpoint)
{
    outbound_free(&outbound);
    options.connections_max = connections_max;
    options.connections_per_endpoint = per_endpoint;
    options.queue_max = options.endpoint_waiting_max = 1000;
    open_outbound();
}

static inline void serve_other(const struct receiver_step *steps, size_t count)
{
    receiver_start(&other, steps, count, NULL);
    snprintf(other_url, sizeof(other_url), "http://127.0.0.1:%u", other.port);
}

static inline void send_other(int64_t id, enum callback_kind kind, int64_t lane)
{
    struct outbound_callback callback = callback_of(id, kind, lane);
    callback.integrator_id = 10;
    ck_assert_int_eq(submit(&callback), 0);
}

/* Of one callback, so far. */
static inline size_t attempts_of(int64_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < attempt_count && i < NOTES_MAX; i++)
        count += attempts[i].callback_id == id;
    return count;
}

/* Metrics have one label at most here. */
static inline double metric_of(const char *name)
{
    size_t size;
    char *text = metrics_render(metrics, &size);
    const char *line = strstr(text, name);
    while (line && line != text && line[-1] != '\n')
        line = strstr(line + 1, name);
    ck_assert_msg(line, "no metric %s in %s", name, text);
    double value = strtod(strchr(line, ' '), NULL);
    free(text);
    return value;
}

static inline int run_tests(const char *name, void (*add)(TCase *tests))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    add(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
