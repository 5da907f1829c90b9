/* message.h - what machines and the gateway say to each other, as typed structs; the JSON of
 * machine-protocol.md.
 *
 * Texts and raw bytes are borrowed: they live as long as the call that hands them over, unless said
 * otherwise. */
#ifndef VENDGATE_MACHINE_LINK_MESSAGE_H
#define VENDGATE_MACHINE_LINK_MESSAGE_H

#include "base/macros.h"
#include "txn/record.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_ID_SIZE 33
#define LABEL_SIZE SELECTION_SIZE

enum machine_event_kind {
    MACHINE_EVENT_UNREADABLE =
        0, /* could not be understood; only raw bytes (and perhaps an approval) are known */
    MACHINE_EVENT_SELECTION,
    MACHINE_EVENT_WITHDRAWN,
    MACHINE_EVENT_SESSION_ENDED,
    MACHINE_EVENT_DISPENSED,
    MACHINE_EVENT_NOT_DISPENSED,
    MACHINE_EVENT_INTERRUPTED,
    MACHINE_EVENT_SALE,
    MACHINE_EVENT_REFILL,
    MACHINE_EVENT_ALERT,
    MACHINE_EVENT_BUTTON,
    MACHINE_EVENT_PLANOGRAM,
    MACHINE_EVENT_KEYPAD,
    MACHINE_EVENT_INFO,
    MACHINE_EVENT_GAP,
    MACHINE_EVENT_OTHER, /* readable, but of a kind we do not know: journalled only */
    MACHINE_EVENT_KIND_COUNT
};

enum session_end {
    SESSION_END_OTHER = 0,
    SESSION_END_CUSTOMER,
    SESSION_END_CASH,
    SESSION_END_VMC,
    SESSION_END_RESET,
    SESSION_END_DOOR,
    SESSION_END_TIMEOUT
};

struct machine_event {
    enum machine_event_kind kind;
    bool numbered; /* event_epoch and seq were there and sound (an UNREADABLE one may lack them) */
    int64_t event_epoch, seq;
    int64_t time_s;   /* as told by the machine; 0: it did not */
    const char *name; /* the field `event`, as received; never NULL */
    const char *raw;  /* the body as received */
    size_t raw_size;
    const char *problem; /* UNREADABLE: why, for the log and the journal; else NULL */
    const json_t *json;  /* the document; NULL when it is no JSON object */

    int64_t session;              /* SELECTION, WITHDRAWN, SESSION_ENDED */
    int64_t request, item, price; /* as the kind has them; -1 where it has not */
    char label[LABEL_SIZE];
    enum session_end end;
    char approval[APPROVAL_SIZE]; /* DISPENSED, NOT_DISPENSED, INTERRUPTED; UNREADABLE if one could
                                     be found */
    int64_t quantity;
    int64_t code;             /* NOT_DISPENSED: as in /txn/vend; -1: none given */
    bool on_bus;              /* INTERRUPTED */
    int64_t gap_from, gap_to; /* GAP */
};

const char *machine_event_kind_name(enum machine_event_kind kind);

enum machine_op {
    MACHINE_OP_NONE = 0,
    MACHINE_OP_HELLO,
    MACHINE_OP_LOCK,
    MACHINE_OP_KEYS,
    MACHINE_OP_APPROVE,
    MACHINE_OP_DENY,
    MACHINE_OP_UNLOCK,
    MACHINE_OP_QUERY,
    MACHINE_OP_RESEND,
    MACHINE_OP_CONFIG,
    MACHINE_OP_REBOOT,
    MACHINE_OP_COUNT
};

const char *machine_op_name(enum machine_op op);

/* A command; fields as the op has them. The link adds id and generation. Copied when sent. */
struct machine_command {
    enum machine_op op;
    int64_t ttl_ms; /* nothing is sent after it; counted from machine_link_send() here, from arrival
                       there; > 0 */
    int64_t txn_id; /* 0: none; handed back with the reply */
    int64_t session;   /* -1: null */
    int64_t request;   /* -1: null */
    int64_t timeout_s; /* LOCK */
    int64_t balance;   /* LOCK; TXN_BALANCE_UNKNOWN: left out */
    int64_t n;         /* KEYS, APPROVE, QUERY */
    int64_t keys[32];  /* KEYS */
    size_t key_count;
    int64_t item, price, amount;  /* APPROVE */
    char approval[APPROVAL_SIZE]; /* APPROVE, QUERY */
    char journal[JOURNAL_SIZE];   /* APPROVE */
    int64_t have_epoch, have_seq; /* HELLO */
    bool new_epoch;               /* HELLO */
    int64_t from, to;             /* RESEND */
};

/* What the device's journal says of an approval. */
enum approval_state {
    APPROVAL_UNSAID = 0,
    APPROVAL_TAKEN,
    APPROVAL_DISPENSED,
    APPROVAL_NOT_DISPENSED,
    APPROVAL_INTERRUPTED,
    APPROVAL_VOID,
    APPROVAL_NEVER_SEEN,
    APPROVAL_FORGOTTEN,
};

enum lock_refusal {
    LOCK_REFUSAL_OTHER = 0,
    LOCK_REFUSAL_CASH_IN_USE,
    LOCK_REFUSAL_OUT_OF_SERVICE,
    LOCK_REFUSAL_DOOR_OPEN,
    LOCK_REFUSAL_READER_NOT_READY,
    LOCK_REFUSAL_UPDATING
};

struct machine_reply {
    enum machine_op op; /* of the command it answers */
    char command_id[COMMAND_ID_SIZE];
    int64_t txn_id;               /* of that command */
    char approval[APPROVAL_SIZE]; /* of that command (APPROVE, QUERY) */
    int64_t n;                    /* of that command (KEYS, APPROVE, QUERY) */
    bool ok;                      /* result "ok" */
    char reason[33];              /* refused: the machine's word; else empty */
    enum lock_refusal lock_refusal;
    enum approval_state state;  /* APPROVE, QUERY */
    int64_t code;               /* not_dispensed; -1: none given */
    bool on_bus;                /* interrupted */
    char journal[JOURNAL_SIZE]; /* APPROVE, QUERY, HELLO; empty when it was not told */
    /* HELLO */
    int64_t session, request; /* -1: null */
    bool last;                /* `last` was there */
    char last_approval[APPROVAL_SIZE];
    int64_t last_n;
    enum approval_state last_state;
    int64_t last_code;
    bool last_on_bus;
    const char *raw; /* the body as received; evidence */
    size_t raw_size;
};

#endif
