/* subscribe.c - the one subscription there is: the machine's own commands. */
#include "machine_link/connection.h"

#include "base/log.h"
#include "machine_link/commands.h"
#include "machine_link/topic.h"

#define REFUSED_3_1_1 0x80

static bool is_own_commands(const struct connection *connection, struct mqtt_text filter,
                            bool *ret_me)
{
    return !connection->tool &&
           topic_read(filter, connection->machine->vm_id, ret_me) == TOPIC_COMMAND;
}

static uint8_t grant(struct connection *connection, struct mqtt_text filter, uint8_t qos)
{
    bool me;
    if (is_own_commands(connection, filter, &me)) {
        connection->subscribed = true;
        connection->subscribed_as_me = me;
        connection->granted_qos = qos > 0 ? 1 : 0;
        return connection->granted_qos;
    }
    link_metrics_refused(&connection->link->metrics, "subscription");
    log_notice("machine_subscription_refused", LOG_TEXT("vm", connection->machine->vm_id));
    if (connection->level < MQTT_LEVEL_5)
        return REFUSED_3_1_1;
    return topic_is_shared(filter) ? MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED : MQTT_NOT_AUTHORIZED;
}

void subscribe_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct machine_link *link = connection->link;
    struct mqtt_filters filters;
    enum mqtt_reason reason = mqtt_filters_read(frame, connection->level, &filters);
    if (reason == MQTT_SUCCESS &&
        mqtt_property_present(&filters.properties, MQTT_PROPERTY_SUBSCRIPTION_ID))
        reason = MQTT_SUBSCRIPTION_IDS_NOT_SUPPORTED;
    if (reason != MQTT_SUCCESS) {
        connection_break(connection, reason);
        return;
    }
    uint8_t codes[MQTT_FILTERS_MAX];
    for (size_t i = 0; i < filters.count; i++)
        codes[i] = grant(connection, filters.list[i].filter, filters.list[i].qos);
    struct mqtt_out out;
    mqtt_suback_write(connection->level, MQTT_SUBACK, filters.packet_id, codes, filters.count,
                      &out);
    connection_write(connection, &out);
    if (!connection->subscribed)
        return;
    if (connection->phase == PHASE_SUBSCRIBE) {
        connection_move(connection, PHASE_HELLO, link->options.welcome_ms);
        link->handlers.subscribed(link->arg, connection->machine->vm_id, connection->id);
    }
    commands_pump(connection);
}

/* Commands then wait for another subscription until their time is over. */
static uint8_t withdraw(struct connection *connection, struct mqtt_text filter)
{
    bool me;
    if (!is_own_commands(connection, filter, &me) || !connection->subscribed ||
        me != connection->subscribed_as_me)
        return MQTT_NO_SUBSCRIPTION_EXISTED;
    connection->subscribed = false;
    return MQTT_SUCCESS;
}

void unsubscribe_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct mqtt_filters filters;
    enum mqtt_reason reason = mqtt_filters_read(frame, connection->level, &filters);
    if (reason != MQTT_SUCCESS) {
        connection_break(connection, reason);
        return;
    }
    uint8_t codes[MQTT_FILTERS_MAX];
    for (size_t i = 0; i < filters.count; i++)
        codes[i] = withdraw(connection, filters.list[i].filter);
    struct mqtt_out out;
    mqtt_suback_write(connection->level, MQTT_UNSUBACK, filters.packet_id, codes, filters.count,
                      &out);
    connection_write(connection, &out);
}
