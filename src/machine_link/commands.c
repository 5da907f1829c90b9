#include "machine_link/commands.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "machine_link/message_json.h"
#include "machine_link/topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Commands with a PUBACK that still may be answered; the oldest is forgotten. */
#define UNANSWERED_MAX 32
#define NS_PER_S 1e9

enum command_state {
    COMMAND_QUEUED = 1,
    COMMAND_SENT,       /* waiting for the PUBACK */
    COMMAND_PASSED,     /* sent at QoS 0: received() is owed */
    COMMAND_UNSENDABLE, /* larger than the client takes: dropped() is owed */
    COMMAND_RECEIVED,   /* waiting for the reply */
};

struct command {
    struct machine_command command;
    char id[COMMAND_ID_SIZE];
    enum command_state state;
    bool answered; /* the reply came before the PUBACK */
    uint16_t packet_id;
    int64_t deadline_ms; /* nothing is sent after it */
    int64_t sent_ns;
    struct command *prev, *next;
};

static void remove_command(struct connection *connection, struct command *command)
{
    DL_DELETE(connection->commands, command);
    free(command);
}

static size_t count_in(const struct connection *connection, enum command_state state)
{
    size_t count = 0;
    const struct command *command;
    DL_FOREACH (connection->commands, command)
        count += command->state == state;
    return count;
}

static struct command *first_in(const struct connection *connection, enum command_state state)
{
    struct command *command;
    DL_FOREACH (connection->commands, command)
        if (command->state == state)
            return command;
    return NULL;
}

/* Takes it out of the list first: the handler may do anything, also send. */
static void drop(struct connection *connection, struct command *command,
                 enum command_outcome outcome, bool sent)
{
    struct machine_link *link = connection->link;
    DL_DELETE(connection->commands, command);
    link_metrics_command(&link->metrics, command->command.op, outcome);
    log_info("machine_command_dropped", LOG_TEXT("vm", connection->machine->vm_id),
             LOG_TEXT("op", machine_op_name(command->command.op)), LOG_TEXT("command", command->id),
             LOG_INT("sent", sent), LOG_INT("txn", command->command.txn_id));
    link->handlers.dropped(link->arg, connection->machine->vm_id, &command->command, sent);
    free(command);
}

/* --- sending --- */

static uint16_t next_packet_id(struct connection *connection)
{
    for (;;) {
        if (++connection->last_packet_id == 0)
            continue;
        const struct command *command;
        DL_SEARCH_SCALAR(connection->commands, command, packet_id, connection->last_packet_id);
        if (!command || command->state != COMMAND_SENT)
            return connection->last_packet_id;
    }
}

static void encode(struct connection *connection, struct command *command, int64_t left_ms,
                   struct mqtt_out *ret_out)
{
    char text[COMMAND_TEXT_SIZE], topic[TOPIC_COMMAND_SIZE];
    const struct command_stamp stamp = {.id = command->id,
                                        .generation = connection->generation,
                                        .ttl_ms = left_ms,
                                        .now_ms = clock_unix_ms(),
                                        .keep_alive_s = connection->keep_alive_s};
    size_t size = machine_command_write(&command->command, &stamp, text);
    topic_command_write(connection->subscribed_as_me ? "me" : connection->machine->vm_id, topic);
    command->packet_id = connection->granted_qos > 0 ? next_packet_id(connection) : 0;
    const struct mqtt_publish_out publish = {.qos = connection->granted_qos,
                                             .packet_id = command->packet_id,
                                             .topic = topic,
                                             .payload = text,
                                             .payload_size = size,
                                             .expiry_s = (uint32_t)((left_ms + 999) / 1000)};
    mqtt_publish_write(connection->level, &publish, ret_out);
}

static void send_command(struct connection *connection, struct command *command, int64_t now_ms)
{
    struct mqtt_out out;
    CRASH_POINT(before_command_sent);
    encode(connection, command, command->deadline_ms - now_ms, &out);
    command->sent_ns = clock_monotonic_ns();
    if (out.size > connection->packet_max) {
        command->state = COMMAND_UNSENDABLE;
        machine_wake(connection->machine);
        return;
    }
    connection_write(connection, &out);
    command->state = connection->granted_qos > 0 ? COMMAND_SENT : COMMAND_PASSED;
    if (command->state == COMMAND_PASSED)
        machine_wake(connection->machine);
    if (command->command.op == MACHINE_OP_HELLO && connection->phase == PHASE_HELLO)
        connection->phase_deadline_ms = now_ms + connection->link->options.welcome_ms;
    log_debug("machine_command_sent", LOG_TEXT("vm", connection->machine->vm_id),
              LOG_TEXT("op", machine_op_name(command->command.op)),
              LOG_TEXT("command", command->id), LOG_INT("txn", command->command.txn_id));
}

