/* played_parts.h - the broker's neighbours, played by the test: a store whose answers the test
 * gives one by one, a link that counts commands, one machine "vm" and one integrator.
 *
 * One program includes it once. Time is real, with timers of tens of milliseconds. */
#ifndef VENDGATE_TESTS_UNIT_BROKER_PLAYED_PARTS_H
#define VENDGATE_TESTS_UNIT_BROKER_PLAYED_PARTS_H

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "broker/internal.h"
#include "store/callback.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One question that the store was asked and has not answered. */
struct question {
    enum txn_event event;       /* of a step or note; else TXN_EVENT_NONE */
    struct txn_record txn, old; /* `old`: of a succession */
    const char *adjusts;
    size_t callback_count;
    char bodies[STORE_STEP_CALLBACKS_MAX][200];
    int64_t callback_txns[STORE_STEP_CALLBACKS_MAX];
    store_txn_cb *step;
    store_txn_found_cb *find;
    store_txn_row_cb *load;
    store_machine_owned_cb *own;
    store_done_cb *done;
    store_callback_row_cb *outbox;
    void *arg;
    struct question *prev, *next;
};

static struct {
    uv_loop_t loop;
    struct metrics *metrics;
    struct broker *broker;
    struct machine_link_handlers link;
    struct store_handlers store;
    struct question *questions;
    bool store_is_ready, link_is_up;
    int sent[MACHINE_OP_COUNT], acks[EVENT_REFUSED + 1], callbacks;
    bool has_row, rename_unconfirmed;
    struct txn_record row;
    const struct txn_record *found; /* what store_txn_find... find; NULL: nothing */
    int implied;
    struct machine_command last_sent;
    struct outbound_callback submitted; /* the last one */
    int64_t owner_epoch;
    const char *journal;
    struct fleet_machine machine;
    struct integrator integrator;
} played;

/* An integrator's or operator's answer. */
static struct {
    int count;
    bool success;
    enum reason reason;
    enum reason_action action;
    char txn_ref[TXN_REF_SIZE];
} told;

static int64_t now_ms(void)
{
    return clock_monotonic_ms() + 1000000;
}

static struct question *ask(void *arg)
{
    struct question *question = memory_zero(1, sizeof *question);
    question->arg = arg;
    DL_APPEND(played.questions, question);
    return question;
}

static struct question *ask_step(const struct store_txn_step *step, store_txn_cb *callback,
                                 void *arg)
{
    struct question *question = ask(arg);
    question->event = step->event;
    question->txn = *step->txn;
    question->step = callback;
    question->adjusts = step->adjusts;
    question->callback_count = step->callback_count;
    for (size_t i = 0; i < step->callback_count; i++) {
        snprintf(question->bodies[i], sizeof question->bodies[i], "%s", step->callbacks[i].body);
        question->callback_txns[i] = step->callbacks[i].txn_id;
    }
    return question;
}

/* What the oldest open question is about; TXN_EVENT_NONE: no step, or none open. */
static enum txn_event asked(void)
{
    return played.questions ? played.questions->event : TXN_EVENT_NONE;
}

static void answer_load(const struct question *question, enum store_outcome outcome)
{
    struct store_live_row row = {.txn = &played.row,
                                 .rename_unconfirmed = played.rename_unconfirmed};
    if (outcome == STORE_APPLIED && played.has_row)
        question->load(question->arg, outcome, &row);
    question->load(question->arg, outcome, NULL);
}

static void answer_own(const struct question *question, enum store_outcome outcome)
{
    struct store_machine_owned owned = {.owner_epoch = ++played.owner_epoch, .mark = -1};
    snprintf(owned.journal, sizeof owned.journal, "%s", played.journal);
    question->own(question->arg, outcome, &owned);
}

/* Answers the oldest open question. */
static void answer(enum store_outcome outcome)
{
    struct question *question = played.questions;
    ck_assert_ptr_nonnull(question);
    DL_DELETE(played.questions, question);
    struct store_txn_result result = {.txn_id = question->txn.predecessor_id ? 8 : 7,
                                      .callback_ids = {1, 2}};
    if (question->step)
        question->step(question->arg, outcome, &result);
    else if (question->find)
        question->find(question->arg, outcome, outcome == STORE_APPLIED ? played.found : NULL);
    else if (question->load)
        answer_load(question, outcome);
    else if (question->own)
        answer_own(question, outcome);
    else if (question->done)
        question->done(question->arg, outcome);
    else
        question->outbox(question->arg, outcome, NULL);
    free(question);
}

