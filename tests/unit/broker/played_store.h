/* played_store.h - what the played parts share, and the store among them: each question waits until
 * the test answers it. Included by played_parts.h only. */
#ifndef VENDGATE_TESTS_UNIT_BROKER_PLAYED_STORE_H
#define VENDGATE_TESTS_UNIT_BROKER_PLAYED_STORE_H

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
#include <time.h>

/* One question that the store was asked and has not answered. */
struct question {
    enum txn_event event;       /* of a step or note; else TXN_EVENT_NONE */
    struct txn_record txn, old; /* `old`: of a succession */
    const char *adjusts;
    char evidence[300];
    bool compares; /* whether an event is on disk with the same body */
    bool effects;  /* of an event that changes what is known of its machine; then: */
    int64_t scale, decimals, max_response_s, mark, event_seq;
    char planogram[200], keypad[200], firmware[40], event_name[40];
    int64_t cancelled; /* the callback that its commit takes from the queue; 0: none */
    size_t callback_count;
    char bodies[STORE_STEP_CALLBACKS_MAX][200];
    int64_t callback_txns[STORE_STEP_CALLBACKS_MAX];
    store_txn_cb *step;
    store_txn_found_cb *find;
    store_txn_row_cb *load;
    store_machine_owned_cb *own;
    store_done_cb *done;
    store_callback_survey_cb *survey;
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
    struct question *presence_questions; /* answered on the side: nothing waits for them */
    bool store_is_ready, link_is_up;
    int sent[MACHINE_OP_COUNT], acks[EVENT_REFUSED + 1], callbacks;
    bool has_row, rename_unconfirmed, unread_evidence, elsewhere; /* of it */
    struct txn_record row;
    const struct txn_record *found; /* what store_txn_find... find; NULL: nothing */
    int implied;
    struct machine_command last_sent, last_of[MACHINE_OP_COUNT];
    struct outbound_callback submitted; /* the last one */
    int64_t owner_epoch;
    const char *journal;
    struct fleet_machine machine;
    struct integrator integrator;
    /* What the neighbours say, where it is not the usual. */
    bool not_granted, nobody, link_stale, welcome_lost, cancels;
    bool people_missing, directory_missing;
    bool any_machine;             /* every name is known, with the same data */
    int send_error, submit_error; /* negative errno; 0: taken */
    int64_t keypad_off, unknown_key;
    int64_t away_ms;
    struct store_machine_owned owned; /* state_epoch, mark and so on, if own_told */
    bool own_told;
    struct store_callback_row outbox[4]; /* what the next page of the outbox holds */
    size_t outbox_count, pending;
    int64_t outbox_after, outbox_pad; /* asked for last; rows 1.. that fill the page before */
    int claims, replays_asked, holds;
    /* What the neighbours were told. */
    int refused, cut, refreshed_machines, refreshed_people, endpoints_changed, presences, spent;
    enum link_refusal refusal;
    enum link_down_reason cut_reason;
    char refreshed_machine[VM_ID_SIZE]; /* empty: all */
    struct store_callback_attempt attempt;
    int64_t settled_callback, recorded, forgotten, lease_until_ms;
    int forgotten_all;
    int64_t forgotten_lane, lane_elsewhere;
    const char *settled_fate;
} played;

/* An integrator's or operator's answer. */
static struct {
    int count;
    bool success;
    enum reason reason;
    enum reason_action action;
    int64_t timeout_s;
    char txn_ref[TXN_REF_SIZE];
} told;

/* Time that has not passed, but counts: timers of the loop do not hear of it. */
static int64_t skipped_ns;

static UNUSED int64_t skipping_clock(void *arg UNUSED)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + skipped_ns;
}

static int64_t skipping_unix_clock(void *arg)
{
    return skipping_clock(arg) / 1000000; /* for the log only */
}

static UNUSED void skip_ms(int64_t duration_ms)
{
    static const struct clock_source SOURCE = {.monotonic_ns = skipping_clock,
                                               .unix_ms = skipping_unix_clock};
    skipped_ns += duration_ms * 1000000;
    clock_replace(&SOURCE);
}