void commands_pump(struct connection *connection)
{
    if (!connection->subscribed || connection->phase == PHASE_CLOSING)
        return;
    size_t room = (size_t)connection->link->options.in_flight_max;
    if (room > connection->receive_max)
        room = connection->receive_max;
    size_t in_flight = count_in(connection, COMMAND_SENT);
    int64_t now_ms = clock_monotonic_ms();
    struct command *command;
    DL_FOREACH (connection->commands, command) {
        if (in_flight >= room)
            break;
        if (command->state != COMMAND_QUEUED || now_ms >= command->deadline_ms)
            continue; /* too late: the timer takes it out */
        send_command(connection, command, now_ms);
        in_flight += command->state == COMMAND_SENT;
    }
    connection_schedule(connection);
}

static bool may_send(const struct connection *connection, enum machine_op op)
{
    if (connection->phase == PHASE_ONLINE)
        return true;
    return op == MACHINE_OP_HELLO &&
           (connection->phase == PHASE_SUBSCRIBE || connection->phase == PHASE_HELLO);
}

int commands_send(struct connection *connection, const struct machine_command *command,
                  char ret_id[COMMAND_ID_SIZE])
{
    assert(command->ttl_ms > 0 && command->ttl_ms / 1000 < UINT32_MAX);
    if (!may_send(connection, command->op))
        return -ENOTCONN;
    if (count_in(connection, COMMAND_QUEUED) >= (size_t)connection->link->options.queue_max)
        return -ENOBUFS;
    struct command *queued = memory_zero(1, sizeof *queued);
    queued->command = *command;
    queued->state = COMMAND_QUEUED;
    queued->deadline_ms = clock_monotonic_ms() + command->ttl_ms;
    random_hex(queued->id, (COMMAND_ID_SIZE - 1) / 2);
    DL_APPEND(connection->commands, queued);
    if (ret_id)
        memcpy(ret_id, queued->id, COMMAND_ID_SIZE);
    commands_pump(connection);
    connection_schedule(connection);
    return 0;
}

void commands_cancel(struct connection *connection, const char *id)
{
    struct command *command, *next;
    DL_FOREACH_SAFE (connection->commands, command, next) {
        if (command->state != COMMAND_QUEUED || strcmp(command->id, id) != 0)
            continue;
        link_metrics_command(&connection->link->metrics, command->command.op, COMMAND_CANCELLED);
        remove_command(connection, command);
    }
}

/* --- acknowledgements --- */

/* The machine's side has it. Either it is answered already, or it waits for its reply. */
static void command_received(struct connection *connection, struct command *command)
{
    struct machine_link *link = connection->link;
    const struct machine_command copy = command->command;
    command->state = COMMAND_RECEIVED;
    if (command->answered)
        remove_command(connection, command);
    else if (count_in(connection, COMMAND_RECEIVED) > UNANSWERED_MAX)
        remove_command(connection, first_in(connection, COMMAND_RECEIVED));
    link->handlers.received(link->arg, connection->machine->vm_id, &copy);
}

void puback_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct mqtt_ack ack;
    enum mqtt_reason reason = mqtt_ack_read(frame, connection->level, &ack);
    if (reason != MQTT_SUCCESS) {
        connection_break(connection, reason);
        return;
    }
    struct command *command;
    DL_FOREACH (connection->commands, command)
        if (command->state == COMMAND_SENT && command->packet_id == ack.packet_id)
            break;
    if (!command) {
        log_notice("machine_puback_unknown", LOG_TEXT("vm", connection->machine->vm_id),
                   LOG_INT("packet_id", ack.packet_id));
        return;
    }
    metric_observe(connection->link->metrics.command_ack_seconds,
                   (double)(clock_monotonic_ns() - command->sent_ns) / NS_PER_S);
    CRASH_POINT(after_command_acknowledged);
    if (ack.reason >= MQTT_UNSPECIFIED && !command->answered)
        drop(connection, command, COMMAND_REJECTED, true);
    else
        command_received(connection, command);
    commands_pump(connection);
}

