/* callbacks.c - the bodies of /txn/request, /txn/vend and /txn/unlock, and their way to outbound.
 */
#include "broker/internal.h"

#include "base/log.h"
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WEBHOOK_ID_BYTES 16

static enum callback_kind kind_of(unsigned actions)
{
    if (actions & TXN_CALL_REQUEST)
        return CALLBACK_REQUEST;
    if (actions & TXN_CALL_VEND)
        return CALLBACK_VEND;
    return actions & TXN_CALL_UNLOCK ? CALLBACK_UNLOCK : CALLBACK_KIND_NONE;
}

static void code_text(int code, char ret_text[static 16])
{
    if (code == VEND_OK)
        ret_text[0] = '\0';
    else
        snprintf(ret_text, 16, "%d", code);
}

static json_t *body_of(enum callback_kind kind, const struct txn_record *txn,
                       const struct integrator *integrator)
{
    char code[16];
    if (kind == CALLBACK_REQUEST)
        return json_pack("{s:s, s:s, s:s, s:I}", "txn_ref", txn->ref, "new_txn_ref", "",
                         "selection", txn->selection, "cents", (json_int_t)txn->price);
    bool strict = integrator && integrator->strict_codes;
    code_text(kind == CALLBACK_VEND && strict ? txn_strict_vend_code(txn->outcome_code)
                                              : txn->outcome_code,
              code);
    if (kind == CALLBACK_VEND)
        return json_pack("{s:s, s:b, s:s}", "txn_ref", txn->ref, "success",
                         txn->state == TXN_VENDED, "code", code);
    return json_pack("{s:s, s:s}", "txn_ref", txn->ref, "code", code);
}

/* A request is worth nothing once its payment can no longer come. */
static int64_t expiry_of(enum callback_kind kind, const struct txn_record *txn, int64_t now_ms)
{
    return kind == CALLBACK_REQUEST ? txn->deadline_ms : now_ms + callback_lifetime_ms(kind);
}

void callback_prepare(struct machine *machine)
{
    enum callback_kind kind = kind_of(machine->step.actions);
    struct txn_record *next = &machine->plan.next;
    if (kind == CALLBACK_KIND_NONE)
        return;
    json_t *body =
        body_of(kind, next, people_integrator(machine->broker->people, next->integrator_id));
    assert(body); /* every text in it was checked for UTF-8 when it came in */
    machine->callback_body = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    snprintf(machine->webhook_id, sizeof machine->webhook_id, "msg_");
    random_hex(machine->webhook_id + strlen("msg_"), WEBHOOK_ID_BYTES);
    next->lane_sequence++;
    machine->callback = (struct store_new_callback){
        .kind = callback_kind_path(kind),
        .webhook_id = machine->webhook_id,
        .lane = next->session,
        .lane_sequence = next->lane_sequence,
        .body = machine->callback_body,
        .body_size = strlen(machine->callback_body),
        .expires_ms = expiry_of(kind, next, store_now_ms(machine->broker->store)),
    };
}

void callback_submit(struct machine *machine, int64_t callback_id)
{
    struct live *live = machine->live;
    const struct store_new_callback *made = &machine->callback;
    struct outbound_callback callback = {
        .callback_id = callback_id,
        .integrator_id = live->txn.integrator_id,
        .txn_id = live->txn.id,
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
    if (outbound_submit(machine->broker->outbound, &callback) == -ENOBUFS)
        backlog_left(machine->broker, callback_id); /* on disk: read again when there is room */
}
