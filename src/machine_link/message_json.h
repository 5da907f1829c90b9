/* message_json.h - the JSON of machine-protocol to the structs of message.h and back. Pure: no I/O,
 * no state. */
#ifndef VENDGATE_MACHINE_LINK_MESSAGE_JSON_H
#define VENDGATE_MACHINE_LINK_MESSAGE_JSON_H

#include "base/json.h"
#include "machine_link/message.h"

/* Bodies are at most this long; those of planogram and keypad events as long as a packet can be. */
#define MESSAGE_BODY_MAX 4096

/* An event together with what its texts are borrowed from. */
struct event_reading {
    struct machine_event event;
    json_t *document;
    char problem[JSON_ERROR_SIZE];
};
/* Never fails: what cannot be understood becomes MACHINE_EVENT_UNREADABLE with the problem told.
 * `bytes` are borrowed as event.raw. */
void machine_event_read(const char *bytes, size_t size, struct event_reading *ret_reading);
/* Frees what the reading holds. For _cleanup_(). */
void machine_event_done(struct event_reading *reading);

/* A reply before it is known which command it answers. */
struct reply_reading {
    struct machine_reply reply; /* the command's fields (op, txn_id, approval, n) are still empty */
    char problem[JSON_ERROR_SIZE];
};
/* False: not understood, ret_reading->problem tells why. `bytes` are borrowed as reply.raw. */
bool machine_reply_read(const char *bytes, size_t size, struct reply_reading *ret_reading);
/* Fills in what the command knows. */
void machine_reply_bind(struct machine_reply *reply, const struct machine_command *command);

/* The `code` of a result: an integer, or its digits as text, as /txn/vend writes it. -1: none that
 * is understood, because why a dispense failed must never decide whether it did. */
int64_t machine_code_read(const json_t *object);

#define COMMAND_TEXT_SIZE 2048

/* What the link adds to a command. */
struct command_stamp {
    const char *id;
    int64_t generation;
    int64_t ttl_ms;       /* what is left of it */
    int64_t now_ms;       /* HELLO: unix time */
    int64_t keep_alive_s; /* HELLO */
};
/* The body; returns its length. The longest command fits. */
size_t machine_command_write(const struct machine_command *command,
                             const struct command_stamp *stamp,
                             char ret_text[static COMMAND_TEXT_SIZE]);

#endif
