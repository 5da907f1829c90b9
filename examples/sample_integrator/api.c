#include "sample_integrator/api.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "sample_integrator/call_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { ANSWER_MAX = 1 << 20, CONNECT_MS = 5000, TOTAL_MS = 90 * 1000 };

struct call {
    CURL *easy;
    struct buffer answer;
    const char *path;
    char *url, *body;
    char error[CURL_ERROR_SIZE];
    int64_t started_ms;
    api_done *done;
    void *arg;
    struct call *prev, *next;
};

struct api {
    struct api_config config;
    CURLM *multi;
    struct curl_slist *headers;
    struct call *calls;
    struct call_log *log;
};

int api_new(const struct api_config *config, struct api **ret_api)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -EIO;
    struct call_log *log = NULL;
    int result = config->log_path ? call_log_open(config->log_path, &log) : 0;
    if (result < 0)
        return result;
    struct api *api = memory_zero(1, sizeof(*api));
    _cleanup_(memory_text_free) char *key = memory_format("X-API-Key: %s", config->key);
    api->config = *config;
    api->log = log;
    api->multi = curl_multi_init();
    api->headers = curl_slist_append(NULL, "Content-Type: application/json");
    api->headers = curl_slist_append(api->headers, key);
    *ret_api = api;
    return 0;
}

static void call_free(struct api *api, struct call *call)
{
    DL_DELETE(api->calls, call);
    (void)curl_multi_remove_handle(api->multi, call->easy);
    curl_easy_cleanup(call->easy);
    buffer_done(&call->answer);
    free(call->url);
    free(call->body);
    free(call);
}

void api_free(struct api **api)
{
    struct api *old = TAKE(*api);
    if (!old)
        return;
    while (old->calls)
        call_free(old, old->calls);
    (void)curl_multi_cleanup(old->multi);
    curl_slist_free_all(old->headers);
    call_log_close(&old->log);
    free(old);
    curl_global_cleanup();
}

static size_t on_answer(char *bytes, size_t unit, size_t count, void *arg)
{
    struct call *call = arg;
    return buffer_add(&call->answer, bytes, unit * count) == 0 ? unit * count : 0;
}

static void set_options(const struct api *api, struct call *call)
{
    const struct api_config *config = &api->config;
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, api->headers);
    curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    if (!config->user)
        return;
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, config->user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, config->password);
}

void api_post(struct api *api, const char *path, json_t *body, api_done *done, void *arg)
{
    struct call *call = memory_zero(1, sizeof(*call));
    call->easy = curl_easy_init();
    call->path = path;
    call->url = memory_format("%s%s", api->config.url, path);
    call->body = json_dumps(body, JSON_COMPACT);
    call->started_ms = clock_monotonic_ms();
    call->done = done;
    call->arg = arg;
    json_decref(body);
    buffer_init(&call->answer, ANSWER_MAX);
    set_options(api, call);
    DL_APPEND(api->calls, call);
    CURLMcode code = curl_multi_add_handle(api->multi, call->easy);
    assert(code == CURLM_OK);
}

static void finish(struct api *api, struct call *call, CURLcode code)
{
    struct api_result result = {.took_ms = clock_monotonic_ms() - call->started_ms};
    json_t *answer = NULL;
    if (code == CURLE_OK) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &result.http_status);
        answer = json_loadb((const char *)call->answer.bytes, call->answer.size, 0, NULL);
        if (!json_is_boolean(json_object_get(answer, "success")))
            result.problem = "the answer is no envelope";
        else
            result.answer = answer;
        if (result.answer)
            call_log_append(api->log, call->path, call->body, result.http_status, answer);
    } else {
        result.problem = call->error[0] ? call->error : curl_easy_strerror(code);
    }
    call->done(call->arg, &result);
    json_decref(answer);
    call_free(api, call);
}

void api_work(struct api *api)
{
    int running;
    int left;
    const CURLMsg *message;
    CURLMcode code = curl_multi_perform(api->multi, &running);
    assert(code == CURLM_OK);
    while ((message = curl_multi_info_read(api->multi, &left))) {
        struct call *call = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        finish(api, call, result);
    }
}

void api_wait(struct api *api, struct curl_waitfd *others, unsigned count, int timeout_ms)
{
    CURLMcode code = curl_multi_poll(api->multi, others, count, timeout_ms, NULL);
    assert(code == CURLM_OK);
}