static void answer_all(void)
{
    while (played.questions)
        answer(STORE_APPLIED);
}

/* --- the store --- */

bool store_ready(const struct store *store UNUSED)
{
    return played.store_is_ready;
}

int64_t store_instance_id(const struct store *store UNUSED)
{
    return 1;
}

int64_t store_now_ms(const struct store *store UNUSED)
{
    return now_ms();
}

int64_t store_away_ms(const struct store *store UNUSED)
{
    return 0;
}

void store_txn_begin(struct store *store UNUSED, const struct store_txn_step *step,
                     store_txn_cb *callback, void *arg)
{
    ask_step(step, callback, arg);
}

void store_txn_advance(struct store *store UNUSED, const struct store_txn_step *step,
                       store_txn_cb *callback, void *arg)
{
    ask_step(step, callback, arg);
}

void store_txn_note(struct store *store UNUSED, const struct store_txn_step *step,
                    store_txn_cb *callback, void *arg)
{
    ask_step(step, callback, arg);
}

void store_txn_succeed(struct store *store UNUSED, const struct store_txn_step *step,
                       const struct txn_record *old, enum txn_state old_from UNUSED,
                       store_txn_cb *callback, void *arg)
{
    ask_step(step, callback, arg)->old = *old;
}

void store_txn_find_id(struct store *store UNUSED, int64_t txn_id UNUSED,
                       store_txn_found_cb *callback, void *arg)
{
    ask(arg)->find = callback;
}

void store_txn_spend(struct store *store UNUSED, int64_t integrator_id UNUSED,
                     const char *ref UNUSED, const char *evidence UNUSED, store_txn_cb *callback,
                     void *arg)
{
    ask(arg)->step = callback;
}

void store_txn_find(struct store *store UNUSED, int64_t integrator_id UNUSED,
                    const char *ref UNUSED, store_txn_found_cb *callback, void *arg)
{
    ask(arg)->find = callback;
}

void store_txn_find_approval(struct store *store UNUSED, const char *vm_id UNUSED,
                             const char *approval UNUSED, store_txn_found_cb *callback, void *arg)
{
    ask(arg)->find = callback;
}

void store_txn_load_live(struct store *store UNUSED, const char *vm_id UNUSED,
                         store_txn_row_cb *callback, void *arg)
{
    ask(arg)->load = callback;
}

void store_machine_own(struct store *store UNUSED, const char *vm_id UNUSED,
                       store_machine_owned_cb *callback, void *arg)
{
    ask(arg)->own = callback;
}

void store_machine_event_save(struct store *store UNUSED,
                              const struct store_machine_event *event UNUSED,
                              int64_t owner_epoch UNUSED,
                              const struct store_machine_effects *effects UNUSED,
                              store_done_cb *callback, void *arg)
{
    ask(arg)->done = callback;
}

void store_machine_event_compare(struct store *store UNUSED,
                                 const struct store_machine_event *event UNUSED,
                                 store_done_cb *callback, void *arg)
{
    ask(arg)->done = callback;
}

void store_machine_journal_save(struct store *store UNUSED, const char *vm_id UNUSED,
                                int64_t owner_epoch UNUSED, const char *journal UNUSED,
                                store_done_cb *callback, void *arg)
{
    ask(arg)->done = callback;
}

void store_machine_presence_save(struct store *store UNUSED, const char *vm_id UNUSED,
                                 int64_t owner_epoch UNUSED, bool online UNUSED,
                                 const char *reason UNUSED, store_done_cb *callback UNUSED,
                                 void *arg UNUSED)
{
}

void store_callback_load(struct store *store UNUSED, int64_t after UNUSED, int64_t limit UNUSED,
                         store_callback_row_cb *callback, void *arg)
{
    ask(arg)->outbox = callback;
}

void store_callback_attempt_save(struct store *store UNUSED,
                                 const struct store_callback_attempt *attempt UNUSED)
{
}

void store_callback_settle(struct store *store UNUSED, int64_t callback_id UNUSED,
                           const char *fate UNUSED)
{
}

/* --- people and fleet --- */

void fleet_directory_refresh(struct fleet_directory *directory UNUSED, const char *vm_id UNUSED)
{
}

