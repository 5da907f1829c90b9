#include "sample_integrator/callbacks.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "sample_integrator/callback_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 1 << 20, FILE_MAX = 1 << 20, IDLE_S = 120, CONNECTIONS_MAX = 512 };

struct callbacks {
    struct MHD_Daemon *daemon;
    struct callback_log *log;
    struct signature_secret secret;
    callbacks_received *received;
    void *arg;
    unsigned open_requests;
};

struct request {
    struct buffer body;
    bool too_large;
};

static const char *const PATHS[] = {
    "/txn/request",  "/txn/vend",    "/txn/unlock",          "/feed/transactions",
    "/feed/refills", "/feed/alerts", "/feed/button_actions",
};

static bool is_path(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(PATHS); i++)
        if (strcmp(PATHS[i], path) == 0)
            return true;
    return false;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              const char *message)
{
    json_t *envelope =
        json_pack("{s:b, s:s?}", "success", status == MHD_HTTP_OK, "message", message);
    char *text = json_dumps(envelope, JSON_COMPACT);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    json_decref(envelope);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum signature_verdict verify(const struct callbacks *callbacks,
                                     struct MHD_Connection *connection,
                                     const struct request *request)
{
    struct signature_claim claim = {
        .id = header(connection, "webhook-id"),
        .timestamp = header(connection, "webhook-timestamp"),
        .signature = header(connection, "webhook-signature"),
        .body = request->body.bytes,
        .body_size = request->body.size,
    };
    return signature_check(&callbacks->secret, &claim, clock_unix_s());
}

/* Logged before it is answered: what we said yes to is on record. */
static enum MHD_Result receive(struct callbacks *callbacks, struct MHD_Connection *connection,
                               const char *path, const struct request *request)
{
    enum signature_verdict verdict = verify(callbacks, connection, request);
    const char *id = verdict == SIGNATURE_GOOD ? header(connection, "webhook-id") : NULL;
    struct callback_entry entry = {
        .path = path,
        .connection = connection,
        .body = (const char *)request->body.bytes,
        .body_size = request->body.size,
        .verified = verdict == SIGNATURE_GOOD,
        .duplicate = id && callback_log_seen(callbacks->log, id),
    };
    if (callback_log_append(callbacks->log, &entry) < 0)
        return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the log cannot be written");
    if (!entry.verified)
        return answer(connection, MHD_HTTP_UNAUTHORIZED, signature_verdict_text(verdict));
    json_t *body = json_loadb(entry.body, entry.body_size, JSON_REJECT_DUPLICATES, NULL);
    bool readable = json_is_object(body);
    if (readable && !entry.duplicate) {
        callback_log_remember(callbacks->log, id);
        callbacks->received(callbacks->arg, path, body);
    }
    json_decref(body);
    return readable ? answer(connection, MHD_HTTP_OK, NULL)
                    : answer(connection, MHD_HTTP_BAD_REQUEST, "the body is no JSON object");
}

static enum MHD_Result dispatch(struct callbacks *callbacks, struct MHD_Connection *connection,
                                const char *path, const struct request *request)
{
    if (!is_path(path))
        return answer(connection, MHD_HTTP_NOT_FOUND, "no such callback");
    if (request->too_large)
        return answer(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    return receive(callbacks, connection, path, request);
}

/* libmicrohttpd calls once with the head, then with each piece of the body, then with none. */
// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version UNUSED,
                                  const char *upload, size_t *upload_size, void **state)
{
    struct callbacks *callbacks = arg;
    struct request *request = *state;
    if (!request) {
        request = memory_zero(1, sizeof(*request));
        buffer_init(&request->body, BODY_MAX);
        callbacks->open_requests++;
        *state = request;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        request->too_large |= buffer_add(&request->body, upload, *upload_size) < 0;
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "callbacks are POSTed");
    return dispatch(callbacks, connection, path, request);
}

static void on_completed(void *arg, struct MHD_Connection *connection UNUSED, void **state,
                         enum MHD_RequestTerminationCode reason UNUSED)
{
    struct callbacks *callbacks = arg;
    struct request *request = TAKE(*state);
    if (!request)
        return;
    callbacks->open_requests--;
    buffer_done(&request->body);
    free(request);
}

/* With a NUL behind it; NULL: errno says why. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = memory_zero(FILE_MAX + 1, 1);
    size_t size = fread(text, 1, FILE_MAX, file);
    bool whole = !ferror(file) && size < FILE_MAX;
    fclose(file);
    if (whole)
        return text;
    free(text);
    errno = EFBIG;
    return NULL;
}

static int listen_on(struct callbacks *callbacks, const struct callbacks_config *config)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    _cleanup_(memory_text_free) char *cert = read_file(config->cert_file);
    _cleanup_(memory_text_free) char *key = read_file(config->key_file);
    if (inet_pton(AF_INET, config->address, &address.sin_addr) != 1)
        return -EINVAL;
    if (!cert || !key)
        return -ENOENT;
    callbacks->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TLS | MHD_USE_ERROR_LOG, config->port, NULL, NULL, on_request,
        callbacks, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_HTTPS_MEM_CERT,
        cert, MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_NOTIFY_COMPLETED, on_completed, callbacks,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
    explicit_bzero(key, strlen(key));
    return callbacks->daemon ? 0 : -EADDRINUSE;
}

int callbacks_open(const struct callbacks_config *config, struct callbacks **ret_callbacks)
{
    struct callbacks *callbacks = memory_zero(1, sizeof(*callbacks));
    callbacks->secret = *config->secret;
    callbacks->received = config->received;
    callbacks->arg = config->arg;
    int result = callback_log_open(config->log_path, &callbacks->log);
    if (result < 0)
        fprintf(stderr, "sample_integrator: %s: %s\n", config->log_path, strerror(-result));
    else if ((result = listen_on(callbacks, config)) < 0)
        fprintf(stderr, "sample_integrator: cannot serve on %s:%u with %s and %s: %s\n",
                config->address, config->port, config->cert_file, config->key_file,
                strerror(-result));
    if (result < 0)
        callbacks_close(&callbacks);
    *ret_callbacks = callbacks;
    return result;
}

void callbacks_close(struct callbacks **callbacks)
{
    struct callbacks *old = TAKE(*callbacks);
    if (!old)
        return;
    if (old->daemon)
        MHD_stop_daemon(old->daemon);
    callback_log_close(&old->log);
    explicit_bzero(&old->secret, sizeof(old->secret));
    free(old);
}

void callbacks_work(struct callbacks *callbacks)
{
    (void)MHD_run(callbacks->daemon); /* what goes wrong with a connection ends that connection */
}

int callbacks_fd(const struct callbacks *callbacks)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(callbacks->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    assert(info);
    return info->epoll_fd;
}

int callbacks_timeout_ms(const struct callbacks *callbacks)
{
    enum { LONGEST_MS = 60 * 1000 };
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    if (MHD_get_timeout(callbacks->daemon, &timeout_ms) != MHD_YES)
        return -1;
    return timeout_ms < LONGEST_MS ? (int)timeout_ms : LONGEST_MS;
}

bool callbacks_idle(const struct callbacks *callbacks)
{
    return callbacks->open_requests == 0;
}
