#include "outbound/http_client.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "outbound/address.h"
#include "outbound/connection_pools.h"
#include "outbound/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

enum {
    ANSWER_HEAD_MAX = 64 * 1024, /* all header lines of an answer together */
    RETRY_AFTER_SIZE = 64,
    BODY_KEPT_MAX = 16 * 1024, /* a pooled exchange gives a larger buffer back */
    IDLE_AGE_S = 55, /* below the minute after which many servers and NATs drop a connection */
    KEEPALIVE_S = 30,
    SYSTEM_TRUST_AGE_S = 24 * 60 * 60,
    SEND_NONE = 0,
};

struct http_exchange {
    struct http_client *client;
    struct connection_pool *pool;      /* whose connections it uses */
    struct http_exchange *prev, *next; /* in the pool */
    CURL *easy;
    http_done *done;
    void *arg;
    const struct networks *allowed; /* not used when there is a proxy */
    char pinned[ADDRESS_TEXT_SIZE]; /* the only address that is connected to */
    int sends; /* requests begun on a connection: the second is never let out */
    bool dropped;
    struct curl_slist headers[HTTP_HEADERS_MAX];
    char header_text[HTTP_HEADERS_SIZE];
    struct curl_slist connect_to;
    char connect_text[ADDRESS_TEXT_SIZE + 8];
    char proxy[PROXY_URL_SIZE];
    struct buffer body;
    bool body_cut;
    size_t head_size;
    char retry_after[RETRY_AFTER_SIZE];
    char error[CURL_ERROR_SIZE]; /* libcurl's */
    char refused[128];           /* why we stopped it; empty: we did not */
};

struct http_client {
    struct resolver *resolver;
    struct proxy *proxy; /* NULL: none */
    struct connection_pools *pools;
    struct http_exchange *pool;
    size_t pooled, pool_max;
    size_t under_way;
    char *user_agent;
};

/* NULL: it may be used. The last word on an address, whatever the name said before. */
static const char *refusal_of(const struct http_exchange *exchange, const char *text,
                              const struct sockaddr *address)
{
    if (strcmp(text, exchange->pinned) != 0)
        return "not the one that was checked";
    return exchange->client->proxy ? NULL : address_refusal(address, exchange->allowed);
}

static bool is_refused(struct http_exchange *exchange, const char *text,
                       const struct sockaddr *address)
{
    const char *why = refusal_of(exchange, text, address);
    if (why)
        (void)snprintf(exchange->refused, sizeof(exchange->refused), "address %s is refused: %s",
                       text, why);
    return why != NULL;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose UNUSED,
                                    struct curl_sockaddr *address)
{
    struct http_exchange *exchange = arg;
    if (exchange->sends > 0) {
        exchange->dropped = true; /* libcurl wants to send the request again */
        return CURL_SOCKET_BAD;
    }
    char text[ADDRESS_TEXT_SIZE];
    address_text(&address->addr, text);
    if (is_refused(exchange, text, &address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

/* Before the request goes out, on a new connection or a kept one. */
static int on_before_request(void *arg, char *remote, char *local UNUSED, int remote_port UNUSED,
                             int local_port UNUSED)
{
    struct http_exchange *exchange = arg;
    if (exchange->sends++ > 0) {
        exchange->dropped = true;
        return CURL_PREREQFUNC_ABORT;
    }
    struct sockaddr_storage address = {0};
    (void)address_parse(remote, &address); /* else it has no family, and is refused */
    return is_refused(exchange, remote, (const struct sockaddr *)&address) ? CURL_PREREQFUNC_ABORT
                                                                           : CURL_PREREQFUNC_OK;
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *arg)
{
    struct http_exchange *exchange = arg;
    size_t size = unit * count;
    if (buffer_add(&exchange->body, bytes, size) == 0)
        return size;
    size_t room = exchange->body.limit - exchange->body.size;
    exchange->body_cut = buffer_add(&exchange->body, bytes, room) == 0;
    return 0; /* ends the transfer */
}

static void keep_retry_after(struct http_exchange *exchange, const char *value, size_t size)
{
    while (size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    while (size > 0 && strchr(" \t\r\n", value[size - 1]))
        size--;
    if (size < sizeof(exchange->retry_after)) {
        memcpy(exchange->retry_after, value, size);
        exchange->retry_after[size] = '\0';
    }
}

static size_t on_header(char *line, size_t unit, size_t count, void *arg)
{
    static const char NAME[] = "Retry-After:";
    struct http_exchange *exchange = arg;
    size_t size = unit * count;
    exchange->head_size += size;
    if (exchange->head_size > ANSWER_HEAD_MAX)
        return 0; /* libcurl itself would go on for ever */
    if (size > strlen(NAME) && strncasecmp(line, NAME, strlen(NAME)) == 0)
        keep_retry_after(exchange, line + strlen(NAME), size - strlen(NAME));
    return size;
}

#define SET(option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

/* What is the same for every exchange. CAPATH stays empty, or libcurl would not keep loaded
 * certificates. No TLS session is resumed: the server would not show its certificate again, so that
 * a changed CA or pin would be asked nothing; and with TLS 1.3 it saves a signature, not a round
 * trip, once a minute at most on a connection that is kept. */
static bool set_safety(CURL *easy)
{
    return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_NOPROXY, "") && SET(CURLOPT_HTTPPROXYTUNNEL, 1L) &&
           SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) && SET(CURLOPT_SSL_VERIFYPEER, 1L) &&
           SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
           SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_CAPATH, NULL) &&
           SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) && SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_MAXAGE_CONN, (long)IDLE_AGE_S) && SET(CURLOPT_TCP_KEEPALIVE, 1L) &&
           SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
}

