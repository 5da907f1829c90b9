/* machine_link.c - the link as its owner sees it; see the header. */
#include "machine_link/machine_link.h"

#include "base/clock.h"
#include "base/memory.h"
#include "machine_link/commands.h"
#include "machine_link/events.h"

#include <errno.h>
#include <stdlib.h>

const char *link_down_reason_name(enum link_down_reason reason)
{
    static const char *const NAMES[] = {
        [LINK_DOWN_CLOSED] = "closed",         [LINK_DOWN_RESET] = "reset",
        [LINK_DOWN_KEEP_ALIVE] = "keep_alive", [LINK_DOWN_NO_PUBACK] = "no_puback",
        [LINK_DOWN_TAKEOVER] = "takeover",     [LINK_DOWN_PROTOCOL] = "protocol",
        [LINK_DOWN_REVOKED] = "revoked",       [LINK_DOWN_NOT_WELCOME] = "not_welcome",
        [LINK_DOWN_DRAIN] = "drain",
    };
    assert(reason >= LINK_DOWN_CLOSED && reason < ARRAY_SIZE(NAMES));
    return NAMES[reason];
}

/* The DISCONNECT with which machine_link_cut() says why. */
static enum mqtt_reason goodbye_of(enum link_down_reason reason)
{
    switch (reason) {
    case LINK_DOWN_REVOKED:
        return MQTT_ADMINISTRATIVE_ACTION;
    case LINK_DOWN_NOT_WELCOME:
        return MQTT_NOT_AUTHORIZED;
    case LINK_DOWN_DRAIN:
        return MQTT_SHUTTING_DOWN;
    case LINK_DOWN_TAKEOVER:
        return MQTT_SESSION_TAKEN_OVER;
    case LINK_DOWN_KEEP_ALIVE:
        return MQTT_KEEP_ALIVE_TIMEOUT;
    case LINK_DOWN_PROTOCOL:
        return MQTT_PROTOCOL_ERROR;
    default:
        return MQTT_UNSPECIFIED;
    }
}

static void machine_run(struct machine *machine)
{
    machine_add_user(machine);
    if (machine->live)
        connection_resume(machine->live);
    if (machine->live)
        commands_settle(machine->live);
    events_pump(machine);
    machine_release(machine);
}

/* Tells what could not be told inside the calls that caused it. */
static void link_turn(void *arg)
{
    struct machine_link *link = arg;
    link_report_ended(link);
    while (link->woken) {
        struct machine *machine = link->woken;
        DL_DELETE(link->woken, machine);
        machine->woken = false;
        machine_run(machine);
    }
    link_report_ended(link);
}

int machine_link_open(uv_loop_t *loop, const struct machine_link_options *options,
                      const struct machine_link_handlers *handlers, void *arg,
                      struct metrics *metrics, struct machine_link **ret_link,
                      char ret_error[static NET_ERROR_SIZE])
{
    static const struct net_handlers OF_STREAMS = {
        .opened = connection_opened, .data = connection_data, .closed = connection_closed};
    struct machine_link *link = memory_zero(1, sizeof *link);
    link->loop = loop;
    link->options = *options;
    link->handlers = *handlers;
    link->arg = arg;
    link_metrics_init(&link->metrics, metrics, LINK_PHASE_NAMES, PHASE_COUNT);
    link->turn = timer_new(loop, link_turn, link);
    int result = net_listener_open(loop, &options->listener, &OF_STREAMS, link, metrics,
                                   &link->listener, ret_error);
    if (result < 0) {
        timer_free(&link->turn);
        free(link);
        return result;
    }
    *ret_link = link;
    return 0;
}

uint16_t machine_link_port(const struct machine_link *link)
{
    return net_listener_port(link->listener);
}

/* The live connection of a machine, if it is the one that is meant and waits for its welcome. */
static struct connection *waiting(const struct machine_link *link, const char *vm_id, uint64_t id)
{
    const struct machine *machine = machine_find(link, vm_id);
    if (!machine || !machine->live || machine->live->id != id)
        return NULL;
    return machine->live->phase == PHASE_WELCOME ? machine->live : NULL;
}