/* --- replies --- */

static struct command *command_by_id(const struct connection *connection, const char *id)
{
    struct command *command;
    DL_FOREACH (connection->commands, command)
        if (command->state != COMMAND_QUEUED && !command->answered && strcmp(command->id, id) == 0)
            return command;
    return NULL;
}

static void reply_take(struct connection *connection, struct command *command,
                       struct machine_reply *reply)
{
    struct machine_link *link = connection->link;
    machine_reply_bind(reply, &command->command);
    command->answered = true;
    if (reply->op == MACHINE_OP_HELLO && connection->phase == PHASE_HELLO) {
        connection->hello_answered = true;
        connection->phase_deadline_ms = clock_monotonic_ms() + link->options.welcome_ms;
    }
    if (command->state == COMMAND_RECEIVED)
        remove_command(connection, command);
    link_metrics_command(&link->metrics, reply->op, reply->ok ? COMMAND_OK : COMMAND_REFUSED);
    CRASH_POINT(after_reply_received);
    link->handlers.reply(link->arg, connection->machine->vm_id, reply);
}

enum mqtt_reason commands_reply(struct machine *machine, const char *bytes, size_t size)
{
    struct link_metrics *metrics = &machine->link->metrics;
    struct reply_reading reading;
    if (!machine_reply_read(bytes, size, &reading)) {
        link_metrics_refused(metrics, "reply");
        log_warning("machine_reply_unreadable", LOG_TEXT("vm", machine->vm_id),
                    LOG_TEXT("problem", reading.problem));
        return MQTT_PAYLOAD_FORMAT_INVALID;
    }
    struct command *command =
        machine->live ? command_by_id(machine->live, reading.reply.command_id) : NULL;
    if (command) {
        reply_take(machine->live, command, &reading.reply);
        return MQTT_SUCCESS;
    }
    metric_add(metrics->replies_unmatched, 1);
    log_info("machine_reply_unmatched", LOG_TEXT("vm", machine->vm_id),
             LOG_TEXT("command", reading.reply.command_id));
    return MQTT_SUCCESS;
}

/* --- time --- */

static int64_t command_due_ms(const struct connection *connection, const struct command *command)
{
    if (command->state == COMMAND_QUEUED)
        return command->deadline_ms;
    if (command->state == COMMAND_SENT)
        return command->sent_ns / 1000000 + connection->link->options.command_ack_ms;
    return INT64_MAX;
}

int64_t commands_due_ms(const struct connection *connection)
{
    int64_t due_ms = INT64_MAX;
    const struct command *command;
    DL_FOREACH (connection->commands, command) {
        int64_t this_ms = command_due_ms(connection, command);
        due_ms = this_ms < due_ms ? this_ms : due_ms;
    }
    return due_ms;
}

bool commands_overdue(const struct connection *connection, int64_t now_ms)
{
    const struct command *command;
    DL_FOREACH (connection->commands, command)
        if (command->state == COMMAND_SENT && now_ms >= command_due_ms(connection, command))
            return true;
    return false;
}

static struct command *first_expired(const struct connection *connection, int64_t now_ms)
{
    struct command *command;
    DL_FOREACH (connection->commands, command)
        if (command->state == COMMAND_QUEUED && now_ms >= command->deadline_ms)
            return command;
    return NULL;
}

void commands_expire(struct connection *connection, int64_t now_ms)
{
    struct command *command;
    while ((command = first_expired(connection, now_ms)))
        drop(connection, command, COMMAND_EXPIRED, false);
}

void commands_settle(struct connection *connection)
{
    struct command *command;
    while ((command = first_in(connection, COMMAND_UNSENDABLE)))
        drop(connection, command, COMMAND_REJECTED, false);
    while ((command = first_in(connection, COMMAND_PASSED)))
        command_received(connection, command);
}

void commands_abandon(struct connection *connection)
{
    while (connection->commands) {
        struct command *command = connection->commands;
        bool known = command->state == COMMAND_RECEIVED || command->answered;
        if (known)
            remove_command(connection, command);
        else
            drop(connection, command, COMMAND_LOST,
                 command->state == COMMAND_SENT || command->state == COMMAND_PASSED);
    }
}

void commands_free(struct connection *connection)
{
    while (connection->commands)
        remove_command(connection, connection->commands);
}
