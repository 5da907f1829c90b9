/* source - the events of a measurement, written to standard output at the time when each happens.
 *
 * Open loop: the times are fixed beforehand and do not wait for whoever reads; a line that could be
 * written only later still tells its intended time. Phases follow each other without a pause.
 *
 *   source --phase RATE:COUNT ... [--endpoints N] [--lanes N] [--start NS]
 *
 * RATE is events a second, 0: all at once. Lanes are those of one endpoint. */
#include "base/clock.h"
#include "base/memory.h"
#include "bench/lib/event.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    PHASES_MAX = 64,
    LINE_SIZE = 128,
    PIPE_BYTES = 1024 * 1024, /* room for events that wait for a reader */
    NS_PER_S = 1000000000,
};

struct phase {
    int64_t rate, count;
};

struct source {
    struct phase phases[PHASES_MAX];
    size_t phase_count;
    int64_t endpoints, lanes; /* lanes of each endpoint */
    int64_t start_ns;
    int64_t number;     /* of the next event */
    int64_t *sequences; /* of each lane, the last one */
};

static void fail(const char *why)
{
    (void)fprintf(stderr, "source: %s\n", why);
    exit(2);
}

static int64_t integer(const char *text)
{
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < 0)
        fail("a number is expected");
    return value;
}

static void add_phase(struct source *source, const char *text)
{
    struct phase phase = {0};
    if (source->phase_count == PHASES_MAX ||
        sscanf(text, "%" SCNd64 ":%" SCNd64, &phase.rate, &phase.count) != 2 || phase.rate < 0 ||
        phase.count < 0)
        fail("--phase RATE:COUNT");
    source->phases[source->phase_count++] = phase;
}

static void read_options(struct source *source, int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"phase", required_argument, NULL, 'p'},
                                            {"endpoints", required_argument, NULL, 'e'},
                                            {"lanes", required_argument, NULL, 'l'},
                                            {"start", required_argument, NULL, 's'},
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'p')
            add_phase(source, optarg);
        else if (option == 'e')
            source->endpoints = integer(optarg);
        else if (option == 'l')
            source->lanes = integer(optarg);
        else if (option == 's')
            source->start_ns = integer(optarg);
        else
            exit(2);
    }
    if (source->endpoints < 1 || source->lanes < 1 || source->phase_count == 0)
        fail("at least one phase, endpoint and lane");
}

static void wait_until(int64_t when_ns)
{
    const struct timespec when = {.tv_sec = when_ns / NS_PER_S, .tv_nsec = when_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        continue;
}

/* The endpoints take turns, and so do the lanes of each. */
static struct event next_event(struct source *source, int64_t phase, int64_t when_ns)
{
    int64_t number = source->number++;
    int64_t endpoint = number % source->endpoints;
    int64_t lane = endpoint * source->lanes + number / source->endpoints % source->lanes;
    return (struct event){.number = number,
                          .intended_ns = when_ns,
                          .phase = phase,
                          .endpoint = endpoint,
                          .lane = lane,
                          .sequence = ++source->sequences[lane]};
}

static void tell(const struct event *event)
{
    char line[LINE_SIZE];
    size_t size = event_write(event, line, sizeof(line) - 1);
    line[size] = '\n';
    if (write(STDOUT_FILENO, line, size + 1) != (ssize_t)size + 1)
        fail("nobody reads any more");
}

/* Returns when the phase is over. */
static int64_t run_phase(struct source *source, int64_t phase, int64_t start_ns)
{
    const struct phase *plan = &source->phases[phase];
    for (int64_t i = 0; i < plan->count; i++) {
        int64_t when_ns = plan->rate > 0 ? start_ns + i * NS_PER_S / plan->rate : start_ns;
        wait_until(when_ns);
        struct event event = next_event(source, phase, when_ns);
        tell(&event);
    }
    return plan->rate > 0 ? start_ns + plan->count * NS_PER_S / plan->rate : start_ns;
}

int main(int argc, char **argv)
{
    struct source source = {.endpoints = 1, .lanes = 1, .start_ns = clock_monotonic_ns()};
    read_options(&source, argc, argv);
    source.sequences =
        memory_zero((size_t)(source.endpoints * source.lanes), sizeof(*source.sequences));
    (void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ,
                PIPE_BYTES); /* a smaller pipe only blocks us earlier */
    int64_t at_ns = source.start_ns;
    for (size_t i = 0; i < source.phase_count; i++)
        at_ns = run_phase(&source, (int64_t)i, at_ns);
    free(source.sequences);
    return 0;
}
