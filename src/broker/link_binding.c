/* link_binding.c - the machine link's words become inputs of the machine's mailbox. */
#include "broker/internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "people/secret.h"

#include <stdio.h>
#include <string.h>

static enum link_refusal certificate_check(const struct fleet_machine *known,
                                           const char *fingerprint)
{
    for (size_t i = 0; i < STORE_FINGERPRINTS_MAX; i++)
        if (secret_sha256_same(known->fingerprints[i], fingerprint))
            return LINK_ALLOWED;
    return LINK_NOT_ALLOWED;
}

static enum link_refusal token_check(const struct fleet_machine *known, const char *token)
{
    char digest[SECRET_SHA256_SIZE];
    if (known->token_sha256[0] == '\0')
        return LINK_NOT_ALLOWED;
    secret_sha256_hex(token, strlen(token), digest);
    return secret_sha256_same(known->token_sha256, digest) ? LINK_ALLOWED : LINK_BAD_TOKEN;
}

static enum link_refusal authenticate(void *arg, const struct link_credentials *credentials)
{
    const struct broker *broker = arg;
    if (broker->draining)
        return LINK_DRAINING;
    if (!broker->ready || !store_ready(broker->store))
        return LINK_UNAVAILABLE;
    const struct fleet_machine *known = fleet_directory_find(broker->directory, credentials->vm_id);
    if (!known || !known->enabled || (credentials->tool && !known->allow_tool))
        return LINK_NOT_ALLOWED;
    if (credentials->fingerprint)
        return certificate_check(known, credentials->fingerprint);
    return credentials->token ? token_check(known, credentials->token) : LINK_BAD_TOKEN;
}

static void arrived(void *arg, const char *vm_id, uint64_t connection, const char *fingerprint)
{
    struct broker *broker = arg;
    struct machine *machine = broker_machine_get(broker, vm_id);
    machine->presence = PRESENCE_ARRIVED;
    machine->connection = connection;
    snprintf(machine->fingerprint, sizeof machine->fingerprint, "%s",
             fingerprint ? fingerprint : "");
    timer_stop(machine->grace);
    struct input *input = input_new(INPUT_ARRIVED);
    input->connection = connection;
    mailbox_post(machine, input);
}

static void subscribed(void *arg, const char *vm_id, uint64_t connection)
{
    struct machine *machine = broker_machine_find(arg, vm_id);
    if (machine && machine->connection == connection && machine->presence == PRESENCE_WELCOME)
        hello_send(machine);
}

static void input_own_body(struct input *input, const char *raw, size_t size)
{
    input->raw = memory_bytes(raw, size);
}

static void event(void *arg, const char *vm_id, struct event_ticket ticket,
                  const struct machine_event *given)
{
    struct machine *machine = broker_machine_get(arg, vm_id);
    struct input *input = input_new(INPUT_EVENT);
    input->event = *given;
    input->ticket = ticket;
    input_own_body(input, given->raw, given->raw_size);
    input->event.raw = input->raw;
    input->event.problem = input->problem = memory_text(given->problem);
    if (given->json)
        input->json = json_deep_copy(given->json);
    input->event.json = input->json;
    /* The name stands in the document; an unreadable one's is a constant of the parser. */
    const char *name = json_string_value(json_object_get(input->json, "event"));
    if (name)
        input->event.name = name;
    mailbox_post(machine, input);
}

static void reply(void *arg, const char *vm_id, const struct machine_reply *given)
{
    struct machine *machine = broker_machine_get(arg, vm_id);
    struct input *input = input_new(INPUT_REPLY);
    input->connection = machine->connection;
    input->reply = *given;
    input_own_body(input, given->raw, given->raw_size);
    input->reply.raw = input->raw;
    mailbox_post(machine, input);
}

static void received(void *arg, const char *vm_id, const struct machine_command *command)
{
    struct machine *machine = broker_machine_find(arg, vm_id);
    if (machine && machine->live && command->op == MACHINE_OP_APPROVE &&
        command->txn_id == machine->live->txn.id)
        machine->live->approve_received = true;
}

static void dropped(void *arg, const char *vm_id, const struct machine_command *command, bool sent)
{
    struct machine *machine = broker_machine_find(arg, vm_id);
    if (!sent && machine && machine->live && command->op == MACHINE_OP_APPROVE &&
        command->txn_id == machine->live->txn.id)
        machine->live->approve_received = true;
    /* The state's own timer makes it good. */
    log_info("command_dropped", LOG_TEXT("vm", vm_id), LOG_TEXT("op", machine_op_name(command->op)),
             LOG_INT("txn", command->txn_id), LOG_INT("sent", sent));
}

static void status(void *arg, const char *vm_id, const json_t *snapshot)
{
    (void)arg;
    const char *state = json_string_value(json_object_get(snapshot, "state"));
    log_debug("machine_status", LOG_TEXT("vm", vm_id), LOG_TEXT("state", state));
}

static void gone(void *arg, const char *vm_id, uint64_t connection, enum link_down_reason reason)
{
    struct broker *broker = arg;
    struct machine *machine = broker_machine_find(broker, vm_id);
    if (!machine || machine->connection != connection)
        return;
    log_info("machine_gone", LOG_TEXT("vm", vm_id),
             LOG_TEXT("reason", link_down_reason_name(reason)));
    machine->presence = PRESENCE_GONE;
    timer_start(machine->grace, broker->options.offline_grace_ms);
}

void broker_link_handlers(struct machine_link_handlers *ret_handlers)
{
    *ret_handlers = (struct machine_link_handlers){
        .authenticate = authenticate,
        .arrived = arrived,
        .subscribed = subscribed,
        .event = event,
        .reply = reply,
        .received = received,
        .dropped = dropped,
        .status = status,
        .gone = gone,
    };
}
