/* sender - vendgate's side of a measurement: takes events from standard input as they happen and
 * sends each as a durable, signed callback with the production store and outbound.
 *
 *   sender --database URL --ca FILE --secret WHSEC --port N ... [--dns ADDRESS:PORT]
 *          [--connections N] [--feeds] [--patience SECONDS]
 *
 * Prints "ready" when events are welcome, and after the last outcome was recorded one line of
 * figures as JSON. */
#include "bench/lib/lines.h"
#include "bench/sender/sender.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct program {
    uv_loop_t loop;
    struct sender_options options;
    struct sender *sender;
};

static void on_line(void *arg, const char *line)
{
    struct program *program = arg;
    struct event event;
    if (!event_read(line, &event)) {
        (void)fprintf(stderr, "sender: a line that is no event\n");
        exit(1);
    }
    sender_take(program->sender, &event);
}

static void on_end(void *arg)
{
    struct program *program = arg;
    sender_end(program->sender);
}

static void on_ready(void *arg)
{
    static const struct lines_handlers EVENTS = {.line = on_line, .ended = on_end};
    struct program *program = arg;
    lines_open(&program->loop, STDIN_FILENO, &EVENTS, program);
    (void)puts("ready");
    (void)fflush(stdout);
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void on_done(void *arg)
{
    struct program *program = arg;
    struct sender_figures figures = sender_figures(program->sender);
    printf("{\"events\": %" PRId64 ", \"committed\": %" PRId64 ", \"delivered\": %" PRId64
           ", \"failed_attempts\": %" PRId64 ", \"recorded_ns\": %" PRId64 ", \"cpu_s\": %.3f}\n",
           figures.events, figures.committed, figures.delivered, figures.failed_attempts,
           figures.recorded_ns, cpu_s());
    (void)fflush(stdout);
    sender_close(&program->sender);
}

int main(int argc, char **argv)
{
    static const struct sender_handlers HANDLERS = {.ready = on_ready, .done = on_done};
    struct program program;
    sender_options_read(argc, argv, &program.options);
    (void)signal(SIGPIPE, SIG_IGN); /* as in the daemon */
    uv_loop_init(&program.loop);
    program.sender = sender_open(&program.loop, &program.options, &HANDLERS, &program);
    uv_run(&program.loop, UV_RUN_DEFAULT);
    uv_loop_close(&program.loop);
    return 0;
}
