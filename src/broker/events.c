/* events.c - what machines report: numbered, stored once, and judged if it concerns a transaction.
 */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define RESEND_TTL_MS 30000
/* What a machine may say of itself (MDB's scale factor has one byte; days of patience are none). */
#define SCALE_MAX 255
#define DECIMALS_MAX 9
#define RESPONSE_MAX_S 86400

void event_store_fill(const struct machine *machine, const struct input *input,
                      struct store_machine_event *ret_event)
{
    const struct machine_event *event = &input->event;
    const struct event_sequence *after = input->old ? &machine->sequence : &input->sequence;
    bool numbered = event->numbered && !input->reused;
    *ret_event = (struct store_machine_event){
        .vm_id = machine->vm_id,
        .event_epoch = numbered ? event->event_epoch : -1,
        .seq = numbered ? event->seq : -1,
        .time_s = event->time_s,
        .name = event->name,
        .raw = event->raw,
        .raw_size = event->raw_size,
        .problem = input->reused ? "its number is another event's" : event->problem,
        .state_epoch = after->event_epoch,
        .mark = after->mark,
        .above = after->above,
        .above_count = after->above_count,
    };
}

static void event_saved(void *arg, enum store_outcome outcome)
{
    CRASH_POINT(after_event_saved_before_puback);
    input_done(arg, outcome);
}

void event_save(struct machine *machine, const struct store_machine_effects *effects)
{
    struct store_machine_event event;
    event_store_fill(machine, machine->current, &event);
    store_machine_event_save(machine->broker->store, &event, machine->owner_epoch, effects,
                             event_saved, machine);
}

json_t *event_evidence(const struct machine_event *event)
{
    json_t *body = event->json ? json_deep_copy(event->json)
                               : json_stringn_nocheck(event->name, strlen(event->name));
    return json_pack("{s:o}", "event", body);
}

static void event_step(struct machine *machine, struct plan *plan)
{
    plan->evidence = event_evidence(&machine->current->event);
    step_take(machine, plan);
}

/* A session that is not ours to serve is ended. */
static void stray_session_end(struct machine *machine, int64_t session)
{
    struct machine_command unlock = {
        .op = MACHINE_OP_UNLOCK, .ttl_ms = RESEND_TTL_MS, .session = session, .request = -1};
    broker_machine_send(machine, &unlock);
}

static enum txn_event selection_judge(const struct machine *machine,
                                      const struct machine_event *event)
{
    const struct live *live = machine->live;
    if (!live)
        return TXN_EVENT_NONE;
    struct txn_selection selection = {.session = event->session,
                                      .request = event->request,
                                      .item = event->item,
                                      .price = event->price,
                                      .renaming_possible = succession_possible(live)};
    struct txn_limits limits;
    broker_machine_limits(machine, live->txn.integrator_id, &limits);
    return txn_judge_selection(&live->txn, &selection, &limits);
}

/* Another choice in a session whose goods have come out. */
static void further_selection_work(struct machine *machine, const struct machine_event *event)
{
    const struct txn_record *last = &machine->open->txn;
    struct txn_limits limits;
    broker_machine_limits(machine, last->integrator_id, &limits);
    if (event->request == last->request) { /* the one that was served, told again */
        event_save(machine, NULL);
        return;
    }
    if (open_session_may_go_on(machine) && txn_price_payable(event->price, &limits)) {
        succession_take(machine, last);
        return;
    }
    open_session_end(machine, true);
    event_save(machine, NULL);
}

static void selection_work(struct machine *machine, const struct machine_event *event)
{
    struct live *live = machine->live;
    if (machine->open && machine->open->txn.session == event->session) {
        further_selection_work(machine, event);
        return;
    }
    enum txn_event judged = selection_judge(machine, event);
    if (judged == TXN_EVENT_NONE) {
        stray_session_end(machine, event->session);
        event_save(machine, NULL);
        return;
    }
    struct txn_step step;
    if (judged == TXN_SELECTION_RENAMING && txn_step(live->txn.state, judged, &step)) {
        succession_take(machine, &live->txn);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, judged, "machine");
    if (judged == TXN_SELECTION) {
        plan.next.request = event->request;
        plan.next.item = event->item;
        plan.next.price = event->price;
        snprintf(plan.next.selection, sizeof plan.next.selection, "%s", event->label);
        live->keys_sent_ms = 0;
    }
    event_step(machine, &plan);
}