static bool set_hooks(CURL *easy, struct http_exchange *exchange)
{
    return SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket) &&
           SET(CURLOPT_OPENSOCKETDATA, exchange) &&
           SET(CURLOPT_CLOSESOCKETFUNCTION, multi_loop_close_socket) &&
           SET(CURLOPT_PREREQFUNCTION, on_before_request) && SET(CURLOPT_PREREQDATA, exchange) &&
           SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, exchange) &&
           SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, exchange) &&
           SET(CURLOPT_ERRORBUFFER, exchange->error) && SET(CURLOPT_PRIVATE, exchange);
}

/* The system's certificates do not change when an endpoint does. */
static bool set_trust(CURL *easy, const struct http_post *post)
{
    const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
    long cached_s = post->ca_file ? (long)post->trust_age_s : (long)SYSTEM_TRUST_AGE_S;
    return SET(CURLOPT_CAINFO, post->ca_file ? post->ca_file : system) &&
           SET(CURLOPT_CA_CACHE_TIMEOUT, cached_s) &&
           SET(CURLOPT_SSLCERT, post->client_cert_file) &&
           SET(CURLOPT_SSLKEY, post->client_key_file) &&
           SET(CURLOPT_PINNEDPUBLICKEY, post->public_key_pins);
}

/* Either way libcurl has no name to resolve. An empty proxy: none, whatever the environment says.
 */
static bool set_route(CURL *easy, struct http_exchange *exchange,
                      const struct sockaddr_storage *pinned)
{
    const struct proxy *proxy = exchange->client->proxy;
    address_text((const struct sockaddr *)pinned, exchange->pinned);
    if (proxy) {
        proxy_url(proxy, pinned, exchange->proxy);
        return SET(CURLOPT_PROXY, exchange->proxy) &&
               SET(CURLOPT_PROXYUSERPWD, proxy_credentials(proxy));
    }
    /* "::address:" says: whatever host and port, connect to this address, same port. */
    (void)snprintf(exchange->connect_text, sizeof(exchange->connect_text),
                   pinned->ss_family == AF_INET6 ? "::[%s]:" : "::%s:", exchange->pinned);
    exchange->connect_to = (struct curl_slist){.data = exchange->connect_text};
    return SET(CURLOPT_PROXY, "") && SET(CURLOPT_CONNECT_TO, &exchange->connect_to);
}

static bool set_post(CURL *easy, const struct http_exchange *exchange, const struct http_post *post)
{
    bool fresh = post->fresh || post->trust_age_s == 0;
    return SET(CURLOPT_URL, post->url) && SET(CURLOPT_POST, 1L) &&
           SET(CURLOPT_CLOSESOCKETDATA, exchange->pool->multi) &&
           SET(CURLOPT_PROTOCOLS_STR, post->allow_http ? "https,http" : "https") &&
           SET(CURLOPT_POSTFIELDS, post->body) &&
           SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_size) &&
           SET(CURLOPT_HTTPHEADER, exchange->headers) &&
           SET(CURLOPT_MAXLIFETIME_CONN, (long)post->trust_age_s) &&
           SET(CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)post->connect_ms) &&
           SET(CURLOPT_TIMEOUT_MS, (long)post->total_ms);
}

static void exchange_free(struct http_exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    buffer_done(&exchange->body);
    free(exchange);
}

