#include "vendctl/admin_client.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/vendgate/admin.sock" /* as [admin] socket of vendgated.ini */
#define ANSWER_MAX 65536
#define PATIENCE_MS 30000L /* longer than the gateway lets any request wait */

static const char *socket_path(const struct invocation *invocation)
{
    const char *given = invocation_option(invocation, "admin-socket");
    const char *environment = getenv("VENDGATE_ADMIN_SOCKET");
    if (given)
        return given;
    return environment && environment[0] ? environment : DEFAULT_SOCKET;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct buffer *answer = arg;
    return buffer_add(answer, bytes, size * count) == 0 ? size * count : 0;
}

static void complain_of_transfer(CURL *curl, CURLcode code, const char *socket)
{
    long number = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && number == EACCES)
        complain("%s: permission denied: only root and the gateway's own user or group may act",
                 socket);
    else if (code == CURLE_COULDNT_CONNECT)
        complain("%s: no gateway answers there%s%s; does vendgated run, with this [admin] socket? "
                 "--admin-socket or VENDGATE_ADMIN_SOCKET names another",
                 socket, number ? ": " : "", number ? strerror((int)number) : "");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        complain("%s: no answer in time; whether it took effect is not known", socket);
    else
        complain("%s: %s", socket, curl_easy_strerror(code));
}

/* True: `answer` holds the body of whatever answered. */
static bool transfer(CURL *curl, const char *socket, const char *path, const char *body,
                     struct buffer *answer)
{
    _cleanup_(memory_text_free) char *url = memory_format("http://localhost%s", path);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    (void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, PATIENCE_MS);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        complain_of_transfer(curl, code, socket);
    curl_slist_free_all(headers);
    return code == CURLE_OK;
}

static int judge(const struct invocation *invocation, const char *socket,
                 const struct buffer *answer)
{
    char error[JSON_ERROR_SIZE];
    _cleanup_(json_release) json_t *envelope =
        json_read_object((const char *)answer->bytes, answer->size, error);
    if (!envelope) {
        complain("%s: what answers there is no vendgate: %s", socket, error);
        return 1;
    }
    if (json_is_true(json_object_get(envelope, "success"))) {
        invocation_print_object(invocation, envelope);
        return 0;
    }
    const char *message = json_string_value(json_object_get(envelope, "message"));
    const char *code = json_string_value(json_object_get(envelope, "code"));
    complain("%s (%s)", message ? message : "refused", code ? code : "no reason told");
    return 1;
}

int admin_client_act(const struct invocation *invocation, const char *path, json_t *body)
{
    const char *socket = socket_path(invocation);
    _cleanup_(memory_text_free) char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    CURL *curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (!curl) {
        complain("libcurl does not start");
        return 1;
    }
    struct buffer answer;
    buffer_init(&answer, ANSWER_MAX);
    int status = 1;
    if (transfer(curl, socket, path, text, &answer))
        status = judge(invocation, socket, &answer);
    buffer_done(&answer);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return status;
}
