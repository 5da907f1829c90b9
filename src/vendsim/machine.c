#include "vendsim/machine.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "vendsim/machine_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    BACKOFF_CAP_MS = 30 * 1000,
    BACKOFF_STEPS = 6,
    BACKOFF_LEAST_PART = 5,
    STAND_ASIDE_MS = 10 * 60 * 1000
};

static const int64_t AWAY_MS[] = {
    [MISFORTUNE_NONE] = 0,
    [MISFORTUNE_RECONNECT] = 300,
    [MISFORTUNE_SILENCE] = 60 * 1000,
    [MISFORTUNE_POWER_LOSS] = 1500,
    [MISFORTUNE_JOURNAL_LOSS] = 1500,
};
static_assert(ARRAY_SIZE(AWAY_MS) == MISFORTUNE_COUNT, "every misfortune has its time");

void machine_tell(struct machine *machine, const char *what, json_t *detail)
{
    story_tell(machine->world->story, machine->vm_id, what, detail);
}

static void link_forget(struct machine *machine)
{
    struct ledger_event *event;
    machine->online = false;
    machine_commands_forget(machine);
    DL_FOREACH (journal_ledger(machine->journal)->events, event)
        event->mid = 0;
}

/* Full jitter, so that a fleet that lost its gateway does not come back in one wave. */
static int64_t backoff_ms(struct machine *machine)
{
    unsigned step = machine->failures < BACKOFF_STEPS ? machine->failures : BACKOFF_STEPS;
    uint64_t base_ms = (uint64_t)machine->world->backoff_ms;
    uint64_t ceiling = base_ms << step;
    machine->failures++;
    return (int64_t)(base_ms / BACKOFF_LEAST_PART) +
           (int64_t)random_below(ceiling < BACKOFF_CAP_MS ? ceiling : BACKOFF_CAP_MS);
}

/* A person who plays this machine with a client of their own is not fought over the link. */
static void connect_later(struct machine *machine, const char *why)
{
    int64_t delay_ms = why == WIRE_TAKEN_OVER ? STAND_ASIDE_MS : backoff_ms(machine);
    machine_tell(machine, "link lost",
                 json_pack("{s:s, s:I}", "why", why, "again_in_ms", (json_int_t)delay_ms));
    timer_start(machine->away, delay_ms);
}

static void power_on(struct machine *machine)
{
    machine->powered = true;
    device_boot(machine->device);
    machine_tell(machine, "booted",
                 json_pack("{s:s}", "journal", journal_ledger(machine->journal)->journal));
}

static void on_away(void *arg)
{
    struct machine *machine = arg;
    if (machine->muted) {
        machine->muted = false;
        wire_close(machine->wire, WIRE_BREAK);
    }
    if (!machine->powered)
        power_on(machine);
    int result = wire_open(machine->wire);
    if (result < 0)
        connect_later(machine, strerror(-result));
}

static void on_connected(void *arg)
{
    machine_tell(arg, "connected", NULL);
}

static void on_command(void *arg, const char *bytes, size_t size)
{
    machine_command_arrived(arg, bytes, size);
}

static void on_closed(void *arg, const char *why)
{
    struct machine *machine = arg;
    link_forget(machine);
    connect_later(machine, why);
}

static struct ledger_event *event_sent(struct machine *machine, int mid)
{
    struct ledger_event *event;
    DL_FOREACH (journal_ledger(machine->journal)->events, event)
        if (event->mid == mid)
            return event;
    return NULL;
}

static enum point point_of_ack(const char *event)
{
    if (strcmp(event, "selection") == 0)
        return POINT_SELECTION_ACKED;
    if (strcmp(event, "dispensed") == 0 || strcmp(event, "not_dispensed") == 0)
        return POINT_RESULT_ACKED;
    return POINT_NONE;
}

/* Stored but not understood (0x99) and unknown here (0x90) are settled, too: saying it again would
 * not help. Any other refusal means that it was not stored; the next hello asks for it. */
static bool is_settled(int reason)
{
    enum { FAILURES = 0x80, TOPIC_INVALID = 0x90, FORMAT_INVALID = 0x99 };
    return reason < FAILURES || reason == TOPIC_INVALID || reason == FORMAT_INVALID;
}

static void on_acked(void *arg, int mid, int reason)
{
    struct machine *machine = arg;
    struct ledger_event *event = event_sent(machine, mid);
    if (!event)
        return;                              /* a reply, a status, or the twin of an event */
    json_t *body = json_incref(event->body); /* outlives the event */
    const char *name = json_string_value(json_object_get(body, "event"));
    int64_t seq = event->seq;
    event->mid = 0;
    machine_tell(
        machine, is_settled(reason) ? "event acknowledged" : "event refused",
        json_pack("{s:s?, s:I, s:i}", "event", name, "seq", (json_int_t)seq, "reason", reason));
    if (is_settled(reason))
        device_acknowledged(machine->device, event->epoch, seq);
    else
        event->mid = mid; /* not again on this connection */
    (void)machine_strikes(machine, point_of_ack(name ? name : ""));
    json_decref(body);
}

static const struct wire_hooks HOOKS = {
    .connected = on_connected,
    .command = on_command,
    .acked = on_acked,
    .closed = on_closed,
};

