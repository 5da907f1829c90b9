#include "fleet/keypad.h"
#include "gateway/api_fields.h"
#include "gateway/core.h"
#include "gateway/handlers.h"

#include <stdio.h>

/* Searches are answered from memory. A machine that an integrator was not granted does not exist
 * for it. */

/* NULL: none that this integrator may see. */
static const struct fleet_machine *find_machine(const struct request *request, const char *vm_id)
{
    const struct gateway_parts *parts = &request->gateway->parts;
    if (!people_granted(parts->people, request->integrator_id, vm_id))
        return NULL;
    return fleet_directory_find(parts->directory, vm_id);
}

/* The contract's fields are strings; what is not known is empty. */
static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* Never NULL: the texts come from the database, which holds UTF-8. The caller owns it. The keypad
 * is shared with the directory. */
static json_t *render_machine(const struct broker *broker, const struct fleet_machine *machine)
{
    json_t *keypad = machine->keypad ? json_incref(machine->keypad) : keypad_none();
    json_t *rendered =
        json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:o}", "id", machine->vm_id,
                  "address", text_or_empty(machine->address), "business_address",
                  text_or_empty(machine->business_address), "busy",
                  broker_machine_busy(broker, machine->vm_id), "online",
                  broker_machine_online(broker, machine->vm_id), "company_external_name",
                  text_or_empty(machine->company_external_name), "operator_name",
                  text_or_empty(machine->operator_name), "operator_contact_number",
                  text_or_empty(machine->operator_contact_number), "photo_url",
                  text_or_empty(machine->photo_url), "keypad_configuration", keypad);
    assert(rendered);
    return rendered;
}

static void answer_found(struct request *request, const char *key, json_t *value)
{
    struct envelope envelope = {.success = true, .timeout_s = -1, .key = key, .value = value};
    request_answer(request, &envelope);
}

struct search_body {
    struct api_vm vm;
};

void handle_search(struct request *request)
{
    static const struct json_field FIELDS[] = {API_VM_FIELDS(struct search_body, vm)};
    struct search_body body = {0};
    const char *vm_id = NULL, *message = NULL;
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body))
        return;
    enum reason reason = api_vm_read(&body.vm, &vm_id, &message);
    if (reason != REASON_NONE) {
        request_refuse(request, reason, message);
        return;
    }
    const struct fleet_machine *machine = find_machine(request, vm_id);
    if (!machine) {
        request_refuse(request, REASON_MACHINE_UNKNOWN, NULL);
        return;
    }
    _cleanup_(json_release) json_t *rendered =
        render_machine(request->gateway->parts.broker, machine);
    answer_found(request, "vendingMachine", rendered);
}

struct bulk_body {
    json_t *vms; /* borrowed from the document */
};

/* True: every entry is a vm_id. Else it was refused, with the entry named. */
static bool check_ids(struct request *request, const json_t *vms)
{
    size_t i;
    const json_t *vm;
    json_array_foreach(vms, i, vm)
    {
        if (json_is_string(vm) && api_vm_id_valid(json_string_value(vm), json_string_length(vm)))
            continue;
        char message[JSON_ERROR_SIZE];
        snprintf(message, sizeof(message), "field 'vms' holds no vm_id at index %zu", i);
        request_refuse(request, REASON_BAD_FIELD, message);
        return false;
    }
    return true;
}

/* Those that exist for this integrator, each once, in the order of asking. */
static json_t *find_all(const struct request *request, const json_t *vms)
{
    _cleanup_(json_release) json_t *seen = json_object();
    json_t *found = json_array();
    size_t i;
    const json_t *vm;
    json_array_foreach(vms, i, vm)
    {
        const char *vm_id = json_string_value(vm);
        const struct fleet_machine *machine = find_machine(request, vm_id);
        if (!machine || json_object_get(seen, vm_id))
            continue;
        (void)json_object_set_new(seen, vm_id, json_true());
        (void)json_array_append_new(found, render_machine(request->gateway->parts.broker, machine));
    }
    return found;
}

void handle_bulk_search(struct request *request)
{
    static const struct json_field FIELDS[] = {
        API_ARRAY_FIELD("vms", API_INTEGER_MAX, struct bulk_body, vms),
    };
    struct bulk_body body = {0};
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body))
        return;
    if (!json_is_array(body.vms)) {
        request_refuse(request, REASON_BAD_FIELD, "field 'vms' must be an array of strings");
        return;
    }
    if (json_array_size(body.vms) > (size_t)request->gateway->options.bulk_max) {
        request_refuse(request, REASON_TOO_MANY_IDS, NULL);
        return;
    }
    if (!check_ids(request, body.vms))
        return;
    _cleanup_(json_release) json_t *found = find_all(request, body.vms);
    answer_found(request, "vendingMachines", found);
}