static UNUSED int64_t now_ms(void)
{
    return clock_monotonic_ms() + 1000000;
}

static UNUSED struct question *ask(void *arg)
{
    struct question *question = memory_zero(1, sizeof *question);
    question->arg = arg;
    DL_APPEND(played.questions, question);
    return question;
}

static UNUSED struct question *ask_step(const struct store_txn_step *step, store_txn_cb *callback,
                                        void *arg)
{
    struct question *question = ask(arg);
    question->event = step->event;
    question->txn = *step->txn;
    question->step = callback;
    question->adjusts = step->adjusts;
    question->callback_count = step->callback_count;
    question->cancelled = step->cancel_callback_id;
    snprintf(question->evidence, sizeof question->evidence, "%s",
             step->evidence ? step->evidence : "");
    for (size_t i = 0; i < step->callback_count; i++) {
        snprintf(question->bodies[i], sizeof question->bodies[i], "%s", step->callbacks[i].body);
        question->callback_txns[i] = step->callbacks[i].txn_id;
    }
    return question;
}

/* What the oldest open question is about; TXN_EVENT_NONE: no step, or none open. */
static UNUSED enum txn_event asked(void)
{
    return played.questions ? played.questions->event : TXN_EVENT_NONE;
}

static UNUSED void answer_load(const struct question *question, enum store_outcome outcome)
{
    struct store_live_row row = {.txn = &played.row,
                                 .rename_unconfirmed = played.rename_unconfirmed,
                                 .unread_evidence = played.unread_evidence,
                                 .elsewhere = played.elsewhere};
    if (outcome == STORE_APPLIED && played.has_row)
        question->load(question->arg, outcome, &row);
    question->load(question->arg, outcome, NULL);
}

static UNUSED void answer_own(const struct question *question, enum store_outcome outcome)
{
    struct store_machine_owned owned = {.mark = -1};
    if (played.own_told)
        owned = played.owned;
    const struct machine *machine = question->arg; /* nobody had it meanwhile */
    owned.owner_epoch = played.any_machine ? machine->owner_epoch + 1 : ++played.owner_epoch;
    snprintf(owned.journal, sizeof owned.journal, "%s", played.journal);
    question->own(question->arg, outcome, &owned);
}

static UNUSED void answer_outbox(const struct question *question, enum store_outcome outcome)
{
    if (outcome == STORE_APPLIED) {
        struct store_callback_row filler = {
            .kind = "/txn/vend", .webhook_id = "msg_f", .body = "{}", .body_size = 2};
        for (int64_t i = 0; i < played.outbox_pad; i++) {
            filler.callback_id = played.outbox_after + 1 + i;
            question->outbox(question->arg, outcome, &filler);
        }
        for (size_t i = 0; i < played.outbox_count; i++)
            question->outbox(question->arg, outcome, &played.outbox[i]);
    }
    question->outbox(question->arg, outcome, NULL);
}

static UNUSED void answer_survey(const struct question *question, enum store_outcome outcome)
{
    if (outcome == STORE_APPLIED && (played.outbox_count > 0 || played.outbox_pad > 0))
        question->survey(question->arg, outcome, 1, true);
    question->survey(question->arg, outcome, 0, false);
}

/* Answers the oldest open question. */
static UNUSED void answer(enum store_outcome outcome)
{
    struct question *question = played.questions;
    ck_assert_ptr_nonnull(question);
    DL_DELETE(played.questions, question);
    struct store_txn_result result = {.txn_id = question->txn.predecessor_id ? 8 : 7,
                                      .callback_ids = {1, 2},
                                      .cancelled = question->cancelled != 0};
    if (question->step)
        question->step(question->arg, outcome, &result);
    else if (question->find)
        question->find(question->arg, outcome, outcome == STORE_APPLIED ? played.found : NULL);
    else if (question->load)
        answer_load(question, outcome);
    else if (question->own)
        answer_own(question, outcome);
    else if (question->survey)
        answer_survey(question, outcome);
    else if (question->done)
        question->done(question->arg, outcome);
    else
        answer_outbox(question, outcome);
    free(question);
}

