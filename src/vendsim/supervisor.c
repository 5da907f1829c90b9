#include "vendsim/supervisor.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"
#include "vendsim/lines.h"
#include "vendsim/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>
#include <uv.h>

enum { PENDING_MAX = 1000, BACKLOG = 16, KILL_AFTER_MS = 30 * 1000, ANSWER_SIZE = 256 };

struct child {
    pid_t pid; /* 0: reaped */
    int fd;
    struct lines *lines;
};

/* An order on its way to the workers; the first of the list is with them. */
struct pending {
    struct lines *source; /* NULL: standard input, or gone */
    char *text;
    size_t answers;
    int64_t machines;
    char problem[ANSWER_SIZE / 2];
    struct pending *prev, *next;
};

struct supervisor {
    uv_loop_t loop;
    uv_signal_t terminate, interrupt, reaper;
    uv_pipe_t server;
    bool serving;
    const char *socket_path;
    struct child *children;
    size_t child_count;
    struct pending *pending;
    size_t pending_count;
    struct lines *input; /* standard input */
    struct lines **clients;
    size_t client_count;
    struct timer *killer;
    bool stopping, failed;
};

static void pending_free(struct supervisor *supervisor, struct pending *pending)
{
    DL_DELETE(supervisor->pending, pending);
    supervisor->pending_count--;
    free(pending->text);
    free(pending);
}

static void send_first(struct supervisor *supervisor)
{
    const struct pending *first = supervisor->pending;
    for (size_t i = 0; first && i < supervisor->child_count; i++)
        if (supervisor->children[i].lines)
            lines_write(supervisor->children[i].lines, first->text);
}

static void answer(const struct pending *pending)
{
    char text[ANSWER_SIZE];
    const char *problem = pending->problem;
    if (problem[0] == '\0' && pending->machines == 0)
        problem = "no such machine";
    if (problem[0])
        snprintf(text, sizeof(text), "{\"success\":false,\"message\":\"%s\"}", problem);
    else
        snprintf(text, sizeof(text), "{\"success\":true,\"machines\":%lld}",
                 (long long)pending->machines);
    if (pending->source)
        lines_write(pending->source, text);
    else if (problem[0])
        fprintf(stderr, "vendsim: order refused: %s\n", problem);
}

static void on_worker_answer(void *arg, struct lines *lines UNUSED, const char *bytes, size_t size)
{
    struct supervisor *supervisor = arg;
    struct pending *first = supervisor->pending;
    if (!first)
        return;
    json_t *told = json_loadb(bytes, size, 0, NULL);
    const char *problem = json_string_value(json_object_get(told, "message"));
    first->machines += json_integer_value(json_object_get(told, "machines"));
    if (problem)
        snprintf(first->problem, sizeof(first->problem), "%s", problem);
    json_decref(told);
    if (++first->answers < supervisor->child_count)
        return;
    answer(first);
    pending_free(supervisor, first);
    send_first(supervisor);
}

static void order_arrived(struct supervisor *supervisor, struct lines *source, const char *bytes,
                          size_t size)
{
    if (supervisor->pending_count == PENDING_MAX) {
        if (source)
            lines_close(source);
        return;
    }
    struct pending *pending = memory_zero(1, sizeof(*pending));
    pending->source = source;
    pending->text = memory_bytes(bytes, size);
    DL_APPEND(supervisor->pending, pending);
    supervisor->pending_count++;
    if (supervisor->pending == pending)
        send_first(supervisor);
}

static void on_input_line(void *arg, struct lines *lines UNUSED, const char *bytes, size_t size)
{
    order_arrived(arg, NULL, bytes, size);
}

static void on_input_closed(void *arg, struct lines *lines UNUSED)
{
    struct supervisor *supervisor = arg;
    supervisor->input = NULL;
}

static void on_client_line(void *arg, struct lines *lines, const char *bytes, size_t size)
{
    order_arrived(arg, lines, bytes, size);
}

