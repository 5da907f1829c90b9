#include "outbound/multi_loop.h"

#include "base/macros.h"
#include "base/memory.h"
#include "base/timer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>

struct watcher {
    uv_poll_t poll;
    struct multi_loop *multi;
    curl_socket_t socket;
    UT_hash_handle hh;
};

struct multi_loop {
    uv_loop_t *loop;
    CURLM *curl;
    multi_loop_worked *worked;
    void *arg;
    struct watcher *watchers; /* by socket */
    struct timer *timer;
    uv_idle_t idle; /* runs with `check`: keeps the loop from blocking before it */
    uv_check_t check;
    bool armed;
    int closing; /* handles still to be closed */
};

static void work(struct multi_loop *multi, curl_socket_t socket, int events)
{
    int running;
    CURLMcode code = curl_multi_socket_action(multi->curl, socket, events, &running);
    assert(code == CURLM_OK);
    multi->worked(multi->arg);
}

static void on_socket_event(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = CONTAINER_OF(poll, struct watcher, poll);
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    work(watcher->multi, watcher->socket, flags);
}

static struct watcher *watcher_find(const struct multi_loop *multi, curl_socket_t socket)
{
    struct watcher *watcher;
    HASH_FIND_INT(multi->watchers, &socket, watcher);
    return watcher;
}

static struct watcher *watcher_new(struct multi_loop *multi, curl_socket_t socket)
{
    struct watcher *watcher = memory_zero(1, sizeof(*watcher));
    watcher->multi = multi;
    watcher->socket = socket;
    int result = uv_poll_init(multi->loop, &watcher->poll, socket);
    assert(result == 0);
    HASH_ADD_INT(multi->watchers, socket, watcher);
    return watcher;
}

static void on_watcher_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct watcher, poll));
}

static void watcher_free(struct multi_loop *multi, struct watcher *watcher)
{
    HASH_DEL(multi->watchers, watcher);
    uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
}

int multi_loop_close_socket(void *multi, curl_socket_t socket)
{
    struct multi_loop *self = multi;
    struct watcher *watcher = watcher_find(self, socket);
    if (watcher)
        watcher_free(self, watcher);
    return close(socket);
}

/* CURLMOPT_SOCKETFUNCTION. */
static int on_socket_wanted(CURL *easy UNUSED, curl_socket_t socket, int what, void *arg,
                            void *assigned UNUSED)
{
    struct watcher *watcher = watcher_find(arg, socket);
    if (what == CURL_POLL_REMOVE) {
        if (watcher)
            (void)uv_poll_stop(&watcher->poll); /* cannot fail */
        return 0;
    }
    if (!watcher)
        watcher = watcher_new(arg, socket);
    int events =
        ((what & CURL_POLL_IN) ? UV_READABLE : 0) | ((what & CURL_POLL_OUT) ? UV_WRITABLE : 0);
    int result = uv_poll_start(&watcher->poll, events, on_socket_event);
    assert(result == 0);
    return 0;
}

static void on_timer(void *arg)
{
    work(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_idle(uv_idle_t *idle UNUSED)
{
}

static void disarm(struct multi_loop *multi)
{
    multi->armed = false;
    (void)uv_idle_stop(&multi->idle); /* neither can fail */
    (void)uv_check_stop(&multi->check);
}

static void on_check(uv_check_t *check)
{
    struct multi_loop *multi = CONTAINER_OF(check, struct multi_loop, check);
    disarm(multi);
    work(multi, CURL_SOCKET_TIMEOUT, 0);
}

static void arm(struct multi_loop *multi)
{
    multi->armed = true;
    (void)uv_idle_start(&multi->idle, on_idle); /* neither can fail */
    (void)uv_check_start(&multi->check, on_check);
}

/* CURLMOPT_TIMERFUNCTION. */
static int on_timer_wanted(CURLM *curl UNUSED, long timeout_ms, void *arg)
{
    struct multi_loop *multi = arg;
    timer_stop(multi->timer);
    if (multi->armed)
        disarm(multi);
    if (timeout_ms == 0)
        arm(multi);
    else if (timeout_ms > 0)
        timer_start(multi->timer, timeout_ms);
    return 0;
}

struct multi_loop *multi_loop_new(uv_loop_t *loop, multi_loop_worked *worked, void *arg)
{
    struct multi_loop *multi = memory_zero(1, sizeof(*multi));
    multi->loop = loop;
    multi->worked = worked;
    multi->arg = arg;
    multi->timer = timer_new(loop, on_timer, multi);
    int result = uv_idle_init(loop, &multi->idle) | uv_check_init(loop, &multi->check);
    assert(result == 0);
    multi->curl = curl_multi_init();
    assert(multi->curl);
    bool set =
        curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket_wanted) == CURLM_OK &&
        curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi) == CURLM_OK &&
        curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer_wanted) == CURLM_OK &&
        curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi) == CURLM_OK &&
        curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK;
    assert(set);
    return multi;
}

CURLM *multi_loop_handle(const struct multi_loop *multi)
{
    return multi->curl;
}

static void on_closed(uv_handle_t *handle)
{
    struct multi_loop *multi = handle->data;
    if (--multi->closing == 0)
        free(multi);
}

void multi_loop_free(struct multi_loop **multi)
{
    struct multi_loop *old = TAKE(*multi);
    if (!old)
        return;
    CURLMcode code = curl_multi_cleanup(old->curl);
    assert(code == CURLM_OK);
    struct watcher *watcher, *next;
    HASH_ITER (hh, old->watchers, watcher, next)
        watcher_free(old, watcher);
    timer_free(&old->timer);
    old->idle.data = old->check.data = old;
    old->closing = 2;
    uv_close((uv_handle_t *)&old->idle, on_closed);
    uv_close((uv_handle_t *)&old->check, on_closed);
}
