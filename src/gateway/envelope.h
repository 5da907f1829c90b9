/* envelope.h - the standard envelope of every answer, as JSON text. Pure. */
#ifndef VENDGATE_GATEWAY_ENVELOPE_H
#define VENDGATE_GATEWAY_ENVELOPE_H

#include "txn/reason.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct envelope {
    bool success;
    enum reason reason;        /* `code`; REASON_NONE on success */
    enum reason_action action; /* ACTION_NONE: none is told */
    const char *message;       /* NULL: the reason's own; borrowed */
    int64_t timeout_s;         /* `timeout`; -1: none */
    const char *txn_ref;       /* NULL: none; borrowed */
    const char *key;           /* a further field, "vendingMachine" ...; NULL: none */
    json_t *value;             /* of that field; borrowed */
    json_t *fields;            /* further fields, an object; NULL: none; borrowed */
};

/* A failure with the reason's own message and action. `message` NULL: the reason's. */
struct envelope envelope_refusal(enum reason reason, const char *message);
/* The reason that a rendered envelope tells; REASON_NONE: none that we know. */
enum reason envelope_read_reason(const char *text, size_t size);
/* free() the result. */
char *envelope_render(const struct envelope *envelope, size_t *ret_size);

#endif
