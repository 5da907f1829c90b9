/* connect.c - who may come in: CONNECT, takeover, CONNACK. */
#include "machine_link/connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "machine_link/topic.h"

#include <string.h>

#define URN_PREFIX "urn:vm:"
#define TOOL_SUFFIX ":tool"
#define TOKEN_SIZE 257

/* Why a connection is refused beyond what authenticate() says. */
enum {
    REFUSED_MALFORMED = LINK_DRAINING + 1,
    REFUSED_PROTOCOL,
    REFUSED_PROTOCOL_NAME,
    REFUSED_LEVEL,
    REFUSED_AUTHENTICATION_METHOD,
    REFUSED_WILL_TOPIC,
    REFUSED_WILL_RETAIN,
    REFUSED_TOO_LARGE,
    REFUSED_FLAPPING,
    REFUSED_TOOLS,
    REFUSED_COUNT
};

#define JUST_CLOSE 0

/* clang-format off */
static const struct {
    const char *name;
    uint8_t v3;          /* 3.1.1 return code; JUST_CLOSE: no CONNACK */
    enum mqtt_reason v5; /* JUST_CLOSE as before */
} REFUSALS[REFUSED_COUNT] = {
    [LINK_BAD_IDENTITY] = {"bad_identity", 2, MQTT_CLIENT_ID_INVALID},
    [LINK_BAD_TOKEN] = {"bad_token", 4, MQTT_BAD_USER_OR_PASSWORD},
    [LINK_NOT_ALLOWED] = {"not_allowed", 5, MQTT_NOT_AUTHORIZED},
    [LINK_UNAVAILABLE] = {"unavailable", 3, MQTT_SERVER_UNAVAILABLE},
    [LINK_BUSY] = {"busy", 3, MQTT_CONNECTION_RATE_EXCEEDED},
    [LINK_DRAINING] = {"draining", 3, MQTT_SERVER_BUSY},
    [REFUSED_MALFORMED] = {"malformed", JUST_CLOSE, MQTT_MALFORMED},
    [REFUSED_PROTOCOL] = {"protocol", JUST_CLOSE, MQTT_PROTOCOL_ERROR},
    [REFUSED_PROTOCOL_NAME] = {"protocol_name", JUST_CLOSE, (enum mqtt_reason)JUST_CLOSE},
    [REFUSED_LEVEL] = {"level", 1, MQTT_UNSUPPORTED_VERSION},
    [REFUSED_AUTHENTICATION_METHOD] = {"authentication_method", JUST_CLOSE, MQTT_BAD_AUTHENTICATION_METHOD},
    [REFUSED_WILL_TOPIC] = {"will_topic", 5, MQTT_NOT_AUTHORIZED},
    [REFUSED_WILL_RETAIN] = {"will_retain", JUST_CLOSE, MQTT_RETAIN_NOT_SUPPORTED},
    [REFUSED_TOO_LARGE] = {"too_large", JUST_CLOSE, MQTT_PACKET_TOO_LARGE},
    [REFUSED_FLAPPING] = {"flapping", 3, MQTT_CONNECTION_RATE_EXCEEDED},
    [REFUSED_TOOLS] = {"tools", 3, MQTT_CONNECTION_RATE_EXCEEDED},
};
/* clang-format on */

static void refuse(struct connection *connection, int refusal)
{
    assert(refusal > 0 && refusal < REFUSED_COUNT);
    assert(connection->phase == PHASE_CONNECT || connection->phase == PHASE_WELCOME);
    bool v5 = connection->level >= MQTT_LEVEL_5;
    uint8_t code = v5 ? (uint8_t)REFUSALS[refusal].v5 : REFUSALS[refusal].v3;
    if (code != JUST_CLOSE) {
        struct mqtt_out out;
        mqtt_connack_write(connection->level, &(struct mqtt_connack){.code = code}, &out);
        connection_write(connection, &out);
    }
    link_metrics_refused(&connection->link->metrics, REFUSALS[refusal].name);
    log_notice("machine_refused",
               LOG_TEXT("vm", connection->machine ? connection->machine->vm_id : NULL),
               LOG_TEXT("address", net_stream_peer(connection->stream)->address_text),
               LOG_TEXT("reason", REFUSALS[refusal].name));
    connection_end(connection, LINK_DOWN_NOT_WELCOME, MQTT_SUCCESS);
}

void connect_refuse(struct connection *connection, enum link_refusal refusal)
{
    refuse(connection, (int)refusal);
}