static struct http_exchange *exchange_new(struct http_client *client)
{
    struct http_exchange *exchange = memory_zero(1, sizeof(*exchange));
    exchange->client = client;
    exchange->easy = curl_easy_init();
    assert(exchange->easy);
    buffer_init(&exchange->body, HTTP_ANSWER_MAX);
    CURL *easy = exchange->easy;
    bool set =
        set_safety(easy) && set_hooks(easy, exchange) && SET(CURLOPT_USERAGENT, client->user_agent);
    assert(set); /* all of them are known to the libcurl that we need */
    return exchange;
}

static struct http_exchange *exchange_take(struct http_client *client)
{
    struct http_exchange *exchange = client->pool;
    if (!exchange)
        return exchange_new(client);
    DL_DELETE(client->pool, exchange);
    client->pooled--;
    return exchange;
}

/* Headers hold credentials: wiped at once, not when the exchange is used next. */
static void exchange_return(struct http_exchange *exchange)
{
    struct http_client *client = exchange->client;
    explicit_bzero(exchange->header_text, sizeof(exchange->header_text));
    if (client->pooled >= client->pool_max) {
        exchange_free(exchange);
        return;
    }
    if (exchange->body.capacity > BODY_KEPT_MAX)
        buffer_done(&exchange->body);
    DL_PREPEND(client->pool, exchange);
    client->pooled++;
}

/* The list lives in the exchange, so that a request costs no allocation for it. */
static int take_headers(struct http_exchange *exchange, const struct http_post *post)
{
    size_t used = 0;
    size_t count = 0;
    for (; count < HTTP_HEADERS_MAX && post->headers[count]; count++) {
        size_t size = strlen(post->headers[count]) + 1;
        if (size > sizeof(exchange->header_text) - used)
            return -EMSGSIZE;
        char *text = memcpy(exchange->header_text + used, post->headers[count], size);
        exchange->headers[count] = (struct curl_slist){.data = text};
        if (count > 0)
            exchange->headers[count - 1].next = &exchange->headers[count];
        used += size;
    }
    assert(count > 0);
    return 0;
}

static int exchange_begin(struct http_exchange *exchange, const struct http_post *post)
{
    exchange->allowed = post->allowed;
    exchange->sends = SEND_NONE;
    exchange->dropped = exchange->body_cut = false;
    exchange->head_size = 0;
    exchange->retry_after[0] = exchange->error[0] = exchange->refused[0] = '\0';
    buffer_drop(&exchange->body, exchange->body.size);
    int result = take_headers(exchange, post);
    if (result < 0)
        return result;
    CURL *easy = exchange->easy;
    exchange->pool = connection_pools_find(exchange->client->pools, post->ca_file, post->bulk);
    if (!set_post(easy, exchange, post) || !set_trust(easy, post) ||
        !set_route(easy, exchange, post->pinned) ||
        curl_multi_add_handle(multi_loop_handle(exchange->pool->multi), easy) != CURLM_OK)
        return -EINVAL;
    exchange->pool->users++;
    return 0;
}

int http_client_post(struct http_client *client, const struct http_post *post, http_done *done,
                     void *arg, struct http_exchange **ret_exchange)
{
    assert(post->connect_ms > 0 && post->total_ms > 0 && post->trust_age_s >= 0);
    struct http_exchange *exchange = exchange_take(client);
    exchange->done = done;
    exchange->arg = arg;
    int result = exchange_begin(exchange, post);
    if (result < 0) {
        exchange_return(exchange);
        return result;
    }
    client->under_way++;
    *ret_exchange = exchange;
    return 0;
}

static void exchange_stop(struct http_exchange *exchange)
{
    CURLMcode code =
        curl_multi_remove_handle(multi_loop_handle(exchange->pool->multi), exchange->easy);
    assert(code == CURLM_OK);
    exchange->pool->users--;
    exchange->client->under_way--;
}

void http_client_abort(struct http_exchange **exchange)
{
    struct http_exchange *old = TAKE(*exchange);
    exchange_stop(old);
    exchange_return(old);
}

/* libcurl says 0 for a phase that was not reached. */
static int64_t phase_us(CURL *easy, CURLINFO info)
{
    curl_off_t value = 0;
    if (curl_easy_getinfo(easy, info, &value) != CURLE_OK || value <= 0)
        return -1;
    return (int64_t)value;
}

static void read_remote(CURL *easy, struct http_outcome *outcome)
{
    char *address = NULL;
    long port = 0;
    if (curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address && *address &&
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port) == CURLE_OK)
        (void)snprintf(outcome->remote, sizeof(outcome->remote),
                       strchr(address, ':') ? "[%s]:%ld" : "%s:%ld", address, port);
}