static int session_end_code(enum session_end end)
{
    switch (end) {
    case SESSION_END_CUSTOMER:
        return UNLOCK_CUSTOMER;
    case SESSION_END_CASH:
        return UNLOCK_CASH_USED;
    case SESSION_END_VMC:
        return UNLOCK_SESSION_ENDED;
    case SESSION_END_RESET:
        return UNLOCK_DEVICE_RESTARTED;
    case SESSION_END_DOOR:
        return UNLOCK_OUT_OF_SERVICE;
    case SESSION_END_TIMEOUT:
        return UNLOCK_NO_SELECTION;
    case SESSION_END_OTHER:
        break;
    }
    return UNLOCK_UNKNOWN;
}

static void session_work(struct machine *machine, const struct machine_event *event)
{
    struct live *live = machine->live;
    bool withdrawn = event->kind == MACHINE_EVENT_WITHDRAWN;
    if (!withdrawn && machine->open && machine->open->txn.session == event->session)
        open_session_end(machine, false);
    if (!withdrawn && live && live->txn.session == event->session)
        live->session_over = true;
    if (!live || live->txn.session != event->session ||
        (withdrawn && live->txn.request != event->request)) {
        event_save(machine, NULL);
        return;
    }
    enum txn_event judged = withdrawn                         ? TXN_SELECTION_WITHDRAWN
                            : event->end == SESSION_END_RESET ? TXN_SESSION_RESET
                                                              : TXN_SESSION_ENDED;
    struct plan plan;
    plan_init(&plan, live, judged, "machine");
    plan.code = session_end_code(event->end);
    event_step(machine, &plan);
}

enum txn_approval_word event_word(enum machine_event_kind kind)
{
    switch (kind) {
    case MACHINE_EVENT_DISPENSED:
        return TXN_WORD_DISPENSED;
    case MACHINE_EVENT_NOT_DISPENSED:
        return TXN_WORD_NOT_DISPENSED;
    case MACHINE_EVENT_INTERRUPTED:
        return TXN_WORD_INTERRUPTED;
    default:
        return TXN_WORD_NONE;
    }
}

int evidence_vend_code(enum txn_event event, int64_t machine_code, const char *refusal)
{
    if (event == TXN_NOT_DISPENSED)
        return machine_code > 0 && machine_code <= VEND_UNCLASSIFIED ? (int)machine_code
                                                                     : VEND_DISPENSE_FAILED;
    if (event == TXN_APPROVAL_REFUSED)
        return refusal && strcmp(refusal, "expired") == 0 ? VEND_APPROVAL_EXPIRED
                                                          : VEND_APPROVAL_REFUSED;
    return VEND_OK;
}

