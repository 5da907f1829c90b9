/* answer.h - the answers given under an Idempotency-Key, so that a repeat of the call gets the
 * same.
 */
#ifndef VENDGATE_STORE_ANSWER_H
#define VENDGATE_STORE_ANSWER_H

#include "store/store.h"

#include <stddef.h>

#define STORE_IDEMPOTENCY_KEY_MAX 255 /* printable ASCII */

/* Texts are borrowed for the call. */
struct store_answer {
    int64_t integrator_id;
    const char *key;         /* the header's value */
    const char *path;        /* "/api/lock" ... */
    const char *body_sha256; /* hexadecimal, of the request's body */
    int status;              /* HTTP */
    const char *body;        /* the answer, exact bytes */
    size_t body_size;
};
/* `answer` NULL: none is kept under this key. */
typedef void store_answer_cb(void *arg, enum store_outcome outcome,
                             const struct store_answer *answer);
void store_answer_find(struct store *store, int64_t integrator_id, const char *key,
                       store_answer_cb *callback, void *arg);
/* Keeps it; committed before the callback runs. CONFLICT: another answer stands under this key
 * already; `answer` is that one. */
void store_answer_save(struct store *store, const struct store_answer *answer,
                       store_answer_cb *callback, void *arg);

#endif
