/* played_parts.h - the broker's neighbours, played by the test: a store whose answers the test
 * gives one by one, a link that counts commands, one machine "vm" and one integrator.
 *
 * One program includes it once. Time is real, with timers of tens of milliseconds. */
#ifndef VENDGATE_TESTS_UNIT_BROKER_PLAYED_PARTS_H
#define VENDGATE_TESTS_UNIT_BROKER_PLAYED_PARTS_H

#include "played_store.h"

/* --- people and fleet --- */

void fleet_directory_refresh(struct fleet_directory *directory UNUSED, const char *vm_id)
{
    played.refreshed_machines++;
    copy_text(played.refreshed_machine, sizeof played.refreshed_machine, vm_id);
}

bool fleet_directory_loaded(const struct fleet_directory *directory UNUSED)
{
    return !played.directory_missing;
}

const struct fleet_machine *fleet_directory_find(const struct fleet_directory *directory UNUSED,
                                                 const char *vm_id)
{
    return played.any_machine || strcmp(vm_id, played.machine.vm_id) == 0 ? &played.machine : NULL;
}

bool fleet_keypad_has_key(const struct fleet_machine *machine UNUSED, int64_t key)
{
    return played.unknown_key == 0 || key != played.unknown_key;
}

int64_t fleet_keypad_action_count(const struct fleet_machine *machine UNUSED)
{
    return played.keypad_off ? 0 : 2;
}

void people_refresh(struct people *people UNUSED, const char *what UNUSED, const char *key UNUSED)
{
    played.refreshed_people++;
}

bool fleet_directory_stale(const struct fleet_directory *directory UNUSED)
{
    return false;
}

bool people_loaded(const struct people *people UNUSED)
{
    return !played.people_missing;
}

const struct integrator *people_integrator(const struct people *people UNUSED, int64_t id UNUSED)
{
    return played.nobody ? NULL : &played.integrator;
}

bool people_granted(const struct people *people UNUSED, int64_t id UNUSED, const char *vm_id UNUSED)
{
    return !played.not_granted;
}

/* --- the link and outbound --- */

bool machine_link_welcome(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                          uint64_t connection UNUSED, int64_t generation UNUSED)
{
    return !played.welcome_lost;
}

void machine_link_refuse(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                         uint64_t connection UNUSED, enum link_refusal refusal)
{
    played.refused++;
    played.refusal = refusal;
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
    if (played.send_error)
        return played.send_error;
    played.sent[command->op]++;
    played.last_sent = played.last_of[command->op] = *command;
    if (ret_id)
        snprintf(ret_id, COMMAND_ID_SIZE, "%d", played.sent[command->op]);
    return 0;
}

bool machine_link_fresh(const struct machine_link *link UNUSED, const char *vm_id UNUSED)
{
    return !played.link_stale;
}

void machine_link_ack(struct machine_link *link UNUSED, struct event_ticket ticket UNUSED,
                      enum event_ack ack)
{
    played.acks[ack]++;
}

void machine_link_cut(struct machine_link *link UNUSED, const char *vm_id UNUSED,
                      enum link_down_reason reason)
{
    played.cut++;
    played.cut_reason = reason;
}

const char *link_down_reason_name(enum link_down_reason reason UNUSED)
{
    return "played";
}

int outbound_submit(struct outbound *outbound UNUSED, const struct outbound_callback *callback)
{
    if (played.submit_error)
        return played.submit_error;
    played.callbacks++;
    played.submitted = *callback;
    return 0;
}

bool outbound_cancel(struct outbound *outbound UNUSED, int64_t callback_id UNUSED)
{
    return played.cancels;
}

void outbound_imply(struct outbound *outbound UNUSED, int64_t callback_id UNUSED)
{
    played.implied++;
}

void outbound_endpoint_changed(struct outbound *outbound UNUSED, int64_t integrator_id UNUSED)
{
    played.endpoints_changed++;
}

void outbound_recorded(struct outbound *outbound UNUSED, int64_t callback_id)
{
    played.recorded = callback_id;
}

void outbound_forget(struct outbound *outbound UNUSED, int64_t callback_id)
{
    played.forgotten = callback_id;
}

void outbound_forget_lane(struct outbound *outbound UNUSED, int64_t lane)
{
    played.forgotten_lane = lane;
}

void outbound_forget_all(struct outbound *outbound UNUSED)
{
    played.forgotten_all++;
}

void outbound_lease(struct outbound *outbound UNUSED, int64_t until_ms)
{
    played.lease_until_ms = until_ms;
}

size_t outbound_pending(const struct outbound *outbound UNUSED)
{
    return played.pending;
}

/* --- the play --- */

#define OFFLINE_GRACE_MS 40

/* A gateway that has not heard of its store yet. */
static UNUSED void play_open(void)
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
}

static UNUSED void play_begin(void)
{
    play_open();
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer_all();
    ck_assert(broker_ready(played.broker));
}

static UNUSED void play_end(void)
{
    broker_free(&played.broker);
    uv_run(&played.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&played.loop), 0);
    metrics_free(&played.metrics);
    clock_replace(NULL);
    skipped_ns = 0;
    struct question *question, *next;
    DL_CONCAT(played.questions, played.presence_questions);
    DL_FOREACH_SAFE (played.questions, question, next)
        free(question);
}

static UNUSED void run_for(int64_t duration_ms)
{
    int64_t end = clock_monotonic_ms() + duration_ms;
    do {
        uv_run(&played.loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    } while (clock_monotonic_ms() < end);
}

/* Until it is so, two seconds at most: time is real, and the machine that runs the test is busy. */
#define RUN_UNTIL(condition_)                                  \
    do {                                                       \
        int64_t until_ = clock_monotonic_ms() + 2000;          \
        while (!(condition_) && clock_monotonic_ms() < until_) \
            run_for(1);                                        \
        ck_assert(condition_);                                 \
    } while (0)

/* Takes the oldest question out, to be answered last. */
static UNUSED struct question *hold(void)
{
    struct question *question = played.questions;
    ck_assert_ptr_nonnull(question);
    DL_DELETE(played.questions, question);
    return question;
}

static UNUSED void answer_held(struct question *question)
{
    DL_PREPEND(played.questions, question);
    answer(STORE_APPLIED);
}

/* A row that the machine's next arrival finds in the database. */
static UNUSED void row_in(enum txn_state state, enum txn_timer timer, int64_t left_ms)
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

static UNUSED void arrive(uint64_t connection)
{
    played.link.arrived(played.broker, "vm", connection, NULL);
}

static UNUSED void go(uint64_t connection, enum link_down_reason reason)
{
    played.link_is_up = false;
    played.link.gone(played.broker, "vm", connection, reason);
}

static UNUSED void hello(uint64_t connection, int64_t session, int64_t request, const char *journal)
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
    told.timeout_s = given->timeout_s;
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
static UNUSED const struct live *live_of_vm(void)
{
    const struct machine *machine = broker_machine_find(played.broker, "vm");
    return machine ? machine->live : NULL;
}

#endif
