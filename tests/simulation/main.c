/* simulate - the production txn and broker in a simulated world, episode after episode.
 *
 *   simulate [--seed N] [--events N] [--from-episode K] [--trace] [--coverage]
 *
 * Without --seed the first seed comes from the kernel. An episode is named by its seed alone: the
 * seed of the next follows from it. A broken promise is printed with the command that replays its
 * episode bit for bit. */
#include "base/macros.h"
#include "chance.h"
#include "coverage.h"
#include "schedule.h"
#include "trace.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define EPISODE_EVENTS 2000
#define EPISODES_PER_LEAK_CHECK 8

/* Of the sanitizers' build only. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct options {
    uint64_t seed;
    int64_t events, from_episode;
    bool trace, coverage;
};

/* So that it ends where the other ways to die end, and the episode is told. */
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void died(void)
{
    trace_print_end("the program itself", "it died, see above");
}

static void aborted(int signal_number UNUSED)
{
    died();
    _exit(1);
}

static uint64_t next_seed(uint64_t seed)
{
    struct chance chance;
    chance_seed(&chance, seed);
    return chance_next(&chance) >> 16; /* short enough to be typed */
}

static bool options_read(int count, char **arguments, struct options *ret_options)
{
    static const struct option LONG[] = {
        {"seed", required_argument, NULL, 's'},         {"events", required_argument, NULL, 'e'},
        {"from-episode", required_argument, NULL, 'f'}, {"trace", no_argument, NULL, 't'},
        {"coverage", no_argument, NULL, 'c'},           {NULL, 0, NULL, 0}};
    uint64_t drawn = 0;
    if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
        return false;
    *ret_options = (struct options){.seed = drawn >> 16, .events = 1000000};
    int letter;
    while ((letter = getopt_long(count, arguments, "", LONG, NULL)) != -1) {
        switch (letter) {
        case 's':
            ret_options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'e':
            ret_options->events = strtoll(optarg, NULL, 10);
            break;
        case 'f':
            ret_options->from_episode = strtoll(optarg, NULL, 10);
            break;
        case 't':
            ret_options->trace = true;
            break;
        case 'c':
            ret_options->coverage = true;
            break;
        default:
            return false;
        }
    }
    return optind == count && ret_options->events > 0;
}

/* A look costs as much as an episode, so it comes after a few of them: they are replayed together.
 */
static void leaks_check(uint64_t first_seed)
{
    if (!__lsan_do_recoverable_leak_check || !__lsan_do_recoverable_leak_check())
        return;
    printf(
        "\nBROKEN: a process that has ended leaves nothing behind; memory was leaked, see above\n"
        "replay: make BUILD=asan simulate SEED=%" PRIu64 " EVENTS=%d\n",
        first_seed, 1000 * EPISODE_EVENTS);
    exit(1);
}

int main(int count, char **arguments)
{
    struct options options;
    if (!options_read(count, arguments, &options)) {
        fprintf(stderr, "usage: simulate [--seed N] [--events N] [--from-episode K] [--trace] "
                        "[--coverage]\n");
        return 2;
    }
    signal(SIGABRT, aborted);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(died);
    uint64_t seed = options.seed, digest = 0;
    int64_t events = 0, episodes = 0;
    clock_t began = clock();
    printf("simulate: seed %" PRIu64 "\n", seed);
    for (int64_t i = 0; i < options.from_episode; i++)
        seed = next_seed(seed);
    uint64_t unchecked = seed; /* the first episode since memory was looked at */
    int64_t unchecked_count = 0;
    while (events < options.events) {
        int64_t length = options.events < EPISODE_EVENTS ? options.events : EPISODE_EVENTS;
        trace_count_before(events);
        events += episode_run(seed, length, options.trace);
        digest = digest * 31 + trace_digest();
        episodes++;
        unchecked_count++;
        seed = next_seed(seed);
        if (unchecked_count < EPISODES_PER_LEAK_CHECK && events < options.events)
            continue;
        leaks_check(unchecked);
        unchecked = seed;
        unchecked_count = 0;
    }
    if (options.coverage)
        coverage_print();
    printf("simulate: %" PRId64 " events in %" PRId64 " episodes, digest %016" PRIx64
           ", %d rows of the step table never taken, %.1f s\n",
           events, episodes, digest, coverage_missing(),
           (double)(clock() - began) / CLOCKS_PER_SEC);
    return 0;
}