static void timers_new(struct machine *machine)
{
    struct uv_loop_s *loop = machine->world->loop;
    machine->away = timer_new(loop, on_away, machine);
    machine->hold = timer_new(loop, machine_commands_held, machine);
    machine->customer = timer_new(loop, machine_session_customer, machine);
    machine->motor = timer_new(loop, machine_session_motor, machine);
    machine->session_end = timer_new(loop, machine_session_timeout, machine);
}

int machine_new(const struct machine_world *world, const struct machine_identity *identity,
                struct machine **ret_machine)
{
    struct journal *journal;
    int result = journal_open(world->state_dir, identity->vm_id, &journal);
    if (result < 0)
        return result;
    struct machine *machine = memory_zero(1, sizeof(*machine));
    struct wire_config config = {
        .host = world->host,
        .port = world->port,
        .ca_file = world->ca_file,
        .vm_id = identity->vm_id,
        .cert_file = identity->cert_file,
        .key_file = identity->key_file,
        .v5 = identity->v5,
    };
    machine->world = world;
    machine->vm_id = identity->vm_id;
    machine->journal = journal;
    machine->device = device_new(journal);
    machine->wire = wire_new(world->loop, &config, &HOOKS, machine);
    machine->habit = (struct plan){.behaviour = identity->habit, .pace = world->pace};
    machine->plan = machine->habit;
    machine->plan_session = LEDGER_NONE;
    timers_new(machine);
    *ret_machine = machine;
    return 0;
}

void machine_free(struct machine **machine)
{
    struct machine *old = TAKE(*machine);
    if (!old)
        return;
    machine_commands_forget(old);
    wire_close(old->wire, WIRE_POLITE);
    wire_free(&old->wire);
    timer_free(&old->away);
    timer_free(&old->hold);
    timer_free(&old->customer);
    timer_free(&old->motor);
    timer_free(&old->session_end);
    device_free(&old->device);
    journal_close(&old->journal);
    free(old);
}

void machine_start(struct machine *machine, int64_t delay_ms)
{
    timer_start(machine->away, delay_ms);
}

void machine_tick(struct machine *machine)
{
    wire_tick(machine->wire);
}

bool machine_online(const struct machine *machine)
{
    return machine->online;
}

static int publish_event(struct machine *machine, struct ledger_event *event)
{
    _cleanup_(memory_text_free) char *body =
        json_dumps(event->body, JSON_COMPACT | JSON_PRESERVE_ORDER);
    int mid = 0;
    int result = wire_publish(machine->wire, WIRE_EVENTS, body, &mid);
    if (result < 0)
        return result;
    event->mid = mid;
    machine_tell(machine, "event sent", json_incref(event->body));
    if (machine->plan.behaviour.twice)
        result = wire_publish(machine->wire, WIRE_EVENTS, body, &mid);
    return result;
}

void machine_flush(struct machine *machine)
{
    struct ledger_event *event;
    if (!machine->online)
        return;
    DL_FOREACH (journal_ledger(machine->journal)->events, event)
        if (!event->acked && event->mid == 0 && publish_event(machine, event) < 0)
            return; /* the link is breaking; the next hello goes on from here */
}

void machine_strike(struct machine *machine, enum misfortune misfortune)
{
    bool power = misfortune == MISFORTUNE_POWER_LOSS || misfortune == MISFORTUNE_JOURNAL_LOSS;
    int64_t away_ms = machine->plan.pace.away_ms;
    machine_tell(machine, "misfortune", json_pack("{s:s}", "kind", misfortune_name(misfortune)));
    link_forget(machine);
    machine->muted = misfortune == MISFORTUNE_SILENCE;
    if (machine->muted)
        wire_mute(machine->wire);
    else
        wire_close(machine->wire, WIRE_BREAK);
    if (power) {
        machine->powered = false;
        machine_session_stop(machine);
    }
    if (misfortune == MISFORTUNE_JOURNAL_LOSS)
        journal_lose(machine->journal);
    else if (power)
        journal_reload(machine->journal);
    timer_start(machine->away, away_ms == LEDGER_NONE ? AWAY_MS[misfortune] : away_ms);
}

bool machine_strikes(struct machine *machine, enum point point)
{
    const struct behaviour *behaviour = &machine->plan.behaviour;
    if (point == POINT_NONE || behaviour->point != point || machine->struck)
        return false;
    machine->struck = true;
    machine_tell(machine, "at the point", json_pack("{s:s}", "point", point_name(point)));
    machine_strike(machine, behaviour->misfortune);
    return true;
}

static void tell_event(struct machine *machine, const json_t *body)
{
    json_t *copy = json_deep_copy(body);
    if (device_event(machine->device, copy) < 0)
        log_warning("too_many_events", LOG_TEXT("vm", machine->vm_id));
    machine_flush(machine);
}

void machine_order(struct machine *machine, const struct machine_order *order)
{
    struct plan plan = {.behaviour = order->behaviour, .pace = order->pace};
    if (order->behaves && order->times == 0) {
        machine->habit = plan;
        machine->ordered_times = 0;
    } else if (order->behaves) {
        machine->ordered = plan;
        machine->ordered_times = order->times;
    }
    if (order->event && machine->powered)
        tell_event(machine, order->event);
    if (order->act != MISFORTUNE_NONE)
        machine_strike(machine, order->act);
}