bool fleet_directory_loaded(const struct fleet_directory *directory UNUSED)
{
    return true;
}

const struct fleet_machine *fleet_directory_find(const struct fleet_directory *directory UNUSED,
                                                 const char *vm_id)
{
    return strcmp(vm_id, played.machine.vm_id) == 0 ? &played.machine : NULL;
}

bool fleet_keypad_has_key(const struct fleet_machine *machine UNUSED, int64_t key UNUSED)
{
    return true;
}

int64_t fleet_keypad_action_count(const struct fleet_machine *machine UNUSED)
{
    return 2;
}

void people_refresh(struct people *people UNUSED, const char *what UNUSED, const char *key UNUSED)
{
}

bool people_loaded(const struct people *people UNUSED)
{
    return true;
}

const struct integrator *people_integrator(const struct people *people UNUSED, int64_t id UNUSED)
{
    return &played.integrator;
}

bool people_granted(const struct people *people UNUSED, int64_t id UNUSED, const char *vm_id UNUSED)
{
    return true;
}

/* --- the link and outbound --- */

bool machine_link_welcome(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                          uint64_t connection UNUSED, int64_t generation UNUSED)
{
    return true;
}

void machine_link_refuse(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                         uint64_t connection UNUSED, enum link_refusal refusal UNUSED)
{
}

void machine_link_online(struct machine_link *link UNUSED, const char *vm_id UNUSED)
{
    played.link_is_up = true;
}

int machine_link_send(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                      const struct machine_command *command, char ret_id[COMMAND_ID_SIZE])
{
    if (!played.link_is_up && command->op != MACHINE_OP_HELLO)
        return -ENOTCONN;
    played.sent[command->op]++;
    played.last_sent = *command;
    if (ret_id)
        snprintf(ret_id, COMMAND_ID_SIZE, "%d", played.sent[command->op]);
    return 0;
}

bool machine_link_fresh(const struct machine_link *link UNUSED, const char *vm_id UNUSED)
{
    return true;
}

void machine_link_ack(struct machine_link *link UNUSED, struct event_ticket ticket UNUSED,
                      enum event_ack ack)
{
    played.acks[ack]++;
}

void machine_link_cut(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                      enum link_down_reason reason UNUSED)
{
}

const char *link_down_reason_name(enum link_down_reason reason UNUSED)
{
    return "played";
}

int outbound_submit(struct outbound *outbound UNUSED, const struct outbound_callback *callback)
{
    played.callbacks++;
    played.submitted = *callback;
    return 0;
}

bool outbound_cancel(struct outbound *outbound UNUSED, int64_t callback_id UNUSED)
{
    return false;
}

void outbound_imply(struct outbound *outbound UNUSED, int64_t callback_id UNUSED)
{
    played.implied++;
}

void outbound_endpoint_changed(struct outbound *outbound UNUSED, int64_t integrator_id UNUSED)
{
}

size_t outbound_pending(const struct outbound *outbound UNUSED)
{
    return 0;
}

/* --- the play --- */

#define OFFLINE_GRACE_MS 40

static void play_begin(void)
{
    memset(&played, 0, sizeof played);
    memset(&told, 0, sizeof told);
    log_set_level(LOG_LEVEL_ERROR);
    uv_loop_init(&played.loop);
    played.journal = "J";
    played.machine = (struct fleet_machine){.vm_id = "vm",
                                            .enabled = true,
                                            .token_sha256 = "t",
                                            .scale = 1,
                                            .owner_instance = 1,
                                            .owner_epoch = 1};
    played.integrator =
        (struct integrator){.id = 1, .enabled = true, .doubt_policy = (char *)"refund"};
    struct broker_options options = {.lock_ack_ms = 5000,
                                     .selection_ms = 60000,
                                     .payment_ms = 30000,
                                     .approve_ack_ms = 5000,
                                     .approve_ttl_ms = 15000,
                                     .vend_ms = 120000,
                                     .doubt_ms = 900000,
                                     .offline_grace_ms = OFFLINE_GRACE_MS,
                                     .query_every_ms = 30000,
                                     .call_deadline_ms = 10000,
                                     .calls_max = 100};
    played.metrics = metrics_new();
    played.broker = broker_new(&played.loop, &options, played.metrics);
    static char part; /* the parts are known by address only */
    struct broker_parts parts = {(struct store *)&part, (struct people *)&part,
                                 (struct fleet_directory *)&part, (struct machine_link *)&part,
                                 (struct outbound *)&part};
    broker_bind(played.broker, &parts);
    broker_link_handlers(&played.link);
    broker_store_handlers(&played.store);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer_all();
    ck_assert(broker_ready(played.broker));
}