void connect_accept(struct connection *connection)
{
    const struct mqtt_connack connack = {.receive_maximum = WINDOW_MAX,
                                         .packet_size_max = PACKET_SIZE_MAX,
                                         .keep_alive_s = (uint16_t)connection->keep_alive_s,
                                         .session_expiry_zero = connection->session_expiry};
    struct mqtt_out out;
    mqtt_connack_write(connection->level, &connack, &out);
    connection_write(connection, &out);
    connection->heard_ms = clock_monotonic_ms(); /* the client had to wait for us */
}

static bool vm_id_valid(const char *vm_id)
{
    size_t size = strlen(vm_id);
    return size > 0 && size < VM_ID_SIZE &&
           strspn(vm_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               size;
}

/* The identity: the certificate's URN, else its common name; without a certificate the user name.
 * 0, or why not. */
static int identity_read(const struct net_peer *peer, const struct mqtt_connect *connect,
                         char ret_vm_id[static VM_ID_SIZE])
{
    if (!peer->certificate) {
        if (!connect->has_user || !mqtt_text_copy(connect->user, VM_ID_SIZE, ret_vm_id))
            return LINK_BAD_TOKEN;
        return vm_id_valid(ret_vm_id) ? LINK_ALLOWED : LINK_BAD_TOKEN;
    }
    size_t prefix_size = strlen(URN_PREFIX);
    bool urn = strncmp(peer->urn, URN_PREFIX, prefix_size) == 0;
    const char *name = urn ? peer->urn + prefix_size : peer->common_name;
    if (!vm_id_valid(name))
        return LINK_NOT_ALLOWED;
    if (connect->has_user && !mqtt_text_is(connect->user, name))
        return LINK_BAD_TOKEN; /* TLS and MQTT must name the same machine */
    memcpy(ret_vm_id, name, strlen(name) + 1);
    return LINK_ALLOWED;
}

/* The client id must be the identity, or that of its tool. */
static int client_id_check(struct mqtt_text client_id, const char *vm_id, bool *ret_tool)
{
    size_t size = strlen(vm_id);
    if (client_id.size < size || memcmp(client_id.bytes, vm_id, size) != 0)
        return LINK_BAD_IDENTITY;
    struct mqtt_text rest = {.bytes = client_id.bytes + size, .size = client_id.size - size};
    *ret_tool = mqtt_text_is(rest, TOOL_SUFFIX);
    return rest.size == 0 || *ret_tool ? LINK_ALLOWED : LINK_BAD_IDENTITY;
}

static int authenticate(struct connection *connection, const struct mqtt_connect *connect,
                        const char *vm_id)
{
    const struct machine_link *link = connection->link;
    const struct net_peer *peer = net_stream_peer(connection->stream);
    char token[TOKEN_SIZE];
    if (connect->has_password && !mqtt_text_copy(connect->password, sizeof token, token))
        return LINK_BAD_TOKEN;
    const struct link_credentials credentials = {
        .vm_id = vm_id,
        .fingerprint = peer->certificate ? peer->fingerprint : NULL,
        .token = connect->has_password ? token : NULL,
        .tool = connection->tool,
    };
    enum link_refusal refusal = link->handlers.authenticate(link->arg, &credentials);
    explicit_bzero(token, sizeof token);
    return (int)refusal;
}

static int will_check(const struct connection *connection, const struct mqtt_connect *connect,
                      const char *vm_id)
{
    if (!connect->will)
        return LINK_ALLOWED;
    bool me;
    if (connection->tool || topic_read(connect->will_topic, vm_id, &me) != TOPIC_STATUS)
        return REFUSED_WILL_TOPIC;
    /* 3.1.1 has no word for it, so there the bit is ignored. */
    bool v5 = connection->level >= MQTT_LEVEL_5;
    return v5 && connect->will_retain ? REFUSED_WILL_RETAIN : LINK_ALLOWED;
}

/* Everything about the claim that does not depend on other connections. */
static int claim_check(struct connection *connection, const struct mqtt_connect *connect,
                       char ret_vm_id[static VM_ID_SIZE])
{
    if (mqtt_property_present(&connect->properties, MQTT_PROPERTY_AUTHENTICATION_METHOD))
        return REFUSED_AUTHENTICATION_METHOD;
    if (connection->link->draining)
        return LINK_DRAINING;
    if (connect->client_id.size == 0)
        return LINK_BAD_IDENTITY;
    int refusal = identity_read(net_stream_peer(connection->stream), connect, ret_vm_id);
    if (refusal == LINK_ALLOWED)
        refusal = client_id_check(connect->client_id, ret_vm_id, &connection->tool);
    if (refusal == LINK_ALLOWED)
        refusal = authenticate(connection, connect, ret_vm_id);
    if (refusal == LINK_ALLOWED)
        refusal = will_check(connection, connect, ret_vm_id);
    return refusal;
}

/* 5.0: our keep-alive goes. 3.1.1: the client's own, but not for ever. */
static int64_t keep_alive_s_of(const struct connection *connection, int64_t asked_s)
{
    const struct machine_link_options *options = &connection->link->options;
    if (connection->level >= MQTT_LEVEL_5)
        return options->keep_alive_s;
    return asked_s > 0 && asked_s < options->keep_alive_max_s ? asked_s : options->keep_alive_max_s;
}

static void limits_take(struct connection *connection, const struct mqtt_connect *connect)
{
    const struct mqtt_properties *properties = &connect->properties;
    connection->keep_alive_s = keep_alive_s_of(connection, connect->keep_alive_s);
    connection->session_expiry =
        mqtt_property_number(properties, MQTT_PROPERTY_SESSION_EXPIRY, 0) > 0;
    connection->receive_max =
        (uint16_t)mqtt_property_number(properties, MQTT_PROPERTY_RECEIVE_MAXIMUM, UINT16_MAX);
    connection->packet_max =
        mqtt_property_number(properties, MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, UINT32_MAX);
}

static void tool_enter(struct connection *connection, const char *vm_id)
{
    struct machine_link *link = connection->link;
    struct machine *machine = machine_hold(link, vm_id);
    if (machine->tool_count >= (size_t)link->options.tools_max) {
        machine_release(machine);
        refuse(connection, REFUSED_TOOLS);
        return;
    }
    connection->machine = machine;
    DL_APPEND2(machine->tools, connection, tool_prev, tool_next);
    machine->tool_count++;
    log_info("machine_tool_up", LOG_TEXT("vm", vm_id), LOG_INT("connection", connection->id));
    connect_accept(connection);
    connection_move(connection, PHASE_TOOL, 0);
}

/* The newest authenticated connection wins. */
static void machine_enter(struct connection *connection, const char *vm_id)
{
    struct machine_link *link = connection->link;
    struct machine *machine = machine_hold(link, vm_id);
    connection->machine = machine;
    if (machine->live) {
        if (!machine_takeover_allowed(machine)) {
            refuse(connection, REFUSED_FLAPPING);
            return;
        }
        connection_end(machine->live, LINK_DOWN_TAKEOVER, MQTT_SESSION_TAKEN_OVER);
    }
    link_report_ended(link); /* gone() of the former comes before arrived() of this one */
    if (connection->phase != PHASE_CONNECT)
        return; /* our owner shut the link down meanwhile */
    machine->live = connection;
    connection->gone_owed = true;
    connection_move(connection, PHASE_WELCOME, link->options.welcome_ms);
    const struct net_peer *peer = net_stream_peer(connection->stream);
    log_info("machine_arrived", LOG_TEXT("vm", vm_id), LOG_INT("connection", connection->id),
             LOG_TEXT("address", peer->address_text), LOG_INT("mqtt", connection->level));
    link->handlers.arrived(link->arg, machine->vm_id, connection->id,
                           peer->certificate ? peer->fingerprint : NULL);
}

static int connect_verdict(struct connection *connection, const struct mqtt_frame *frame,
                           const struct mqtt_connect *connect, enum mqtt_reason reason)
{
    switch (reason) {
    case MQTT_SUCCESS:
        break;
    case MQTT_UNSUPPORTED_VERSION:
        return connect->known_protocol ? REFUSED_LEVEL : REFUSED_PROTOCOL_NAME;
    case MQTT_PROTOCOL_ERROR:
        return REFUSED_PROTOCOL;
    default:
        return REFUSED_MALFORMED;
    }
    bool v5 = connection->level >= MQTT_LEVEL_5;
    return !v5 && frame->size > CONNECT_SIZE_MAX_3_1_1 ? REFUSED_TOO_LARGE : LINK_ALLOWED;
}

void connect_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct mqtt_connect connect;
    enum mqtt_reason reason = mqtt_connect_read(frame, &connect);
    connection->level = connect.level >= MQTT_LEVEL_5 ? MQTT_LEVEL_5 : MQTT_LEVEL_3_1_1;
    char vm_id[VM_ID_SIZE];
    int refusal = connect_verdict(connection, frame, &connect, reason);
    if (refusal == LINK_ALLOWED)
        refusal = claim_check(connection, &connect, vm_id);
    if (refusal != LINK_ALLOWED) {
        refuse(connection, refusal);
        return;
    }
    limits_take(connection, &connect);
    if (connection->tool)
        tool_enter(connection, vm_id);
    else
        machine_enter(connection, vm_id);
}
