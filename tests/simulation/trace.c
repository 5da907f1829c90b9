#include "trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 150
#define ABOUT_SIZE 48

struct line {
    int64_t now_ms, event, a, b;
    const char *what;
    char about[ABOUT_SIZE];
};

static struct {
    uint64_t seed, digest;
    int64_t events_before, events_wanted, events, now_ms;
    bool print;
    size_t count; /* ever */
    struct line tail[TAIL];
} trace;

void trace_begin(uint64_t seed, int64_t events, bool print)
{
    trace.seed = seed;
    trace.digest = UINT64_C(0xcbf29ce484222325);
    trace.events_wanted = events;
    trace.events = trace.now_ms = 0;
    trace.print = print;
    trace.count = 0;
}

void trace_count_before(int64_t events)
{
    trace.events_before = events;
}

void trace_time(int64_t now_ms)
{
    trace.now_ms = now_ms;
}

void trace_count(int64_t events)
{
    trace.events = events;
}

static void mix(uint64_t value)
{
    trace.digest = (trace.digest ^ value) * UINT64_C(0x100000001b3);
    trace.digest ^= trace.digest >> 29;
}

static void mix_text(const char *text)
{
    for (; *text; text++)
        mix((unsigned char)*text);
}

static void print_line(const struct line *line)
{
    printf("%6" PRId64 " %10.3f  %-26s %-40s %" PRId64 " %" PRId64 "\n", line->event,
           (double)line->now_ms / 1000, line->what, line->about, line->a, line->b);
}

void trace_add(const char *what, const char *about, int64_t a, int64_t b)
{
    struct line *line = &trace.tail[trace.count++ % TAIL];
    line->now_ms = trace.now_ms;
    line->event = trace.events;
    line->a = a;
    line->b = b;
    line->what = what;
    line->about[0] = '\0';
    if (about) {
        size_t size = strnlen(about, ABOUT_SIZE - 1);
        memcpy(line->about, about, size);
        line->about[size] = '\0';
    }
    mix((uint64_t)trace.now_ms);
    mix((uint64_t)a);
    mix((uint64_t)b);
    mix_text(what);
    mix_text(line->about);
    if (trace.print)
        print_line(line);
}

uint64_t trace_digest(void)
{
    return trace.digest;
}

bool trace_printing(void)
{
    return trace.print;
}

void trace_print_end(const char *promise, const char *why)
{
    size_t shown = trace.count < TAIL ? trace.count : TAIL;
    if (!trace.print)
        for (size_t i = trace.count - shown; i < trace.count; i++)
            print_line(&trace.tail[i % TAIL]);
    printf("\nBROKEN after %" PRId64 " events of the episode, %" PRId64 " in all: %s\n  %s\n",
           trace.events, trace.events_before + trace.events, promise, why);
    printf("digest %016" PRIx64 "\nreplay: make simulate SEED=%" PRIu64 " EVENTS=%" PRId64
           " TRACE=1\n",
           trace.digest, trace.seed, trace.events_wanted);
    fflush(stdout);
}

_Noreturn void promise_broken(const char *promise, const char *format, ...)
{
    char why[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    trace_print_end(promise, why);
    _Exit(1);
}
