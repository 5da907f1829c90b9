/* played_calls.h - calls of integrators in one line each, and what machines reply to commands.
 * Each call is worked off and everything that it asks of the store is done, unless it says
 * otherwise. */
#ifndef VENDGATE_TESTS_UNIT_BROKER_PLAYED_CALLS_H
#define VENDGATE_TESTS_UNIT_BROKER_PLAYED_CALLS_H

#include "played_parts.h"

/* Not settled: the store has not answered yet. */
static UNUSED void lock_asked(int64_t integrator_id, const char *ref, int64_t balance)
{
    struct broker_lock_call call = {
        .integrator_id = integrator_id, .vm_id = "vm", .ref = ref, .balance = balance};
    broker_lock(played.broker, &call, tell, NULL);
    run_for(3);
}

static UNUSED void lock(const char *ref)
{
    lock_asked(1, ref, 500);
    answer_all();
}

/* Not settled. */
static UNUSED void pay_asked(const char *ref, int64_t price)
{
    struct broker_paid_call call = {.integrator_id = 1, .ref = ref, .price = price};
    broker_paid(played.broker, &call, tell, NULL);
    run_for(3);
}

static UNUSED void pay(const char *ref, int64_t price)
{
    pay_asked(ref, price);
    answer_all();
    run_for(3);
}

static UNUSED void unlock_at(const char *vm_id, const char *ref)
{
    struct broker_unlock_call call = {.integrator_id = 1, .vm_id = vm_id, .ref = ref};
    broker_unlock(played.broker, &call, tell, NULL);
    settle();
    run_for(3);
}

static UNUSED void press_at(const char *vm_id, const char *ref, const int64_t *keys, size_t count)
{
    struct broker_keys_call call = {
        .integrator_id = 1, .vm_id = vm_id, .ref = ref, .keys = keys, .count = count};
    broker_keys(played.broker, &call, tell, NULL);
    settle();
    run_for(3);
}

/* The machine's answer to a command of the live transaction. */
static UNUSED struct machine_reply reply_to(enum machine_op op)
{
    const struct live *live = live_of_vm();
    struct machine_reply reply = {.op = op,
                                  .ok = true,
                                  .txn_id = live ? live->txn.id : 7,
                                  .code = -1,
                                  .session = -1,
                                  .request = -1,
                                  .raw = "{}",
                                  .raw_size = 2};
    snprintf(reply.journal, sizeof reply.journal, "J");
    snprintf(reply.approval, sizeof reply.approval, "%s", live ? live->txn.approval : "");
    snprintf(reply.command_id, sizeof reply.command_id, "%d", played.sent[op]);
    return reply;
}

static UNUSED void say_reply(struct machine_reply reply)
{
    played.link.reply(played.broker, "vm", &reply);
}

/* Online, locked by integrator 1 as `ref`; the machine has accepted. */
static UNUSED void locked(const char *ref)
{
    online(-1, -1);
    lock(ref);
    say_reply(reply_to(MACHINE_OP_LOCK));
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}

/* IN_DOUBT as "R", and asked about on this connection. */
static UNUSED void doubted(int64_t left_ms)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, left_ms);
    online(7, 1);
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 1);
}

static UNUSED struct machine_reply answer_to_query(enum approval_state state)
{
    struct machine_reply reply = reply_to(MACHINE_OP_QUERY);
    reply.state = state;
    return reply;
}

/* The question that the store was asked: which event, and which body the integrator is owed. */
static UNUSED void decided(enum txn_event event, const char *body)
{
    ck_assert_int_eq(asked(), event);
    ck_assert_str_eq(played.questions->bodies[0], body);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}

/* The live transaction's callback has this fate. */
static UNUSED void callback_settled(enum callback_fate fate)
{
    struct outbound_handlers outbound;
    broker_outbound_handlers(&outbound);
    outbound.settled(played.broker, &played.submitted, fate, NULL);
}

#endif