bool machine_link_welcome(struct machine_link *link, const char *vm_id, uint64_t connection,
                          int64_t generation)
{
    struct connection *welcome = waiting(link, vm_id, connection);
    if (!welcome)
        return false;
    welcome->generation = generation;
    connect_accept(welcome);
    connection_move(welcome, PHASE_SUBSCRIBE, link->options.welcome_ms);
    machine_wake(welcome->machine); /* its SUBSCRIBE may be here already */
    return true;
}

void machine_link_refuse(struct machine_link *link, const char *vm_id, uint64_t connection,
                         enum link_refusal refusal)
{
    struct connection *refused = waiting(link, vm_id, connection);
    if (refused)
        connect_refuse(refused, refusal);
}

void machine_link_online(struct machine_link *link, const char *vm_id)
{
    const struct machine *machine = machine_find(link, vm_id);
    struct connection *live = machine ? machine->live : NULL;
    /* After a takeover the verdict on the former connection's hello must not let the new one in. */
    if (!live || live->phase != PHASE_HELLO || !live->hello_answered)
        return;
    connection_move(live, PHASE_ONLINE, 0);
    machine_wake(live->machine);
}

int machine_link_send(struct machine_link *link, const char *vm_id,
                      const struct machine_command *command, char ret_id[COMMAND_ID_SIZE])
{
    const struct machine *machine = machine_find(link, vm_id);
    return machine && machine->live ? commands_send(machine->live, command, ret_id) : -ENOTCONN;
}

void machine_link_cancel(struct machine_link *link, const char *vm_id, const char *command_id)
{
    const struct machine *machine = machine_find(link, vm_id);
    if (machine && machine->live)
        commands_cancel(machine->live, command_id);
}

bool machine_link_fresh(const struct machine_link *link, const char *vm_id)
{
    const struct machine *machine = machine_find(link, vm_id);
    return machine && machine->live &&
           clock_monotonic_ms() - machine->live->heard_ms <= link->options.probe_after_ms;
}

void machine_link_ack(struct machine_link *link, struct event_ticket ticket, enum event_ack ack)
{
    events_ack(link, ticket, ack);
}

void machine_link_cut(struct machine_link *link, const char *vm_id, enum link_down_reason reason)
{
    struct machine *machine = machine_find(link, vm_id);
    if (!machine)
        return;
    if (machine->live)
        connection_end(machine->live, reason, goodbye_of(reason));
    while (machine->tools)
        connection_end(machine->tools, reason, goodbye_of(reason));
}

void machine_link_drain(struct machine_link *link)
{
    link->draining = true;
    net_listener_stop(link->listener);
    struct connection *connection, *next;
    HASH_ITER (by_id, link->connections, connection, next)
        connection_end(connection, LINK_DOWN_DRAIN, MQTT_SHUTTING_DOWN);
}

size_t machine_link_connections(const struct machine_link *link)
{
    return HASH_CNT(by_id, link->connections);
}

static void link_free_now(struct machine_link *link)
{
    struct machine *machine, *next;
    HASH_CLEAR(by_ticket, link->handed);
    HASH_ITER (by_vm_id, link->machines, machine, next) {
        HASH_DELETE(by_vm_id, link->machines, machine);
        events_free(machine);
        free(machine);
    }
    free(link);
}

void link_closed_one(struct machine_link *link)
{
    if (link->freeing && !link->connections)
        link_free_now(link);
}

void machine_link_free(struct machine_link **link_pointer)
{
    struct machine_link *link = TAKE(*link_pointer);
    if (!link)
        return;
    link->freeing = true;
    link->ended = NULL;
    timer_free(&link->turn);
    struct connection *connection, *next;
    HASH_ITER (by_id, link->connections, connection, next)
        connection_silence(connection);
    net_listener_free(&link->listener);
    if (!link->connections)
        link_free_now(link);
}