static void on_client_closed(void *arg, struct lines *lines)
{
    struct supervisor *supervisor = arg;
    struct pending *pending;
    DL_FOREACH (supervisor->pending, pending)
        if (pending->source == lines)
            pending->source = NULL;
    for (size_t i = 0; i < supervisor->client_count; i++)
        if (supervisor->clients[i] == lines)
            supervisor->clients[i] = supervisor->clients[--supervisor->client_count];
}

static const struct lines_hooks WORKER_HOOKS;
static const struct lines_hooks INPUT_HOOKS = {.line = on_input_line, .closed = on_input_closed};
static const struct lines_hooks CLIENT_HOOKS = {.line = on_client_line, .closed = on_client_closed};

static void on_worker_closed(void *arg, struct lines *lines)
{
    struct supervisor *supervisor = arg;
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i].lines == lines)
            supervisor->children[i].lines = NULL;
}

static const struct lines_hooks WORKER_HOOKS = {.line = on_worker_answer,
                                                .closed = on_worker_closed};

static void on_client(uv_stream_t *server, int status)
{
    struct supervisor *supervisor = server->data;
    if (status < 0 || supervisor->stopping)
        return;
    supervisor->clients =
        memory_grow(supervisor->clients, supervisor->client_count + 1, sizeof(struct lines *));
    supervisor->clients[supervisor->client_count++] =
        lines_accept(server, &CLIENT_HOOKS, supervisor);
}

static void signal_children(const struct supervisor *supervisor, int number)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i].pid > 0)
            (void)kill(supervisor->children[i].pid, number);
}

static void on_too_slow(void *arg)
{
    signal_children(arg, SIGKILL);
}

static void stop(struct supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    supervisor->stopping = true;
    signal_children(supervisor, SIGTERM);
    timer_start(supervisor->killer, KILL_AFTER_MS);
    if (supervisor->serving)
        uv_close((uv_handle_t *)&supervisor->server, NULL);
    if (supervisor->input)
        lines_close(supervisor->input);
    for (size_t i = 0; i < supervisor->client_count; i++)
        lines_close(supervisor->clients[i]);
}

static void on_signal(uv_signal_t *handle, int number UNUSED)
{
    stop(handle->data);
}

/* All workers are gone: nothing may be left on the loop. */
static void finish(struct supervisor *supervisor)
{
    stop(supervisor);
    timer_free(&supervisor->killer);
    uv_close((uv_handle_t *)&supervisor->terminate, NULL);
    uv_close((uv_handle_t *)&supervisor->interrupt, NULL);
    uv_close((uv_handle_t *)&supervisor->reaper, NULL);
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i].lines)
            lines_close(supervisor->children[i].lines);
}

/* True: it has ended. One that ends unasked takes the simulation with it, lest a test believes in
 * machines that are not there. */
static bool reap(struct supervisor *supervisor, struct child *child)
{
    int status;
    if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid) {
        bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!well || !supervisor->stopping) {
            log_error("worker_ended", LOG_INT("pid", child->pid), LOG_INT("status", status));
            supervisor->failed = true;
        }
        child->pid = 0;
    }
    return child->pid == 0;
}

static void on_child(uv_signal_t *handle, int number UNUSED)
{
    struct supervisor *supervisor = handle->data;
    size_t ended = 0;
    for (size_t i = 0; i < supervisor->child_count; i++)
        ended += reap(supervisor, &supervisor->children[i]) ? 1 : 0;
    if (ended == supervisor->child_count)
        finish(supervisor);
    else if (ended > 0)
        stop(supervisor);
}

/* In the child: only its own end of its own socket is kept open. */
static void child_main(struct supervisor *supervisor, const struct worker_share *share,
                       pid_t parent)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        close(supervisor->children[i].fd);
    free(supervisor->children);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* machines without their supervisor: a power cut */
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    exit(worker_run(share));
}

