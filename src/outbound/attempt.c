#include "outbound/attempt.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/memory.h"
#include "base/timer.h"
#include "outbound/retry_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NS_PER_US = 1000, TRUST_AGE_MAX_S = 60 * 60, NOT_REACHED = -1, PROBE_MS = 1000 };

struct attempt {
    uv_loop_t *loop;
    struct http_client *client;
    struct attempt_order order;
    attempt_done *done;
    void *arg;
    int64_t started_ns;
    int64_t started_ms;
    int64_t connect_ms, total_ms; /* to a connection; for all of it */
    int64_t dns_us;
    struct host *host; /* where to connect to: the endpoint's or the proxy's */
    struct host_waiter waiter;
    struct sockaddr_storage address;
    struct http_exchange *exchange; /* NULL: not on the wire */
    struct timer *soon;             /* tells a failure that was clear from the start */
    char failure[OUTBOUND_ERROR_SIZE];
};

static int64_t elapsed_us(const struct attempt *attempt)
{
    return (clock_monotonic_ns() - attempt->started_ns) / NS_PER_US;
}

static void attempt_free(struct attempt *attempt)
{
    assert(!attempt->exchange);
    host_forget_waiter(&attempt->waiter);
    timer_free(&attempt->soon);
    endpoint_free(&attempt->order.endpoint);
    free(attempt);
}

static void end_init(const struct attempt *attempt, struct attempt_end *end)
{
    memset(end, 0, sizeof(*end));
    end->verdict.result = ATTEMPT_RETRY;
    end->verdict.retry_after_ms = -1;
    end->record.callback_id = attempt->order.callback->callback_id;
    end->record.number = attempt->order.number;
    end->record.started_ms = attempt->started_ms;
    end->record.dns_us = attempt->dns_us;
    end->record.connect_us = NOT_REACHED;
    end->record.tls_us = NOT_REACHED;
    end->record.first_byte_us = NOT_REACHED;
    end->record.total_us = elapsed_us(attempt);
}

/* Copies text from outside (libcurl's errors quote certificates) as something that may be stored
 * and shown. */
static void end_error(struct attempt_end *end, const char *error)
{
    if (error)
        answer_printable(error, strlen(error), end->record.error, sizeof(end->record.error));
}

static void hand_over(struct attempt *attempt, struct attempt_end *end)
{
    end->record.result = end->verdict.result;
    attempt_done *done = attempt->done;
    void *arg = attempt->arg;
    attempt_free(attempt);
    done(arg, end);
}

static void fail(struct attempt *attempt, const char *error)
{
    struct attempt_end end;
    end_init(attempt, &end);
    end_error(&end, error);
    hand_over(attempt, &end);
}

/* The exchange counts from its own start; the record from the attempt's. */
static int64_t since_start(const struct attempt_end *end, int64_t exchange_total_us,
                           int64_t phase_us)
{
    return phase_us < 0 ? NOT_REACHED : end->record.total_us - exchange_total_us + phase_us;
}

static void end_take_outcome(struct attempt_end *end, const struct http_outcome *outcome)
{
    struct outbound_attempt *record = &end->record;
    int64_t total_us = outcome->total_us < 0 ? 0 : outcome->total_us;
    if (total_us > record->total_us)
        total_us = record->total_us; /* two clocks were read one after the other */
    record->connect_us = since_start(end, total_us, outcome->connect_us);
    record->tls_us = since_start(end, total_us, outcome->tls_us);
    record->first_byte_us = since_start(end, total_us, outcome->first_byte_us);
    record->http_status = outcome->http_status;
    (void)snprintf(record->remote, sizeof(record->remote), "%s", outcome->remote);
    answer_printable(outcome->body, outcome->body_size, record->answer, sizeof(record->answer));
    end->dropped = outcome->dropped;
}

static void end_read_answer(struct attempt_end *end, const struct http_outcome *outcome)
{
    const struct answer answer = {
        .http_status = outcome->http_status,
        .body = outcome->body,
        .body_size = outcome->body_size,
        .retry_after = outcome->retry_after,
    };
    answer_read(&answer, clock_unix_s(), &end->verdict);
    end_error(end, outcome->body_cut ? "the answer is longer than 256 KiB" : end->verdict.note);
}