static UNUSED void answer_all(void)
{
    while (played.questions)
        answer(STORE_APPLIED);
    struct question *question, *next;
    DL_FOREACH_SAFE (played.presence_questions, question, next) {
        DL_DELETE(played.presence_questions, question);
        question->done(question->arg, STORE_UNAVAILABLE); /* nobody may mind */
        free(question);
    }
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
    return played.away_ms;
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
    played.spent++;
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

static UNUSED void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

void store_machine_event_save(struct store *store UNUSED, const struct store_machine_event *event,
                              int64_t owner_epoch UNUSED,
                              const struct store_machine_effects *effects, store_done_cb *callback,
                              void *arg)
{
    struct question *question = ask(arg);
    question->done = callback;
    question->mark = event->mark;
    question->event_seq = event->seq;
    copy_text(question->event_name, sizeof question->event_name, event->name);
    if (!effects)
        return;
    question->effects = true;
    question->scale = effects->scale;
    question->decimals = effects->decimals;
    question->max_response_s = effects->max_response_s;
    copy_text(question->planogram, sizeof question->planogram, effects->planogram);
    copy_text(question->keypad, sizeof question->keypad, effects->keypad);
    copy_text(question->firmware, sizeof question->firmware, effects->firmware);
}

void store_machine_event_compare(struct store *store UNUSED,
                                 const struct store_machine_event *event UNUSED,
                                 store_done_cb *callback, void *arg)
{
    struct question *question = ask(arg);
    question->compares = true;
    question->done = callback;
}

void store_machine_journal_save(struct store *store UNUSED, const char *vm_id UNUSED,
                                int64_t owner_epoch UNUSED, const char *journal UNUSED,
                                store_done_cb *callback, void *arg)
{
    ask(arg)->done = callback;
}

void store_machine_presence_save(struct store *store UNUSED, const char *vm_id UNUSED,
                                 int64_t owner_epoch UNUSED, bool online UNUSED,
                                 const char *reason UNUSED, store_done_cb *callback, void *arg)
{
    played.presences++;
    struct question *question = memory_zero(1, sizeof *question);
    question->done = callback;
    question->arg = arg;
    DL_APPEND(played.presence_questions, question);
}

void store_callback_page(struct store *store UNUSED, const struct store_callback_page_order *order,
                         store_callback_row_cb *callback, void *arg)
{
    played.outbox_after = order->after;
    ask(arg)->outbox = callback;
}

void store_callback_look(struct store *store UNUSED, int64_t callback_id UNUSED,
                         store_callback_row_cb *callback, void *arg)
{
    played.outbox_pad = 0;
    ask(arg)->outbox = callback;
}

/* Nobody has ordered any. */
void store_callback_replays(struct store *store UNUSED, int64_t after UNUSED, int64_t limit UNUSED,
                            store_callback_row_cb *callback, void *arg)
{
    played.replays_asked++;
    callback(arg, STORE_APPLIED, NULL);
}

void store_callback_survey(struct store *store UNUSED, store_callback_survey_cb *callback,
                           void *arg)
{
    ask(arg)->survey = callback;
}

void store_callback_claim(struct store *store UNUSED, const char *vm_id UNUSED,
                          store_done_cb *callback, void *arg)
{
    played.claims++;
    callback(arg, STORE_APPLIED);
}

void store_endpoint_hold(struct store *store UNUSED, int64_t integrator_id UNUSED,
                         const char *reason UNUSED, store_done_cb *callback, void *arg)
{
    played.holds++;
    callback(arg, STORE_APPLIED);
}

void store_callback_attempt_save(struct store *store UNUSED,
                                 const struct store_callback_attempt *attempt,
                                 store_recorded_cb *callback, void *arg)
{
    played.attempt = *attempt;
    callback(arg, attempt->callback_id, STORE_RECORDED, 0);
}

void store_callback_settle(struct store *store UNUSED, int64_t callback_id, const char *fate,
                           store_recorded_cb *callback, void *arg)
{
    played.settled_callback = callback_id;
    played.settled_fate = fate;
    callback(arg, callback_id, STORE_NOT_OURS, played.lane_elsewhere);
}

#endif
