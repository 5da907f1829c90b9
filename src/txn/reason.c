#include "txn/reason.h"

#include "base/macros.h"

static const struct reason_info REASONS[] = {
    [REASON_NONE] = {NULL, NULL, ACTION_NONE, 200},
    [REASON_BAD_JSON] = {"BAD_JSON", "the body is not one JSON object", ACTION_FIX, 400},
    [REASON_MISSING_FIELD] = {"MISSING_FIELD", "a required field is missing", ACTION_FIX, 400},
    [REASON_BAD_FIELD] = {"BAD_FIELD", "a field has the wrong type or form", ACTION_FIX, 400},
    [REASON_BODY_TOO_LARGE] = {"BODY_TOO_LARGE", "the body is too large", ACTION_FIX, 413},
    [REASON_UNAUTHENTICATED] = {"UNAUTHENTICATED", "no or wrong credentials", ACTION_FIX, 401},
    [REASON_FORBIDDEN] = {"FORBIDDEN", "these credentials may not do this", ACTION_FIX, 200},
    [REASON_RATE_LIMITED] = {"RATE_LIMITED", "too many calls; slow down", ACTION_RETRY, 429},
    [REASON_TOO_MANY_IDS] = {"TOO_MANY_IDS", "too many machines in one call", ACTION_FIX, 200},
    [REASON_MACHINE_UNKNOWN] = {"MACHINE_UNKNOWN", "no such machine", ACTION_FIX, 200},
    [REASON_MACHINE_OFFLINE] = {"MACHINE_OFFLINE", "the machine is not connected", ACTION_RETRY,
                                200},
    [REASON_MACHINE_BUSY] = {"MACHINE_BUSY", "the machine is in use", ACTION_RETRY, 200},
    [REASON_MACHINE_BUSY_SELF] = {"MACHINE_BUSY_SELF",
                                  "the machine is held by your own transaction", ACTION_RETRY, 200},
    [REASON_MACHINE_DISABLED] = {"MACHINE_DISABLED", "the machine is switched off by its operator",
                                 ACTION_RETRY, 200},
    [REASON_MACHINE_FAULT] = {"MACHINE_FAULT", "the machine is out of service or its door is open",
                              ACTION_RETRY, 200},
    [REASON_MACHINE_NO_ANSWER] = {"MACHINE_NO_ANSWER", "the machine did not answer in time",
                                  ACTION_NEW, 200},
    [REASON_MACHINE_RECONCILING] = {"MACHINE_RECONCILING",
                                    "the machine has just connected and is being reconciled",
                                    ACTION_RETRY, 200},
    [REASON_MACHINE_NOT_READY] = {"MACHINE_NOT_READY", "the machine cannot take a purchase now",
                                  ACTION_RETRY, 200},
    [REASON_TXN_UNKNOWN] = {"TXN_UNKNOWN", "no such transaction", ACTION_FIX, 200},
    [REASON_TXN_REF_REUSED] = {"TXN_REF_REUSED", "this txnRef was used before", ACTION_NEW, 200},
    [REASON_TXN_MACHINE_MISMATCH] = {"TXN_MACHINE_MISMATCH",
                                     "the transaction belongs to another machine", ACTION_FIX, 200},
    [REASON_NO_SELECTION] = {"NO_SELECTION", "the customer has not selected anything yet",
                             ACTION_WAIT, 200},
    [REASON_REF_SUPERSEDED] = {"REF_SUPERSEDED", "the transaction goes on under a newer txnRef",
                               ACTION_WAIT, 200},
    [REASON_CLOSED_BEFORE_PAID] =
        {"CLOSED_BEFORE_PAID",
         "the transaction ended before it was paid; nothing will be dispensed", ACTION_REFUND, 200},
    [REASON_PAID_CONFLICT] = {"PAID_CONFLICT",
                              "already paid with other figures; the first ones stand", ACTION_FIX,
                              200},
    [REASON_ALREADY_PAID] = {"ALREADY_PAID", "the transaction is paid; its outcome will follow",
                             ACTION_WAIT, 200},
    [REASON_ALREADY_CLOSED] = {"ALREADY_CLOSED", "the transaction has ended already", ACTION_NEW,
                               200},
    [REASON_PRICE_MISMATCH] = {"PRICE_MISMATCH", "price differs from the selection's cents",
                               ACTION_FIX, 200},
    [REASON_BAD_AMOUNT] = {"BAD_AMOUNT", "surcharge or discount make no payable amount", ACTION_FIX,
                           200},
    [REASON_OVER_LIMIT] = {"OVER_LIMIT", "the amount is over the limit", ACTION_REFUND, 200},
    [REASON_KEYPAD_OFF] = {"KEYPAD_OFF", "the machine has no virtual keypad", ACTION_FIX, 200},
    [REASON_KEY_UNKNOWN] = {"KEY_UNKNOWN", "a key is not on the machine's keypad", ACTION_FIX, 200},
    [REASON_KEY_COUNT] = {"KEY_COUNT", "more keys than one selection takes", ACTION_FIX, 200},
    [REASON_KEYS_NOT_EXPECTED] = {"KEYS_NOT_EXPECTED", "the machine is not waiting for keys",
                                  ACTION_WAIT, 200},
    [REASON_INTERNAL] = {"INTERNAL", "something went wrong on our side", ACTION_RETRY, 500},
    [REASON_STORE_UNAVAILABLE] = {"STORE_UNAVAILABLE", "the service cannot store anything now",
                                  ACTION_RETRY, 503},
    [REASON_SHUTTING_DOWN] = {"SHUTTING_DOWN", "this gateway is shutting down", ACTION_RETRY, 503},
    [REASON_OUTCOME_UNKNOWN] = {"OUTCOME_UNKNOWN",
                                "whether the call took effect is not known yet; call again",
                                ACTION_RETRY, 503},
    [REASON_IDEMPOTENCY_KEY_REUSED] = {"IDEMPOTENCY_KEY_REUSED",
                                       "this Idempotency-Key came before with another call",
                                       ACTION_FIX, 400},
    [REASON_NOT_IN_DOUBT] = {"NOT_IN_DOUBT", "there is nothing to decide about this transaction",
                             ACTION_FIX, 200},
    [REASON_NOT_FOUND] = {"NOT_FOUND", "unknown path", ACTION_FIX, 404},
    [REASON_METHOD_NOT_ALLOWED] = {"METHOD_NOT_ALLOWED", "this path takes another method",
                                   ACTION_FIX, 405},
    [REASON_BAD_MEDIA_TYPE] = {"BAD_MEDIA_TYPE", "Content-Type must be application/json",
                               ACTION_FIX, 415},
    [REASON_SLOW_CLIENT] = {"SLOW_CLIENT", "the request took too long to arrive", ACTION_RETRY,
                            408},
    [REASON_BAD_REQUEST] = {"BAD_REQUEST", "the request is not well-formed HTTP", ACTION_FIX, 400},
};
static_assert(ARRAY_SIZE(REASONS) == REASON_COUNT, "every reason has a row");

static const char *const ACTIONS[] = {
    [ACTION_NONE] = NULL,       [ACTION_RETRY] = "retry", [ACTION_NEW] = "new",
    [ACTION_REFUND] = "refund", [ACTION_WAIT] = "wait",   [ACTION_FIX] = "fix",
};

const struct reason_info *reason_info(enum reason reason)
{
    assert(reason >= 0 && reason < REASON_COUNT);
    return &REASONS[reason];
}

const char *reason_action_name(enum reason_action action)
{
    assert(action >= 0 && (size_t)action < ARRAY_SIZE(ACTIONS));
    return ACTIONS[action];
}
