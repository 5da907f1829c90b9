/* callbacks.c - the bodies of /txn/request, /txn/vend and /txn/unlock, and their way to outbound.
 */
#include "broker/internal.h"

#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WEBHOOK_ID_BYTES 16

static void code_text(int code, char ret_text[static 16])
{
    if (code == VEND_OK)
        ret_text[0] = '\0';
    else
        snprintf(ret_text, 16, "%d", code);
}

static json_t *request_body(const struct txn_record *txn, const char *ref, const char *new_ref)
{
    return json_pack("{s:s, s:s, s:s, s:I}", "txn_ref", ref, "new_txn_ref", new_ref, "selection",
                     txn->selection, "cents", (json_int_t)txn->price);
}

static json_t *unlock_body(const char *ref, int outcome_code)
{
    char code[16];
    code_text(outcome_code, code);
    return json_pack("{s:s, s:s}", "txn_ref", ref, "code", code);
}

static json_t *vend_body(const struct txn_record *txn, const struct integrator *integrator)
{
    char code[16];
    bool strict = integrator && integrator->strict_codes;
    code_text(strict ? txn_strict_vend_code(txn->outcome_code) : txn->outcome_code, code);
    return json_pack("{s:s, s:b, s:s}", "txn_ref", txn->ref, "success", txn->state == TXN_VENDED,
                     "code", code);
}

/* A request is worth nothing once its payment can no longer come. */
static int64_t expiry_of(enum callback_kind kind, const struct txn_record *txn, int64_t now_ms)
{
    return kind == CALLBACK_REQUEST ? txn->deadline_ms : now_ms + callback_lifetime_ms(kind);
}

/* The next callback of the lane of `txn`; takes `body` over. */
static struct store_new_callback *owe(struct machine *machine, enum callback_kind kind,
                                      struct txn_record *txn, json_t *body)
{
    assert(body); /* every text in it was checked for UTF-8 when it came in */
    assert(machine->owed_count < ARRAY_SIZE(machine->owed));
    struct owed *owed = &machine->owed[machine->owed_count++];
    owed->body = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    snprintf(owed->webhook_id, sizeof owed->webhook_id, "msg_");
    random_hex(owed->webhook_id + strlen("msg_"), WEBHOOK_ID_BYTES);
    txn->lane_sequence++;
    owed->made = (struct store_new_callback){
        .kind = callback_kind_path(kind),
        .webhook_id = owed->webhook_id,
        .lane = txn->session,
        .lane_sequence = txn->lane_sequence,
        .body = owed->body,
        .body_size = strlen(owed->body),
        .expires_ms = expiry_of(kind, txn, store_now_ms(machine->broker->store)),
    };
    return &owed->made;
}

/* An ending before payment. While the integrator may know only the former ref, that one is ended
 * too, and first (outbound.md, "Order"). */
static void owe_unlock(struct machine *machine, struct txn_record *txn)
{
    if (machine->live->rename_unconfirmed && txn->predecessor_closed)
        owe(machine, CALLBACK_UNLOCK, txn, unlock_body(txn->predecessor_ref, txn->outcome_code))
            ->txn_id = txn->predecessor_id;
    owe(machine, CALLBACK_UNLOCK, txn, unlock_body(txn->ref, txn->outcome_code));
}

void callbacks_prepare(struct machine *machine)
{
    struct txn_record *txn = &machine->plan.next;
    unsigned actions = machine->step.actions;
    if (actions & TXN_CALL_REQUEST)
        owe(machine, CALLBACK_REQUEST, txn, request_body(txn, txn->ref, ""));
    if (actions & TXN_CALL_VEND)
        owe(machine, CALLBACK_VEND, txn,
            vend_body(txn, people_integrator(machine->broker->people, txn->integrator_id)));
    if (actions & TXN_CALL_UNLOCK)
        owe_unlock(machine, txn);
}

void callbacks_prepare_rename(struct machine *machine)
{
    struct txn_record *txn = machine->successor;
    owe(machine, CALLBACK_REQUEST, txn, request_body(txn, machine->plan.next.ref, txn->ref))
        ->renames = true;
}

static void submit(struct live *live, const struct owed *owed, int64_t callback_id)
{
    const struct store_new_callback *made = &owed->made;
    struct outbound_callback callback = {
        .callback_id = callback_id,
        .integrator_id = live->txn.integrator_id,
        .txn_id = made->txn_id != 0 ? made->txn_id : live->txn.id,
        .lane = made->lane,
        .lane_sequence = made->lane_sequence,
        .body = made->body,
        .body_size = made->body_size,
        .expires_ms = made->expires_ms,
        .renames = made->renames,
    };
    bool known = callback_kind_parse(made->kind, &callback.kind);
    assert(known && callback_id > 0);
    snprintf(callback.webhook_id, sizeof callback.webhook_id, "%s", made->webhook_id);
    if (callback.kind == CALLBACK_REQUEST)
        live->request_callback_id = callback_id;
    struct broker *broker = live->machine->broker;
    /* Nothing may overtake its lane's callbacks that are only in the outbox. */
    bool held = live->request_withheld ||
                outbox_holds(live->machine, callback.integrator_id, callback.lane);
    if (!held && outbound_submit(broker->outbound, &callback) != -ENOBUFS)
        return;
    outbox_left(live->machine, callback.integrator_id, callback.lane, callback_id);
    live->request_withheld |= callback.kind == CALLBACK_REQUEST && !callback.renames;
}

void callbacks_submit(struct live *live, const int64_t *callback_ids)
{
    const struct machine *machine = live->machine;
    for (size_t i = 0; i < machine->owed_count; i++)
        submit(live, &machine->owed[i], callback_ids[i]);
}