static void play_end(void)
{
    broker_free(&played.broker);
    uv_run(&played.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&played.loop), 0);
    metrics_free(&played.metrics);
    struct question *question, *next;
    DL_FOREACH_SAFE (played.questions, question, next)
        free(question);
}

static void run_for(int64_t duration_ms)
{
    int64_t end = clock_monotonic_ms() + duration_ms;
    while (clock_monotonic_ms() < end) {
        uv_run(&played.loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

/* A row that the machine's next arrival finds in the database. */
static void row_in(enum txn_state state, enum txn_timer timer, int64_t left_ms)
{
    played.has_row = true;
    played.row = (struct txn_record){.id = 7,
                                     .integrator_id = 1,
                                     .ref = "R",
                                     .vm_id = "vm",
                                     .session = 7,
                                     .state = state,
                                     .version = 5,
                                     .request = 1,
                                     .item = 1,
                                     .price = 100,
                                     .timer = timer,
                                     .deadline_ms = now_ms() + left_ms,
                                     .lock_answered = true};
    if (!txn_state_money(state))
        return;
    snprintf(played.row.approval, sizeof played.row.approval, "aa");
    snprintf(played.row.journal, sizeof played.row.journal, "J");
    played.row.approval_n = 1;
    played.row.paid_ms = 1;
}

static void arrive(uint64_t connection)
{
    played.link.arrived(played.broker, "vm", connection, NULL);
}

static void go(uint64_t connection, enum link_down_reason reason)
{
    played.link_is_up = false;
    played.link.gone(played.broker, "vm", connection, reason);
}

static void hello(uint64_t connection, int64_t session, int64_t request, const char *journal)
{
    struct machine_reply reply = {.op = MACHINE_OP_HELLO,
                                  .ok = true,
                                  .session = session,
                                  .request = request,
                                  .raw = "{}",
                                  .raw_size = 2};
    snprintf(reply.journal, sizeof reply.journal, "%s", journal);
    played.link.subscribed(played.broker, "vm", connection);
    played.link.reply(played.broker, "vm", &reply);
}

static UNUSED struct machine_event event_of(enum machine_event_kind kind, const char *name)
{
    return (struct machine_event){.kind = kind,
                                  .numbered = true,
                                  .name = name,
                                  .raw = "{}",
                                  .raw_size = 2,
                                  .session = -1,
                                  .request = -1,
                                  .code = -1};
}

/* The machine says it, under the next number. */
static UNUSED void say(struct machine_event event)
{
    static uint64_t number;
    const struct machine *machine = broker_machine_find(played.broker, "vm");
    event.seq = machine->sequence.mark + 1;
    played.link.event(played.broker, "vm", (struct event_ticket){1, ++number}, &event);
}

static UNUSED void select_item(int64_t request, int64_t item, int64_t price)
{
    struct machine_event event = event_of(MACHINE_EVENT_SELECTION, "selection");
    event.session = 7;
    event.request = request;
    event.item = item;
    event.price = price;
    snprintf(event.label, sizeof event.label, "%d", (int)item);
    say(event);
}

/* The machine is online, and the row, if there is one, is its live one. */
static UNUSED void online(int64_t session, int64_t request)
{
    arrive(1);
    answer_all();
    hello(1, session, request, "J");
    answer_all();
    ck_assert(broker_machine_online(played.broker, "vm"));
}

static UNUSED void tell(void *arg UNUSED, const struct broker_answer *given)
{
    told.count++;
    told.success = given->success;
    told.reason = given->reason;
    told.action = given->action;
    snprintf(told.txn_ref, sizeof told.txn_ref, "%s", given->txn_ref ? given->txn_ref : "");
}

/* A call is worked off, and all that it asks of the store is done. */
static UNUSED void settle(void)
{
    run_for(5);
    answer_all();
}

/* The row as the broker has it; NULL: none lives. */
static const struct live *live_of_vm(void)
{
    const struct machine *machine = broker_machine_find(played.broker, "vm");
    return machine ? machine->live : NULL;
}

#endif