void http_client_progress(struct http_exchange *exchange, struct http_outcome *ret_outcome)
{
    CURL *easy = exchange->easy;
    long status = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    *ret_outcome = (struct http_outcome){
        .dropped = exchange->dropped,
        .http_status = (int)status,
        .body = (const char *)exchange->body.bytes,
        .body_size = exchange->body.size,
        .body_cut = exchange->body_cut,
        .retry_after = exchange->retry_after[0] ? exchange->retry_after : NULL,
        .connect_us = phase_us(easy, CURLINFO_CONNECT_TIME_T),
        .tls_us = phase_us(easy, CURLINFO_APPCONNECT_TIME_T),
        .first_byte_us = phase_us(easy, CURLINFO_STARTTRANSFER_TIME_T),
        .total_us = phase_us(easy, CURLINFO_TOTAL_TIME_T),
    };
    read_remote(easy, ret_outcome);
}

static const char *error_of(const struct http_exchange *exchange, CURLcode code)
{
    if (exchange->dropped)
        return "the kept connection was closed before an answer";
    if (exchange->refused[0])
        return exchange->refused;
    return exchange->error[0] ? exchange->error : curl_easy_strerror(code);
}

static void finished(struct http_exchange *exchange, CURLcode code)
{
    struct http_outcome outcome;
    http_client_progress(exchange, &outcome);
    outcome.answered = outcome.http_status > 0 && (code == CURLE_OK || outcome.body_cut);
    outcome.unreachable = !outcome.answered && !outcome.dropped && exchange->sends == SEND_NONE;
    if (!outcome.answered)
        outcome.error = error_of(exchange, code);
    exchange_stop(exchange);
    exchange->done(exchange->arg, &outcome);
    exchange_return(exchange);
}

/* Whoever is told of an end may post anew, and a pool that is idle may be closed for it. */
static void on_worked(struct connection_pool *pool)
{
    CURLMsg *message;
    int left;
    pool->users++;
    while ((message = curl_multi_info_read(multi_loop_handle(pool->multi), &left))) {
        assert(message->msg == CURLMSG_DONE);
        char *private = NULL;
        CURLcode code = message->data.result;
        CURLcode got = curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        assert(got == CURLE_OK && private);
        finished((struct http_exchange *)(void *)private, code);
    }
    pool->users--;
}

static int client_open(struct http_client *client, uv_loop_t *loop,
                       const struct http_client_options *options,
                       char ret_error[static HTTP_CLIENT_ERROR_SIZE])
{
    int result = resolver_new(loop, options->dns_servers, &client->resolver);
    if (result < 0) {
        (void)snprintf(ret_error, HTTP_CLIENT_ERROR_SIZE,
                       result == -EINVAL ? "\"%s\" is not a list of name servers"
                                         : "c-ares does not start",
                       options->dns_servers);
        return result;
    }
    result = proxy_new(client->resolver, options->proxy, &client->proxy);
    if (result < 0)
        (void)snprintf(ret_error, HTTP_CLIENT_ERROR_SIZE, "the proxy is not http://host:port");
    return result;
}

int http_client_new(uv_loop_t *loop, const struct http_client_options *options,
                    struct http_client **ret_client, char ret_error[static HTTP_CLIENT_ERROR_SIZE])
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)snprintf(ret_error, HTTP_CLIENT_ERROR_SIZE, "libcurl does not start");
        return -ENOMEM;
    }
    _cleanup_(http_client_free) struct http_client *client = memory_zero(1, sizeof(*client));
    client->pool_max = options->connections_max;
    client->user_agent = memory_text(options->user_agent);
    client->pools = connection_pools_new(loop, options->connections_max, on_worked);
    int result = client_open(client, loop, options, ret_error);
    if (result == 0)
        *ret_client = TAKE(client);
    return result;
}

struct resolver *http_client_resolver(struct http_client *client)
{
    return client->resolver;
}

struct host *http_client_proxy(struct http_client *client)
{
    return client->proxy ? proxy_host(client->proxy) : NULL;
}

void http_client_free(struct http_client **client)
{
    struct http_client *old = TAKE(*client);
    if (!old)
        return;
    assert(old->under_way == 0);
    struct http_exchange *exchange, *next;
    DL_FOREACH_SAFE (old->pool, exchange, next)
        exchange_free(exchange);
    connection_pools_free(&old->pools);
    proxy_free(&old->proxy);
    resolver_free(&old->resolver);
    free(old->user_agent);
    free(old);
    curl_global_cleanup();
}
