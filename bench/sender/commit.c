#include "bench/sender/commit.h"

#include "base/memory.h"
#include "base/random.h"
#include "store/feed.h"
#include "store/txn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FEED_KIND CALLBACK_FEED_ALERTS
#define MACHINE "bench-%" PRId64

enum { WEBHOOK_ID_BYTES = 16 };

/* One event on its way through the store. */
struct commit {
    commit_cb *done;
    void *arg;
    bool committed;
    struct outbound_callback callback;
    char body[EVENT_BODY_SIZE];
};

static struct commit *commit_new(const struct event *event, commit_cb *done, void *arg)
{
    struct commit *commit = memory_zero(1, sizeof(*commit));
    commit->done = done;
    commit->arg = arg;
    commit->callback.integrator_id = event->endpoint + 1;
    commit->callback.body = commit->body;
    commit->callback.body_size = event_body(event, commit->body);
    return commit;
}

static void finish(struct commit *commit)
{
    commit->done(commit->arg, commit->committed ? &commit->callback : NULL);
    free(commit);
}

static void on_feed(void *arg, enum store_outcome outcome, const struct store_feed_callback *made)
{
    struct commit *commit = arg;
    if (!made) {
        finish(commit);
        return;
    }
    struct outbound_callback *callback = &commit->callback;
    commit->committed = outcome == STORE_APPLIED;
    callback->callback_id = made->callback_id;
    callback->expires_ms = made->expires_ms;
    (void)snprintf(callback->webhook_id, sizeof(callback->webhook_id), "%s", made->webhook_id);
}

void commit_feed(struct store *store, const struct event *event, commit_cb *done, void *arg)
{
    struct commit *commit = commit_new(event, done, arg);
    commit->callback.kind = FEED_KIND;
    char vm_id[VM_ID_SIZE];
    (void)snprintf(vm_id, sizeof(vm_id), MACHINE, event->lane);
    const struct store_feed feed = {
        .vm_id = vm_id,
        .kind = callback_kind_path(FEED_KIND),
        .body = commit->body,
        .body_size = commit->callback.body_size,
    };
    store_feed_publish(store, &feed, on_feed, commit);
}

static void on_sale(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct commit *commit = arg;
    commit->committed = outcome == STORE_APPLIED;
    if (commit->committed)
        commit->callback.callback_id = result->callback_ids[0];
    finish(commit);
}

static void note(struct store *store, const struct event *event, struct commit *commit)
{
    const struct outbound_callback *callback = &commit->callback;
    struct txn_record txn = {
        .id = callback->txn_id, .integrator_id = callback->integrator_id, .state = TXN_CLOSED};
    (void)snprintf(txn.vm_id, sizeof(txn.vm_id), MACHINE, event->lane);
    const struct store_txn_step step = {
        .txn = &txn,
        .from = TXN_CLOSED,
        .event = TXN_DISPENSED,
        .actor = "machine",
        .callbacks = {{.kind = callback_kind_path(callback->kind),
                       .webhook_id = callback->webhook_id,
                       .lane = callback->lane,
                       .lane_sequence = callback->lane_sequence,
                       .body = callback->body,
                       .body_size = callback->body_size,
                       .expires_ms = callback->expires_ms}},
        .callback_count = 1,
    };
    store_txn_note(store, &step, on_sale, commit);
}

void commit_sale(struct store *store, const struct event *event, commit_cb *done, void *arg)
{
    struct commit *commit = commit_new(event, done, arg);
    struct outbound_callback *callback = &commit->callback;
    callback->kind = event->lane % 2 == 0 ? CALLBACK_VEND : CALLBACK_UNLOCK;
    callback->txn_id = callback->lane = event->lane + 1;
    callback->lane_sequence = event->sequence;
    callback->expires_ms = store_now_ms(store) + callback_lifetime_ms(callback->kind);
    char digits[2 * WEBHOOK_ID_BYTES + 1];
    random_hex(digits, WEBHOOK_ID_BYTES);
    (void)snprintf(callback->webhook_id, sizeof(callback->webhook_id), "msg_%s", digits);
    note(store, event, commit);
}