static void on_outcome(void *arg, const struct http_outcome *outcome)
{
    CRASH_POINT(after_callback_answered_before_recorded);
    struct attempt *attempt = arg;
    struct attempt_end end;
    attempt->exchange = NULL;
    end_init(attempt, &end);
    end_take_outcome(&end, outcome);
    if (outcome->answered)
        end_read_answer(&end, outcome);
    else
        end_error(&end, outcome->error);
    if (outcome->unreachable)
        host_failed(attempt->host, &attempt->address);
    hand_over(attempt, &end);
}

/* Nothing that was made before the endpoint changed is used: neither a connection nor certificates
 * in memory. The second that is taken off covers the rounding. */
static int64_t trust_age_s(const struct attempt *attempt)
{
    int64_t changed_ms = attempt->order.endpoint->changed_ms;
    if (changed_ms == 0)
        return TRUST_AGE_MAX_S;
    int64_t age_s = (clock_monotonic_ms() - changed_ms) / 1000 - 1;
    return age_s < 0 ? 0 : age_s < TRUST_AGE_MAX_S ? age_s : TRUST_AGE_MAX_S;
}

struct request_text {
    char url[1024 + 64];
    char id[64 + WEBHOOK_ID_SIZE];
    char timestamp[64];
    char signature[32 + WEBHOOK_SIGNATURE_SIZE];
    char lane_sequence[64];
};

static void write_signature(const struct attempt *attempt, struct request_text *text)
{
    const struct outbound_callback *callback = attempt->order.callback;
    const struct webhook_message message = {
        .id = callback->webhook_id,
        .timestamp_s = clock_unix_s(),
        .now_ms = attempt->order.now_ms,
        .body = callback->body,
        .body_size = callback->body_size,
    };
    char signature[WEBHOOK_SIGNATURE_SIZE];
    endpoint_sign(attempt->order.endpoint, callback->integrator_id, &message, signature);
    (void)snprintf(text->id, sizeof(text->id), "webhook-id: %s", message.id);
    (void)snprintf(text->timestamp, sizeof(text->timestamp), "webhook-timestamp: %" PRId64,
                   message.timestamp_s);
    (void)snprintf(text->signature, sizeof(text->signature), "webhook-signature: %s", signature);
}

static void write_headers(const struct attempt *attempt, struct request_text *text,
                          const char *headers[static HTTP_HEADERS_MAX])
{
    const struct outbound_callback *callback = attempt->order.callback;
    const struct endpoint *endpoint = attempt->order.endpoint;
    size_t count = 0;
    headers[count++] = "Content-Type: application/json";
    headers[count++] = "Accept: application/json";
    headers[count++] = "Expect:"; /* never asks first: that costs a round trip */
    write_signature(attempt, text);
    headers[count++] = text->id;
    headers[count++] = text->timestamp;
    headers[count++] = text->signature;
    if (callback->lane != 0) {
        (void)snprintf(text->lane_sequence, sizeof(text->lane_sequence),
                       "webhook-lane-sequence: %" PRId64, callback->lane_sequence);
        headers[count++] = text->lane_sequence;
    }
    if (callback->replay)
        headers[count++] = "webhook-replay: 1";
    for (size_t i = 0; i < ENDPOINT_CREDENTIALS_MAX && endpoint->credentials[i]; i++)
        headers[count++] = endpoint->credentials[i];
    assert(count < HTTP_HEADERS_MAX);
}

static int64_t at_least_1(int64_t value)
{
    return value > 0 ? value : 1;
}

