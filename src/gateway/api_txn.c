#include "gateway/api_fields.h"
#include "gateway/broker_reply.h"
#include "gateway/core.h"
#include "gateway/handlers.h"

/* The four calls that move a transaction: read strictly, ask the broker, render its answer. */

/* NULL: the request was refused. */
static const char *read_vm(struct request *request, const struct api_vm *vm)
{
    const char *vm_id = NULL, *message = NULL;
    enum reason reason = api_vm_read(vm, &vm_id, &message);
    if (reason == REASON_NONE)
        return vm_id;
    request_refuse(request, reason, message);
    return NULL;
}

static struct broker *broker_of(const struct request *request)
{
    return request->gateway->parts.broker;
}

struct lock_body {
    struct api_vm vm;
    char ref[TXN_REF_SIZE];
    int64_t balance;
};

void handle_lock(struct request *request)
{
    static const struct json_field FIELDS[] = {
        API_VM_FIELDS(struct lock_body, vm),
        API_REF_FIELD(struct lock_body, ref),
        API_INTEGER_FIELD("balance", 0, struct lock_body, balance),
    };
    struct lock_body body = {0};
    const char *vm_id;
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body) ||
        !(vm_id = read_vm(request, &body.vm)))
        return;
    struct broker_lock_call call = {.integrator_id = request->integrator_id,
                                    .vm_id = vm_id,
                                    .ref = body.ref,
                                    .balance = body.balance};
    broker_lock(broker_of(request), &call, broker_reply, broker_reply_wait(request));
}

struct paid_body {
    char ref[TXN_REF_SIZE];
    int64_t price, discount, surcharge;
};

/* Negative figures are the right type; whether they make an amount is the broker's to say. */
void handle_paid(struct request *request)
{
    static const struct json_field FIELDS[] = {
        API_REF_FIELD(struct paid_body, ref),
        API_INTEGER_FIELD("price", -API_INTEGER_MAX, struct paid_body, price),
        API_INTEGER_FIELD("discount", -API_INTEGER_MAX, struct paid_body, discount),
        API_INTEGER_FIELD("surcharge", -API_INTEGER_MAX, struct paid_body, surcharge),
    };
    struct paid_body body = {0};
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body))
        return;
    struct broker_paid_call call = {.integrator_id = request->integrator_id,
                                    .ref = body.ref,
                                    .price = body.price,
                                    .discount = body.discount,
                                    .surcharge = body.surcharge};
    broker_paid(broker_of(request), &call, broker_reply, broker_reply_wait(request));
}

struct unlock_body {
    struct api_vm vm;
    char ref[TXN_REF_SIZE];
};

void handle_unlock(struct request *request)
{
    static const struct json_field FIELDS[] = {
        API_VM_FIELDS(struct unlock_body, vm),
        API_REF_FIELD(struct unlock_body, ref),
    };
    struct unlock_body body = {0};
    const char *vm_id;
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body) ||
        !(vm_id = read_vm(request, &body.vm)))
        return;
    struct broker_unlock_call call = {
        .integrator_id = request->integrator_id, .vm_id = vm_id, .ref = body.ref};
    broker_unlock(broker_of(request), &call, broker_reply, broker_reply_wait(request));
}

struct keys_body {
    struct api_vm vm;
    char ref[TXN_REF_SIZE];
    json_t *keys; /* borrowed from the document */
};

void handle_user_keys(struct request *request)
{
    static const struct json_field FIELDS[] = {
        API_VM_FIELDS(struct keys_body, vm),
        API_REF_FIELD(struct keys_body, ref),
        API_ARRAY_FIELD("keys", API_KEYS_MAX, struct keys_body, keys),
    };
    struct keys_body body = {0};
    const char *vm_id;
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body) ||
        !(vm_id = read_vm(request, &body.vm)))
        return;
    int64_t keys[API_KEYS_MAX];
    struct broker_keys_call call = {
        .integrator_id = request->integrator_id, .vm_id = vm_id, .ref = body.ref, .keys = keys};
    if (!api_keys_read(body.keys, keys, &call.count)) {
        request_refuse(request, REASON_BAD_FIELD, "field 'keys' must be an array of integers");
        return;
    }
    broker_keys(broker_of(request), &call, broker_reply, broker_reply_wait(request));
}