static int spawn(struct supervisor *supervisor, struct worker_share *share)
{
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        share->control_fd = pair[1];
        child_main(supervisor, share, parent);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -errno;
    }
    supervisor->children[supervisor->child_count++] = (struct child){.pid = pid, .fd = pair[0]};
    return 0;
}

/* Before any loop exists: a loop does not survive a fork. */
static int spawn_all(struct supervisor *supervisor, const struct options *options,
                     const struct roster *roster)
{
    size_t workers = (roster->count + WORKER_MACHINES_MAX - 1) / WORKER_MACHINES_MAX;
    supervisor->children = memory_zero(workers + 1, sizeof(struct child));
    for (size_t first = 0; first < roster->count; first += WORKER_MACHINES_MAX) {
        size_t left = roster->count - first;
        struct worker_share share = {
            .options = options,
            .roster = roster,
            .first = first,
            .count = left < WORKER_MACHINES_MAX ? left : WORKER_MACHINES_MAX,
        };
        int result = spawn(supervisor, &share);
        if (result < 0)
            return result;
    }
    return 0;
}

static void watch_signal(struct supervisor *supervisor, uv_signal_t *handle, int number,
                         uv_signal_cb callback)
{
    int result = uv_signal_init(&supervisor->loop, handle);
    assert(result == 0);
    handle->data = supervisor;
    result = uv_signal_start(handle, callback, number);
    assert(result == 0);
}

/* A socket that a killed simulation left behind is removed; anything else at that path is not ours.
 */
static int serve(struct supervisor *supervisor, const char *path)
{
    struct stat status;
    if (!path)
        return 0;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        (void)unlink(path);
    int result = uv_pipe_init(&supervisor->loop, &supervisor->server, 0);
    assert(result == 0);
    supervisor->server.data = supervisor;
    supervisor->serving = true;
    result = uv_pipe_bind(&supervisor->server, path);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&supervisor->server, BACKLOG, on_client);
    return result;
}

static void begin(struct supervisor *supervisor, const struct options *options)
{
    int result = uv_loop_init(&supervisor->loop);
    assert(result == 0);
    supervisor->killer = timer_new(&supervisor->loop, on_too_slow, supervisor);
    watch_signal(supervisor, &supervisor->terminate, SIGTERM, on_signal);
    watch_signal(supervisor, &supervisor->interrupt, SIGINT, on_signal);
    watch_signal(supervisor, &supervisor->reaper, SIGCHLD, on_child);
    for (size_t i = 0; i < supervisor->child_count; i++)
        supervisor->children[i].lines =
            lines_open(&supervisor->loop, supervisor->children[i].fd, &WORKER_HOOKS, supervisor);
    supervisor->input = lines_open(&supervisor->loop, STDIN_FILENO, &INPUT_HOOKS, supervisor);
    result = serve(supervisor, options->control);
    if (result < 0) {
        log_error("control_unusable", LOG_TEXT("path", options->control),
                  LOG_TEXT("error", strerror(-result)));
        supervisor->failed = true;
        stop(supervisor);
    }
    on_child(&supervisor->reaper, SIGCHLD); /* one may have ended before we watched */
}

int supervisor_run(const struct options *options, const struct roster *roster)
{
    struct supervisor supervisor = {0};
    int result = spawn_all(&supervisor, options, roster);
    if (result < 0) {
        log_error("fork_failed", LOG_TEXT("error", strerror(-result)));
        signal_children(&supervisor, SIGTERM);
        free(supervisor.children);
        return EXIT_FAILURE;
    }
    begin(&supervisor, options);
    uv_run(&supervisor.loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&supervisor.loop);
    assert(busy == 0);
    while (supervisor.pending)
        pending_free(&supervisor, supervisor.pending);
    free(supervisor.clients);
    free(supervisor.children);
    return supervisor.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
