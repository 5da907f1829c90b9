/* answer.h - reads what an integrator answered: the status, then the envelope. Pure.
 *
 *   2xx, success not false   delivered (an empty or unreadable body too: it was received)
 *   2xx, success:false       refused: a verdict, not a failure of delivery
 *   408 425 429 5xx          again
 *   410                      gone
 *   3xx, other 4xx           permanent
 *
 * Lenient where base/json.h is strict: the sender of a sloppy envelope has received the callback
 * all the same, and a readable `success:false` in it must not be lost. */
#ifndef VENDGATE_OUTBOUND_ANSWER_H
#define VENDGATE_OUTBOUND_ANSWER_H

#include "outbound/outbound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MESSAGE_SIZE 256

struct answer {
    int http_status;  /* 200 and above */
    const char *body; /* borrowed */
    size_t body_size;
    const char *retry_after; /* the header's value; NULL: none */
};

struct verdict {
    enum attempt_result result;
    int64_t retry_after_ms;            /* -1: not asked for */
    char message[ANSWER_MESSAGE_SIZE]; /* the integrator's reason, cut and made printable; empty:
                                          none */
    const char *note;                  /* why the body was not understood; static, NULL: it was */
};

/* `now_s`: unix seconds, to read a Retry-After that is a date. */
void answer_read(const struct answer *answer, int64_t now_s, struct verdict *ret_verdict);

/* Copies as much as fits, with '?' for every control character and ill-formed byte; never cuts a
 * character. */
void answer_printable(const char *bytes, size_t size, char *ret_text, size_t ret_size);

#endif
