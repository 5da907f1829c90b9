#include "store/feed.h"

#include "base/random.h"
#include "store/store_internal.h"

#define KEY_BYTES 16

/* The order is that of STATEMENT_FEED_PUBLISH. */
static void published(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        const struct store_feed_callback made = {
            .callback_id = row_integer(rows, row, 0),
            .integrator_id = row_integer(rows, row, 1),
            .expires_ms = row_time(operation, rows, row, 2),
            .webhook_id = row_text(rows, row, 3),
        };
        operation->callback.feed(operation->arg, outcome, &made);
    }
    operation->callback.feed(operation->arg, outcome, NULL);
}

void store_feed_publish(struct store *store, const struct store_feed *feed, store_feed_cb *callback,
                        void *arg)
{
    char key[2 * KEY_BYTES + 1];
    random_hex(key, KEY_BYTES);
    struct operation *operation = operation_new(STATEMENT_FEED_PUBLISH, published, arg);
    operation->callback.feed = callback;
    operation_add_text(operation, feed->vm_id);
    operation_add_text(operation, feed->kind);
    operation_add_sized_text(operation, feed->body, feed->body_size);
    operation_add_text(operation, key);
    store_queue_step(store, operation);
}