static void result_work(struct machine *machine, const struct machine_event *event)
{
    struct live *live = machine->live;
    if (!live || strcmp(live->txn.approval, event->approval) != 0) {
        late_event_work(machine, event);
        return;
    }
    struct txn_evidence evidence = {
        .word = event_word(event->kind), .journal = machine->journal, .on_bus = event->on_bus};
    struct plan plan;
    plan_init(&plan, live, txn_judge_evidence(&live->txn, &evidence), "machine");
    plan.code = evidence_vend_code(plan.event, event->code, NULL);
    event_step(machine, &plan);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* -1, which is "not told", for what makes no sense. */
static int64_t integer_within(const json_t *object, const char *name, int64_t least, int64_t most)
{
    const json_t *value = json_object_get(object, name);
    int64_t told = json_is_integer(value) ? json_integer_value(value) : -1;
    return told >= least && told <= most ? told : -1;
}

static void described(void *arg, enum store_outcome outcome)
{
    struct machine *machine = arg;
    if (outcome == STORE_APPLIED)
        fleet_directory_refresh(machine->broker->directory, machine->vm_id);
    input_done(machine, outcome);
}

/* The machine describes itself: planogram, keypad, info. */
static void description_work(struct machine *machine, const struct machine_event *event)
{
    struct store_machine_effects effects = {.scale = -1, .decimals = -1, .max_response_s = -1};
    _cleanup_(memory_text_free) char *text = NULL;
    if (event->kind == MACHINE_EVENT_KEYPAD) {
        json_t *keypad = json_deep_copy(event->json);
        static const char *const ENVELOPE[] = {"event", "event_epoch", "seq", "time"};
        for (size_t i = 0; i < ARRAY_SIZE(ENVELOPE); i++)
            json_object_del(keypad, ENVELOPE[i]);
        effects.keypad = text = json_dumps(keypad, JSON_COMPACT);
        json_decref(keypad);
    } else if (event->kind == MACHINE_EVENT_PLANOGRAM) {
        effects.planogram = text = json_dumps(json_object_get(event->json, "coils"), JSON_COMPACT);
    } else {
        effects.firmware = text_of(event->json, "firmware");
        effects.model = text_of(event->json, "model");
        effects.currency = text_of(event->json, "currency");
        effects.scale = integer_within(event->json, "scale", 1, SCALE_MAX);
        effects.decimals = integer_within(event->json, "decimals", 0, DECIMALS_MAX);
        effects.max_response_s = integer_within(event->json, "max_response_s", 0, RESPONSE_MAX_S);
    }
    struct store_machine_event stored;
    event_store_fill(machine, machine->current, &stored);
    store_machine_event_save(machine->broker->store, &stored, machine->owner_epoch, &effects,
                             described, machine);
}

static void unreadable_work(struct machine *machine, const struct machine_event *event)
{
    log_warning("event_unreadable", LOG_TEXT("vm", machine->vm_id),
                LOG_TEXT("problem", event->problem), LOG_INT("bytes", (int64_t)event->raw_size));
    struct live *live = machine->live;
    if (live && event->approval[0] != '\0' && strcmp(live->txn.approval, event->approval) == 0) {
        /* Its outcome may stand in what nobody can read: no policy decides over it. */
        live->needs_person = true;
        act_alert(machine, &live->txn, "unreadable_evidence");
        struct plan plan;
        plan_init(&plan, live, TXN_EVIDENCE_LOST, "machine");
        plan.evidence = json_pack("{s:b}", "unreadable", true); /* looked for after a start */
        step_take(machine, &plan);
        return;
    }
    event_save(machine, NULL);
}

static void event_dispatch(struct machine *machine, const struct machine_event *event)
{
    switch (event->kind) {
    case MACHINE_EVENT_UNREADABLE:
        unreadable_work(machine, event);
        return;
    case MACHINE_EVENT_SELECTION:
        selection_work(machine, event);
        return;
    case MACHINE_EVENT_WITHDRAWN:
    case MACHINE_EVENT_SESSION_ENDED:
        session_work(machine, event);
        return;
    case MACHINE_EVENT_DISPENSED:
    case MACHINE_EVENT_NOT_DISPENSED:
    case MACHINE_EVENT_INTERRUPTED:
        result_work(machine, event);
        return;
    case MACHINE_EVENT_PLANOGRAM:
    case MACHINE_EVENT_KEYPAD:
    case MACHINE_EVENT_INFO:
        description_work(machine, event);
        return;
    default:
        event_save(machine, NULL);
        return;
    }
}

static void repeat_compared(void *arg, enum store_outcome outcome)
{
    struct machine *machine = arg;
    if (outcome == STORE_CONFLICT) { /* the same number with another body is no repeat */
        machine->new_epoch = true;
        machine->current->refused = machine->current->reused = true;
        act_alert(machine, NULL, "event_number_reused");
        event_save(machine, NULL);
        return;
    }
    input_done(machine, outcome == STORE_UNAVAILABLE ? outcome : STORE_APPLIED);
}

void event_work(struct machine *machine, struct input *input)
{
    const struct machine_event *event = &input->event;
    input->sequence = machine->sequence;
    input->old = input->refused = input->reused = false;
    live_heard(machine);
    if (!event->numbered) {
        event_dispatch(machine, event);
        return;
    }
    struct store_machine_event stored;
    switch (event_sequence_check(&machine->sequence, event->event_epoch, event->seq)) {
    case SEQUENCE_NEW:
        event_sequence_add(&input->sequence, event->event_epoch, event->seq);
        if (event->kind == MACHINE_EVENT_GAP)
            event_sequence_fill(&input->sequence, event->gap_from, event->gap_to);
        event_dispatch(machine, event);
        return;
    case SEQUENCE_REPEAT:
        input->old = true;
        event_store_fill(machine, input, &stored);
        store_machine_event_compare(machine->broker->store, &stored, repeat_compared, machine);
        return;
    case SEQUENCE_OLD_EPOCH:
        input->old = true;
        event_save(machine, NULL);
        return;
    case SEQUENCE_AHEAD:
        act_alert(machine, NULL, "event_number_ahead");
        /* The hole was asked for long ago. A machine that tells what it has before it answers would
         * come this far each time: it begins anew. */
        machine->new_epoch = input->refused = true;
        input_done(machine, STORE_APPLIED);
        return;
    }
}

void event_hole_ask(struct machine *machine)
{
    int64_t from, to;
    if (machine->presence != PRESENCE_ONLINE ||
        event_sequence_hole(&machine->sequence, &from, &to) != 0 || from == machine->hole_asked)
        return;
    struct machine_command command = {.op = MACHINE_OP_RESEND,
                                      .ttl_ms = RESEND_TTL_MS,
                                      .session = -1,
                                      .request = -1,
                                      .from = from,
                                      .to = to};
    if (broker_machine_send(machine, &command))
        machine->hole_asked = from;
}
