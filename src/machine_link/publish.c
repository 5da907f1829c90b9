/* publish.c - what a client publishes: checked, routed by topic, answered in order. */
#include "machine_link/connection.h"

#include "base/json.h"
#include "base/log.h"
#include "machine_link/commands.h"
#include "machine_link/events.h"
#include "machine_link/message_json.h"
#include "machine_link/topic.h"

/* What no PUBLISH may be, whatever its topic; MQTT_SUCCESS: nothing is wrong. */
static enum mqtt_reason publish_check(const struct connection *connection,
                                      const struct mqtt_publish *publish)
{
    if (topic_has_wildcard(publish->topic))
        return MQTT_TOPIC_NAME_INVALID;
    if (connection->level < MQTT_LEVEL_5) /* a retained one is taken as an ordinary one */
        return publish->topic.size > 0 ? MQTT_SUCCESS : MQTT_PROTOCOL_ERROR;
    if (publish->retain)
        return MQTT_RETAIN_NOT_SUPPORTED;
    if (mqtt_property_present(&publish->properties, MQTT_PROPERTY_TOPIC_ALIAS))
        return MQTT_TOPIC_ALIAS_INVALID;
    return publish->topic.size > 0 ? MQTT_SUCCESS : MQTT_PROTOCOL_ERROR;
}

/* False: there is nothing more to do with it. */
static bool window_admits(struct connection *connection, const struct mqtt_publish *publish)
{
    if (publish->qos == 0)
        return true;
    switch (window_take(&connection->window, publish)) {
    case WINDOW_TAKEN:
        return true;
    case WINDOW_REPEAT:
        return false;
    case WINDOW_RECEIVED: {
        struct mqtt_out out;
        mqtt_ack_write(connection->level, MQTT_PUBREC,
                       (struct mqtt_ack){.packet_id = publish->packet_id}, &out);
        connection_write(connection, &out);
        return false;
    }
    case WINDOW_IN_USE:
        connection_break(connection, MQTT_PROTOCOL_ERROR);
        return false;
    case WINDOW_FULL:
        connection_break(connection, MQTT_RECEIVE_MAXIMUM_EXCEEDED);
        return false;
    }
    return false;
}

static enum mqtt_reason status_received(struct connection *connection, const char *bytes,
                                        size_t size)
{
    struct machine_link *link = connection->link;
    char problem[JSON_ERROR_SIZE] = "longer than 4096 bytes";
    _cleanup_(json_release) json_t *status =
        size <= MESSAGE_BODY_MAX ? json_read_object(bytes, size, problem) : NULL;
    if (!status) {
        link_metrics_refused(&link->metrics, "status");
        log_notice("machine_status_unreadable", LOG_TEXT("vm", connection->machine->vm_id),
                   LOG_TEXT("problem", problem));
        return MQTT_PAYLOAD_FORMAT_INVALID;
    }
    link->handlers.status(link->arg, connection->machine->vm_id, status);
    return MQTT_SUCCESS;
}

static enum mqtt_reason foreign(struct connection *connection, const struct mqtt_publish *publish)
{
    link_metrics_refused(&connection->link->metrics, "foreign_topic");
    log_warning("machine_foreign_topic", LOG_TEXT("vm", connection->machine->vm_id),
                LOG_INT("tool", connection->tool), LOG_INT("qos", publish->qos));
    if (connection->level < MQTT_LEVEL_5)
        connection_break(connection, MQTT_NOT_AUTHORIZED);
    return MQTT_NOT_AUTHORIZED;
}

static enum mqtt_reason unknown_leaf(struct connection *connection)
{
    link_metrics_refused(&connection->link->metrics, "unknown_topic");
    log_warning("machine_unknown_topic", LOG_TEXT("vm", connection->machine->vm_id));
    return MQTT_TOPIC_NAME_INVALID;
}

static void answer(struct connection *connection, const struct mqtt_publish *publish,
                   enum mqtt_reason reason)
{
    if (publish->qos > 0 && connection->phase != PHASE_CLOSING)
        connection_answer(connection, publish->packet_id, reason);
}

static void route(struct connection *connection, const struct mqtt_publish *publish)
{
    bool me;
    const char *bytes = publish->payload;
    size_t size = publish->payload_size;
    switch (topic_read(publish->topic, connection->machine->vm_id, &me)) {
    case TOPIC_EVENT:
        events_receive(connection, publish); /* answered when our owner has stored it */
        break;
    case TOPIC_REPLY:
        answer(connection, publish, commands_reply(connection->machine, bytes, size));
        break;
    case TOPIC_STATUS:
        answer(connection, publish,
               connection->tool ? foreign(connection, publish)
                                : status_received(connection, bytes, size));
        break;
    case TOPIC_FOREIGN:
        answer(connection, publish, foreign(connection, publish));
        break;
    case TOPIC_COMMAND:
    case TOPIC_UNKNOWN:
        answer(connection, publish, unknown_leaf(connection));
        break;
    }
}

void publish_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct mqtt_publish publish;
    enum mqtt_reason reason = mqtt_publish_read(frame, connection->level, &publish);
    if (reason == MQTT_SUCCESS)
        reason = publish_check(connection, &publish);
    if (reason != MQTT_SUCCESS)
        connection_break(connection, reason);
    else if (window_admits(connection, &publish))
        route(connection, &publish);
}

void pubrel_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct mqtt_ack ack;
    enum mqtt_reason reason = mqtt_ack_read(frame, connection->level, &ack);
    if (reason != MQTT_SUCCESS) {
        connection_break(connection, reason);
        return;
    }
    bool held = window_release(&connection->window, ack.packet_id);
    ack.reason = held ? MQTT_SUCCESS : MQTT_PACKET_ID_NOT_FOUND;
    struct mqtt_out out;
    mqtt_ack_write(connection->level, MQTT_PUBCOMP, ack, &out);
    connection_write(connection, &out);
}
