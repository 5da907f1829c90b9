#include "gateway/pump.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libmicrohttpd 0.9.75 can ask for one turn after the other without having anything to do. After
 * so many without a word from its descriptor it gets one a millisecond. */
#define EMPTY_TURNS_MAX 16

enum { HANDLE_COUNT = 3 };

struct pump {
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_check_t check; /* right after the descriptors were served: runs what these resumed */
    uv_timer_t timer;
    bool due; /* something was added or resumed since the last turn */
    int empty_turns;
    int handles_open;
};

static void schedule(struct pump *pump);

static void turn(struct pump *pump)
{
    pump->due = false;
    (void)MHD_run(pump->daemon); /* fails only for a daemon that is shut down */
    schedule(pump);
}

static void on_readable(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
    struct pump *pump = CONTAINER_OF(poll, struct pump, poll);
    pump->empty_turns = 0;
    turn(pump);
}

static void on_check(uv_check_t *check)
{
    struct pump *pump = CONTAINER_OF(check, struct pump, check);
    if (pump->due)
        turn(pump);
}

static void on_timer(uv_timer_t *timer)
{
    turn(CONTAINER_OF(timer, struct pump, timer));
}

static void schedule(struct pump *pump)
{
    MHD_UNSIGNED_LONG_LONG timeout = 0;
    if (MHD_get_timeout(pump->daemon, &timeout) != MHD_YES) {
        pump->empty_turns = 0;
        (void)uv_timer_stop(&pump->timer);
        return;
    }
    if (timeout == 0 && ++pump->empty_turns > EMPTY_TURNS_MAX)
        timeout = 1;
    (void)uv_timer_start(&pump->timer, on_timer, timeout, 0);
}

/* What every hang-up says, and what every UNIX socket says of TCP's options. */
static const char *const QUIET[] = {
    "Setting %s option",           "Failed to push the data", "Failed to send",
    "Connection socket is closed", "Application reported",
};

static bool is_quiet(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(QUIET); i++)
        if (strncmp(text, QUIET[i], strlen(QUIET[i])) == 0)
            return true;
    return false;
}

/* Some formats are the message, others only frame it. */
__attribute__((format(printf, 2, 0))) static void log_daemon(void *arg UNUSED, const char *format,
                                                             va_list arguments)
{
    if (is_quiet(format))
        return;
    char text[256];
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    if (!is_quiet(text))
        log_warning("http_library", LOG_TEXT("message", text));
}

static struct MHD_Daemon *start_daemon(const struct pump_handlers *handlers, size_t memory_max,
                                       size_t connections_max)
{
    unsigned int flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(flags, 0, NULL, NULL, handlers->request, handlers->arg,
                            MHD_OPTION_EXTERNAL_LOGGER, log_daemon, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, handlers->completed, handlers->arg,
                            MHD_OPTION_NOTIFY_CONNECTION, handlers->connection, handlers->arg,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_max,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned int)connections_max,
                            MHD_OPTION_CONNECTION_TIMEOUT, 0U, /* the front has the deadlines */
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static void init_handles(struct pump *pump, uv_loop_t *loop, int epoll_fd)
{
    int result = uv_poll_init(loop, &pump->poll, epoll_fd);
    result = result ? result : uv_check_init(loop, &pump->check);
    result = result ? result : uv_timer_init(loop, &pump->timer);
    result = result ? result : uv_poll_start(&pump->poll, UV_READABLE, on_readable);
    result = result ? result : uv_check_start(&pump->check, on_check);
    assert(result == 0); /* the descriptor is sound; nothing else can fail */
    uv_unref((uv_handle_t *)&pump->check);
    pump->handles_open = HANDLE_COUNT;
}

int pump_open(uv_loop_t *loop, const struct pump_handlers *handlers, size_t memory_max,
              size_t connections_max, struct pump **ret_pump)
{
    struct MHD_Daemon *daemon = start_daemon(handlers, memory_max, connections_max);
    if (!daemon)
        return -EIO;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    assert(info && info->epoll_fd >= 0); /* it was started with MHD_USE_EPOLL */
    struct pump *pump = memory_zero(1, sizeof(*pump));
    pump->daemon = daemon;
    init_handles(pump, loop, info->epoll_fd);
    *ret_pump = pump;
    return 0;
}

bool pump_add(struct pump *pump, int fd, const struct sockaddr *address, socklen_t address_size)
{
    pump->due = true;
    return MHD_add_connection(pump->daemon, fd, address, address_size) == MHD_YES;
}

/* libmicrohttpd also makes its descriptor readable, so a loop that would sleep does not. */
void pump_resume(struct pump *pump, struct MHD_Connection *connection)
{
    MHD_resume_connection(connection);
    pump->due = true;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct pump *pump = handle->data;
    if (--pump->handles_open == 0)
        free(pump);
}

void pump_free(struct pump **pump)
{
    struct pump *old = TAKE(*pump);
    if (!old)
        return;
    (void)uv_poll_stop(&old->poll); /* before the daemon closes the descriptor */
    (void)MHD_run(old->daemon);
    MHD_stop_daemon(old->daemon);
    uv_handle_t *handles[HANDLE_COUNT] = {(uv_handle_t *)&old->poll, (uv_handle_t *)&old->check,
                                          (uv_handle_t *)&old->timer};
    for (size_t i = 0; i < HANDLE_COUNT; i++) {
        handles[i]->data = old;
        uv_close(handles[i], on_handle_closed);
    }
}
