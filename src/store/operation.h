/* operation.h - one statement with its parameters, on its way through a batch. Internal to store/.
 *
 * Owned by the batcher from batcher_queue() on, and freed by it after `finish` has run. */
#ifndef VENDGATE_STORE_OPERATION_H
#define VENDGATE_STORE_OPERATION_H

#include "base/buffer.h"
#include "store/answer.h"
#include "store/callback.h"
#include "store/event.h"
#include "store/feed.h"
#include "store/machine.h"
#include "store/parked.h"
#include "store/people.h"
#include "store/statements.h"
#include "store/store.h"
#include "store/txn.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values of $1, $2, ...; $1 and $2 (instance and epoch) are put in when it is sent. */
struct parameters {
    struct buffer bytes; /* all values, one behind the other, each with a NUL */
    size_t count;        /* of those added, without $1 and $2 */
    struct {
        size_t offset, size;
        bool null, binary;
    } values[PARAMETERS_MAX];
};

struct operation;
/* `rows` is NULL unless it applied; borrowed for the call. */
typedef void operation_finish(struct operation *operation, enum store_outcome outcome,
                              const PGresult *rows);

struct operation {
    enum statement statement;
    enum statement probe; /* asks with the same parameters whether it was committed; NONE: it may
                             simply run again */
    struct parameters parameters;
    int64_t shift_ms; /* PostgreSQL's clock minus store_now_ms(): times are translated by it */
    operation_finish *finish;
    union {
        store_txn_cb *txn;
        store_txn_found_cb *found;
        store_txn_row_cb *txn_row;
        store_txn_status_cb *txn_status;
        store_machine_row_cb *machine_row;
        store_machine_owned_cb *owned;
        store_done_cb *done;
        store_integrator_row_cb *integrator_row;
        store_key_row_cb *key_row;
        store_grant_row_cb *grant_row;
        store_callback_row_cb *callback_row;
        store_callback_survey_cb *survey;
        store_recorded_cb *recorded;
        store_answer_cb *answer;
        store_feed_cb *feed;
        store_events_cb *events;
        store_parked_cb *parked;
        struct store *store;
    } callback;
    void *arg;
    int64_t asked_ms; /* monotonic: of a heartbeat, when it was asked for */

    /* The batcher's. */
    bool alone; /* it was in a batch that failed: next time it has a batch of its own */
    bool kept; /* it was in flight when the connection was lost: it is not given back as unavailable
                */
    int attempts;         /* batches of its own that failed for a passing reason */
    PGresult *rows;       /* while its COMMIT is awaited */
    int64_t committed_ms; /* recent.c's: monotonic */
    struct operation *prev, *next;
};

struct operation *operation_new(enum statement statement, operation_finish *finish, void *arg);
void operation_free(struct operation **operation);

/* Each adds the next value, in the order of the statement's types. */
void operation_add_null(struct operation *operation);
void operation_add_integer(struct operation *operation, int64_t value);
/* NULL instead of `null_value`. */
void operation_add_integer_or_null(struct operation *operation, int64_t value, int64_t null_value);
/* A time of store_now_ms(), as one of PostgreSQL's clock; 0: NULL. */
void operation_add_time(struct operation *operation, int64_t time_ms);
void operation_add_bool(struct operation *operation, bool value);
/* NULL is SQL null; a text that is no UTF-8 makes PostgreSQL refuse the statement. */
void operation_add_text(struct operation *operation, const char *text);
void operation_add_sized_text(struct operation *operation, const char *text, size_t size);
/* For texts from outside: what is no printable UTF-8 becomes '?'; empty or NULL is SQL null. */
void operation_add_foreign_text(struct operation *operation, const char *text);
void operation_add_bytes(struct operation *operation, const void *bytes, size_t size);

/* An array value: open, items, close. */
void operation_array_open(struct operation *operation);
void operation_array_integer(struct operation *operation, int64_t value);
void operation_array_bool(struct operation *operation, bool value);
void operation_array_text(struct operation *operation, const char *text, size_t size);
void operation_array_close(struct operation *operation);

/* Reading a row: column by column. */
const char *row_text(const PGresult *rows, int row, int column); /* NULL: SQL null */
int64_t row_integer(const PGresult *rows, int row, int column);  /* 0: SQL null */
/* A time of PostgreSQL's clock, as one of store_now_ms(); 0 stays 0. */
int64_t row_time(const struct operation *operation, const PGresult *rows, int row, int column);
bool row_bool(const PGresult *rows, int row, int column);
/* A bigint[] as text; at most `max` are taken. Returns how many. */
size_t row_integers(const PGresult *rows, int row, int column, int64_t *ret_values, size_t max);

#endif
