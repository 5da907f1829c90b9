#include "base/process_metrics.h"

#include "base/clock.h"
#include "base/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

static const double TURN_SECONDS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                      0.025,  0.05,    0.1,    0.25,  0.5,    1.0,   0};

static const struct metric_def TURN = {
    .name = "vendgate_loop_turn_seconds",
    .kind = METRIC_HISTOGRAM,
    .help = "Busy time of one turn of the event loop: how long everything else had to wait.",
    .buckets = TURN_SECONDS,
};
static const struct metric_def BUILD = {.name = "vendgate_build_info",
                                        .kind = METRIC_GAUGE,
                                        .help = "Always 1; the version is in the label.",
                                        .labels = {"version"}};
static const struct metric_def MEMORY = {
    .name = "process_resident_memory_bytes", .kind = METRIC_GAUGE, .help = "Resident memory."};
static const struct metric_def CPU = {.name = "process_cpu_seconds_total",
                                      .kind = METRIC_COUNTER,
                                      .help = "CPU time in user and kernel mode."};
static const struct metric_def FILES = {
    .name = "process_open_fds", .kind = METRIC_GAUGE, .help = "Open file descriptors."};
static const struct metric_def FILES_MAX = {
    .name = "process_max_fds", .kind = METRIC_GAUGE, .help = "Limit of open file descriptors."};
static const struct metric_def STARTED = {.name = "process_start_time_seconds",
                                          .kind = METRIC_GAUGE,
                                          .help = "When the process started, unix seconds."};

struct process_metrics {
    struct metrics *metrics;
    struct metric_cell *turn;
    int64_t woke_ns;
    uv_prepare_t before_wait;
    uv_check_t after_wait;
    int open_handles;
};

/* The second number of the file counts resident pages (proc(5)). */
static double resident_bytes(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    char *end = fgets(line, sizeof line, file);
    fclose(file);
    if (!end)
        return 0;
    (void)strtol(line, &end, 10);
    return (double)strtol(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double open_files(void)
{
    double count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 3; /* ".", ".." and the directory's own descriptor */
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void collect(void *arg)
{
    struct process_metrics *process = arg;
    struct rusage usage;
    struct rlimit limit;
    metric_set(metrics_cell(process->metrics, &MEMORY), resident_bytes());
    metric_set(metrics_cell(process->metrics, &FILES), open_files());
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metric_set(metrics_cell(process->metrics, &CPU),
                   seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metric_set(metrics_cell(process->metrics, &FILES_MAX), (double)limit.rlim_cur);
}

static void before_wait(uv_prepare_t *handle)
{
    struct process_metrics *process = handle->data;
    if (process->woke_ns != 0)
        metric_observe(process->turn, (double)(clock_monotonic_ns() - process->woke_ns) / 1e9);
}

static void after_wait(uv_check_t *handle)
{
    struct process_metrics *process = handle->data;
    process->woke_ns = clock_monotonic_ns();
}

struct process_metrics *process_metrics_start(uv_loop_t *loop, struct metrics *metrics,
                                              const char *version)
{
    struct process_metrics *process = memory_zero(1, sizeof *process);
    static const struct metric_def *const DEFS[] = {&TURN,  &BUILD,     &MEMORY, &CPU,
                                                    &FILES, &FILES_MAX, &STARTED};
    for (size_t i = 0; i < ARRAY_SIZE(DEFS); i++)
        metrics_declare(metrics, DEFS[i], 1);
    process->metrics = metrics;
    process->turn = metrics_cell(metrics, &TURN);
    metric_set(metrics_cell(metrics, &BUILD, version), 1);
    metric_set(metrics_cell(metrics, &STARTED), (double)clock_unix_ms() / 1000.0);
    metrics_collect(metrics, collect, process);
    uv_prepare_init(loop, &process->before_wait);
    uv_check_init(loop, &process->after_wait);
    process->before_wait.data = process->after_wait.data = process;
    uv_prepare_start(&process->before_wait, before_wait);
    uv_check_start(&process->after_wait, after_wait);
    uv_unref((uv_handle_t *)&process->before_wait);
    uv_unref((uv_handle_t *)&process->after_wait);
    process->open_handles = 2;
    return process;
}

static void handle_closed(uv_handle_t *handle)
{
    struct process_metrics *process = handle->data;
    if (--process->open_handles == 0)
        free(process);
}

void process_metrics_stop(struct process_metrics **process)
{
    struct process_metrics *old = TAKE(*process);
    if (!old)
        return;
    uv_close((uv_handle_t *)&old->before_wait, handle_closed);
    uv_close((uv_handle_t *)&old->after_wait, handle_closed);
}