static int send_request(struct attempt *attempt)
{
    const struct endpoint *endpoint = attempt->order.endpoint;
    const struct outbound_callback *callback = attempt->order.callback;
    struct request_text text;
    int64_t elapsed_ms = elapsed_us(attempt) / 1000;
    struct http_post post = {
        .url = text.url,
        .pinned = &attempt->address,
        .body = callback->body,
        .body_size = callback->body_size,
        .ca_file = endpoint->ca_file,
        .client_cert_file = endpoint->client_cert_file,
        .client_key_file = endpoint->client_key_file,
        .public_key_pins = endpoint->public_key_pins,
        .allow_http = endpoint->allow_http,
        .allowed = endpoint->allowed,
        .connect_ms = at_least_1(attempt->connect_ms - elapsed_ms),
        .total_ms = at_least_1(attempt->total_ms - elapsed_ms),
        .bulk = attempt->order.bulk,
        .fresh = attempt->order.fresh,
        .trust_age_s = trust_age_s(attempt),
    };
    (void)snprintf(text.url, sizeof(text.url), "%s%s", endpoint->base_url,
                   callback_kind_path(callback->kind));
    write_headers(attempt, &text, post.headers);
    CRASH_POINT(before_callback_sent);
    return http_client_post(attempt->client, &post, on_outcome, attempt, &attempt->exchange);
}

static void on_soon(void *arg)
{
    struct attempt *attempt = arg;
    fail(attempt, attempt->failure);
}

/* Nobody is told inside the call that asked. */
static void fail_soon(struct attempt *attempt, const char *error)
{
    (void)snprintf(attempt->failure, sizeof(attempt->failure), "%s", error);
    attempt->soon = timer_new(attempt->loop, on_soon, attempt);
    timer_start(attempt->soon, 0);
}

static void on_host_known(void *arg, const char *error)
{
    struct attempt *attempt = arg;
    attempt->dns_us = elapsed_us(attempt);
    if (error)
        fail(attempt, error);
    else if (!host_address(attempt->host, &attempt->address))
        fail(attempt, "the name's addresses are too old");
    else if (send_request(attempt) < 0)
        fail(attempt, "the request cannot be built");
}

static int64_t least(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

static void set_times(struct attempt *attempt)
{
    const struct retry_policy *policy = retry_policy_of(attempt->order.callback->kind);
    int64_t limit_ms = attempt->order.left_ms;
    if (attempt->order.probe)
        limit_ms = least(limit_ms, PROBE_MS);
    attempt->total_ms = least(policy->total_ms, limit_ms);
    attempt->connect_ms = least(policy->connect_ms, limit_ms);
}

static void begin(struct attempt *attempt)
{
    struct host *proxy = http_client_proxy(attempt->client);
    attempt->host = proxy ? proxy : attempt->order.endpoint->host;
    if (host_address(attempt->host, &attempt->address)) {
        attempt->dns_us = 0;
        if (send_request(attempt) < 0)
            fail_soon(attempt, "the request cannot be built");
    } else {
        host_wait(attempt->host, &attempt->waiter, attempt->connect_ms);
    }
}

struct attempt *attempt_start(uv_loop_t *loop, struct http_client *client,
                              const struct attempt_order *order, attempt_done *done, void *arg)
{
    assert(order->left_ms > 0);
    struct attempt *attempt = memory_zero(1, sizeof(*attempt));
    attempt->loop = loop;
    attempt->client = client;
    attempt->order = *order;
    (void)endpoint_keep(attempt->order.endpoint);
    attempt->done = done;
    attempt->arg = arg;
    attempt->started_ns = clock_monotonic_ns();
    attempt->started_ms = clock_unix_ms();
    set_times(attempt);
    attempt->dns_us = NOT_REACHED;
    attempt->waiter = (struct host_waiter){.known = on_host_known, .arg = attempt};
    if (order->endpoint->fault[0])
        fail_soon(attempt, order->endpoint->fault);
    else
        begin(attempt);
    return attempt;
}

void attempt_abort(struct attempt **attempt, struct attempt_end *ret_end)
{
    struct attempt *old = TAKE(*attempt);
    if (ret_end) {
        end_init(old, ret_end);
        if (old->exchange) {
            struct http_outcome outcome;
            http_client_progress(old->exchange, &outcome);
            end_take_outcome(ret_end, &outcome);
        }
        ret_end->verdict.result = ret_end->record.result = ATTEMPT_ABORTED;
    }
    if (old->exchange)
        http_client_abort(&old->exchange);
    attempt_free(old);
}
