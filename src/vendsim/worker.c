#include "vendsim/worker.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"
#include "vendsim/lines.h"
#include "vendsim/order.h"

#include <errno.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <uv.h>

enum { TICK_MS = 1000, MS_PER_S = 1000, ANSWER_SIZE = 160 };

struct slot {
    const char *vm_id;
    struct machine *machine;
    UT_hash_handle hh;
};

struct worker {
    const struct worker_share *share;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    struct machine_world world;
    struct slot *slots; /* an array, and a hash through it */
    struct slot *by_id;
    size_t count;
    struct timer *tick;
    struct lines *control;
};

static void on_tick(void *arg)
{
    struct worker *worker = arg;
    for (size_t i = 0; i < worker->count; i++)
        machine_tick(worker->slots[i].machine);
    timer_start(worker->tick, TICK_MS);
}

/* The loop ends by itself when nothing is left on it. */
static void stop(struct worker *worker)
{
    if (!worker->tick)
        return;
    timer_free(&worker->tick);
    HASH_CLEAR(hh, worker->by_id);
    for (size_t i = 0; i < worker->count; i++)
        machine_free(&worker->slots[i].machine);
    worker->count = 0;
    uv_close((uv_handle_t *)&worker->terminate, NULL);
    uv_close((uv_handle_t *)&worker->interrupt, NULL);
    if (worker->control)
        lines_close(worker->control);
}

static void on_signal(uv_signal_t *handle, int number UNUSED)
{
    stop(handle->data);
}

static int64_t give_order(struct worker *worker, const struct order *order)
{
    struct slot *slot;
    if (strcmp(order->vm_id, "*") != 0) {
        HASH_FIND_STR(worker->by_id, order->vm_id, slot);
        if (slot)
            machine_order(slot->machine, &order->machine);
        return slot ? 1 : 0;
    }
    for (size_t i = 0; i < worker->count; i++)
        machine_order(worker->slots[i].machine, &order->machine);
    return (int64_t)worker->count;
}

static void on_order(void *arg, struct lines *lines, const char *bytes, size_t size)
{
    struct worker *worker = arg;
    struct order order;
    char answer[ANSWER_SIZE];
    const char *problem = order_read(bytes, size, &worker->world.pace, &order);
    if (problem) {
        snprintf(answer, sizeof(answer), "{\"message\":\"%s\"}", problem);
    } else {
        snprintf(answer, sizeof(answer), "{\"machines\":%lld}",
                 (long long)give_order(worker, &order));
        order_done(&order);
    }
    lines_write(lines, answer);
}

static void on_control_closed(void *arg, struct lines *lines UNUSED)
{
    struct worker *worker = arg;
    worker->control = NULL;
    stop(worker);
}

static void watch_signal(struct worker *worker, uv_signal_t *handle, int number)
{
    int result = uv_signal_init(&worker->loop, handle);
    assert(result == 0);
    handle->data = worker;
    result = uv_signal_start(handle, on_signal, number);
    assert(result == 0);
}

static bool is_v5(enum mqtt_mix mix, size_t index)
{
    return mix == MQTT_5 || (mix == MQTT_MIXED && index % 2 == 1);
}

static int machines_new(struct worker *worker)
{
    const struct worker_share *share = worker->share;
    worker->slots = memory_zero(share->count, sizeof(worker->slots[0]));
    for (size_t i = 0; i < share->count; i++) {
        const struct roster_entry *entry = &share->roster->entries[share->first + i];
        struct machine_identity identity = {
            .vm_id = entry->vm_id,
            .cert_file = entry->cert_file,
            .key_file = entry->key_file,
            .habit = entry->behaviour,
            .v5 = is_v5(share->options->mqtt, share->first + i),
        };
        struct slot *slot = &worker->slots[i];
        int result = machine_new(&worker->world, &identity, &slot->machine);
        if (result < 0) {
            log_error("state_dir_unusable", LOG_TEXT("vm", entry->vm_id),
                      LOG_TEXT("error", strerror(-result)));
            return result;
        }
        worker->count++;
        slot->vm_id = entry->vm_id;
        HASH_ADD_KEYPTR(hh, worker->by_id, slot->vm_id, strlen(slot->vm_id), slot);
        machine_start(slot->machine, (int64_t)i * MS_PER_S / share->options->connect_rate);
    }
    return 0;
}

static void begin(struct worker *worker, const struct worker_share *share)
{
    static const struct lines_hooks HOOKS = {.line = on_order, .closed = on_control_closed};
    const struct options *options = share->options;
    int result = uv_loop_init(&worker->loop);
    assert(result == 0);
    worker->share = share;
    worker->world = (struct machine_world){
        .loop = &worker->loop,
        .host = options->host,
        .port = options->port,
        .ca_file = options->ca_file,
        .state_dir = options->state_dir,
        .pace = options->pace,
        .backoff_ms = options->backoff_ms,
    };
    watch_signal(worker, &worker->terminate, SIGTERM);
    watch_signal(worker, &worker->interrupt, SIGINT);
    worker->tick = timer_new(&worker->loop, on_tick, worker);
    timer_start(worker->tick, TICK_MS);
    worker->control = lines_open(&worker->loop, share->control_fd, &HOOKS, worker);
}

int worker_run(const struct worker_share *share)
{
    struct worker worker = {0};
    begin(&worker, share);
    mosquitto_lib_init();
    int result = story_open(share->options->events, &worker.world.story);
    if (result < 0)
        log_error("events_unwritable", LOG_TEXT("path", share->options->events),
                  LOG_TEXT("error", strerror(-result)));
    else
        result = machines_new(&worker);
    if (result < 0)
        stop(&worker);
    uv_run(&worker.loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&worker.loop);
    assert(busy == 0);
    story_close(&worker.world.story);
    free(worker.slots);
    mosquitto_lib_cleanup();
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
