/* message.c - the names of events and operations, as they stand on the wire and in metrics. */
#include "machine_link/message.h"

static const char *const EVENT_NAMES[MACHINE_EVENT_KIND_COUNT] = {
    [MACHINE_EVENT_UNREADABLE] = "unreadable",
    [MACHINE_EVENT_SELECTION] = "selection",
    [MACHINE_EVENT_WITHDRAWN] = "withdrawn",
    [MACHINE_EVENT_SESSION_ENDED] = "session_ended",
    [MACHINE_EVENT_DISPENSED] = "dispensed",
    [MACHINE_EVENT_NOT_DISPENSED] = "not_dispensed",
    [MACHINE_EVENT_INTERRUPTED] = "interrupted",
    [MACHINE_EVENT_SALE] = "sale",
    [MACHINE_EVENT_REFILL] = "refill",
    [MACHINE_EVENT_ALERT] = "alert",
    [MACHINE_EVENT_BUTTON] = "button",
    [MACHINE_EVENT_PLANOGRAM] = "planogram",
    [MACHINE_EVENT_KEYPAD] = "keypad",
    [MACHINE_EVENT_INFO] = "info",
    [MACHINE_EVENT_GAP] = "gap",
    [MACHINE_EVENT_OTHER] = "other",
};

static const char *const OP_NAMES[MACHINE_OP_COUNT] = {
    [MACHINE_OP_NONE] = "none",       [MACHINE_OP_HELLO] = "hello",
    [MACHINE_OP_LOCK] = "lock",       [MACHINE_OP_KEYS] = "keys",
    [MACHINE_OP_APPROVE] = "approve", [MACHINE_OP_DENY] = "deny",
    [MACHINE_OP_UNLOCK] = "unlock",   [MACHINE_OP_QUERY] = "query",
    [MACHINE_OP_RESEND] = "resend",   [MACHINE_OP_CONFIG] = "config",
    [MACHINE_OP_REBOOT] = "reboot",
};

const char *machine_event_kind_name(enum machine_event_kind kind)
{
    assert(kind < MACHINE_EVENT_KIND_COUNT);
    return EVENT_NAMES[kind];
}

const char *machine_op_name(enum machine_op op)
{
    assert(op < MACHINE_OP_COUNT);
    return OP_NAMES[op];
}
