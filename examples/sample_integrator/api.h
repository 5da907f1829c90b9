/* api.h - calls the gateway's Inbound API with libcurl; many at once, none blocks. */
#ifndef SAMPLE_INTEGRATOR_API_H
#define SAMPLE_INTEGRATOR_API_H

#include "base/macros.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdint.h>

struct api;

/* Texts are borrowed while the api lives. */
struct api_config {
    const char *url; /* https://host:port */
    const char *ca_file;
    const char *key;
    const char *user, *password; /* NULL: the key alone */
    const char *log_path;        /* answers are appended (call_log.h); NULL: nowhere */
};

/* -EIO: libcurl cannot be used; or the errno of the log. */
MUST_CHECK int api_new(const struct api_config *config, struct api **ret_api);
void api_free(struct api **api);

/* What became of a call. `answer` is NULL when there was none, or none that is an envelope
 * (borrowed for the call). */
struct api_result {
    const json_t *answer;
    long http_status;    /* 0: no answer */
    const char *problem; /* without an answer: why */
    int64_t took_ms;
};
typedef void api_done(void *arg, const struct api_result *result);

/* POSTs `body` (taken) to `path` (a literal). `done` runs exactly once, from api_work(), unless the
 * api is freed before. */
void api_post(struct api *api, const char *path, json_t *body, api_done *done, void *arg);

/* Moves what can be moved and reports what is done. */
void api_work(struct api *api);
/* Waits for the network, for one of `others`, or for `timeout_ms`. */
void api_wait(struct api *api, struct curl_waitfd *others, unsigned count, int timeout_ms);

#endif
