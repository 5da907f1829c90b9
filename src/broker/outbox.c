/* outbox.c - callbacks that are only in the database, on their way into outbound: after a start,
 * where outbound had no room, and where people or other processes have changed what we owe.
 *
 * Two shelves per integrator that has such callbacks: those of purchases, and those without a lane
 * (feeds), so that neither waits for the other's room. A shelf is read in the order of the ids,
 * which is that of every lane, a page at a time, as long as outbound has room. A machine knows
 * whether something of its session's lane may be on the shelf: then what is committed for it
 * follows it there, and nothing overtakes its lane. Everybody else passes by, so a customer who
 * waits now does not wait for yesterday's. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/callback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 500
#define FULL_RETRY_MS 10000   /* outbound tells when it has room; this is for when it could not */
#define REPLAYS_EVERY_MS 5000 /* they are read ten seconds ahead */

struct shelf {
    int64_t key; /* the integrator's id; minus that: its callbacks without a lane */
    struct broker *broker;
    int64_t after; /* callbacks up to this id are in outbound, or done */
    int64_t again; /* while a page is read: go on behind this id, if it is lower; else INT64_MAX */
    int64_t read_ms; /* monotonic, when the last page was asked for */
    size_t rows;     /* of the page being read */
    bool reading;
    bool discard; /* the page being read is out of date */
    bool full;    /* outbound had no room */
    bool more;    /* something was left here while the page was read */
    UT_hash_handle hh;
};

/* A callback that somebody has touched. */
struct look {
    struct broker *broker;
    int64_t callback_id;
    bool found;
};

/* --- Rows --- */

/* A step that takes it back is being committed. */
static bool being_cancelled(const struct broker *broker, const struct store_callback_row *row)
{
    const struct live *live = live_find_id(broker, row->txn_id);
    return live && live->machine->cancelled_callback == row->callback_id;
}

/* False: outbound has no room. */
static bool row_submit(struct broker *broker, const struct store_callback_row *row)
{
    if (being_cancelled(broker, row))
        return true;
    struct outbound_callback callback = {
        .callback_id = row->callback_id,
        .integrator_id = row->integrator_id,
        .txn_id = row->txn_id,
        .lane = row->lane,
        .lane_sequence = row->lane_sequence,
        .body = row->body,
        .body_size = row->body_size,
        .expires_ms = row->expires_ms,
        .attempts = row->attempts,
        .renames = row->renames,
        .not_before_ms = row->not_before_ms,
        .replay = row->replay,
    };
    if (!callback_kind_parse(row->kind, &callback.kind)) {
        log_error("callback_kind_unknown", LOG_INT("callback", row->callback_id),
                  LOG_TEXT("kind", row->kind));
        return true;
    }
    snprintf(callback.webhook_id, sizeof callback.webhook_id, "%s", row->webhook_id);
    int result = outbound_submit(broker->outbound, &callback);
    struct live *live = live_find_id(broker, row->txn_id);
    if (result == 0 && live && live->request_callback_id == row->callback_id)
        live->request_withheld = false; /* else -EEXIST: outbound has it already */
    return result != -ENOBUFS;
}

/* --- Shelves --- */

static void page_read(struct shelf *shelf);

static int64_t key_of(int64_t integrator_id, int64_t lane)
{
    return lane == 0 ? -integrator_id : integrator_id;
}

static struct shelf *shelf_find(const struct broker *broker, int64_t key)
{
    struct shelf *shelf;
    HASH_FIND(hh, broker->outbox.shelves, &key, sizeof key, shelf);
    return shelf;
}

/* With everything above `after` on it. */
static void shelf_put(struct broker *broker, int64_t key, int64_t after)
{
    struct shelf *shelf = shelf_find(broker, key);
    if (!shelf) {
        shelf = memory_zero(1, sizeof *shelf);
        shelf->broker = broker;
        shelf->key = key;
        shelf->after = after;
        shelf->again = INT64_MAX;
        HASH_ADD(hh, broker->outbox.shelves, key, sizeof key, shelf);
    }
    if (shelf->reading) {
        shelf->more = true;
        if (after < shelf->again)
            shelf->again = after;
    } else if (after < shelf->after) {
        shelf->after = after;
    }
}

static void shelf_free(struct shelf *shelf)
{
    HASH_DEL(shelf->broker->outbox.shelves, shelf);
    free(shelf);
}

static void recovery_check(struct broker *broker)
{
    struct shelf *shelf, *next;
    if (broker->ready || broker->outbox.surveying)
        return;
    HASH_ITER (hh, broker->outbox.shelves, shelf, next)
        if (!shelf->full)
            return;
    recovery_done(broker);
}

static void page_done(struct shelf *shelf, enum store_outcome outcome)
{
    struct broker *broker = shelf->broker;
    bool whole = outcome == STORE_APPLIED && !shelf->full && !shelf->discard && !shelf->more &&
                 shelf->rows < PAGE;
    shelf->reading = shelf->discard = shelf->more = false;
    if (shelf->again < shelf->after)
        shelf->after = shelf->again;
    shelf->again = INT64_MAX;
    if (whole)
        shelf_free(shelf);
    else if (outcome == STORE_APPLIED && !shelf->full)
        page_read(shelf); /* else when outbound has room, or the store is back */
    recovery_check(broker);
}

static void page_row(void *arg, enum store_outcome outcome, const struct store_callback_row *row)
{
    struct shelf *shelf = arg;
    if (!row) {
        page_done(shelf, outcome);
        return;
    }
    shelf->rows++;
    if (shelf->full || shelf->discard)
        return;
    if (row_submit(shelf->broker, row))
        shelf->after = row->callback_id;
    else
        shelf->full = true;
}

static void page_read(struct shelf *shelf)
{
    assert(!shelf->reading);
    shelf->reading = true;
    shelf->full = false;
    shelf->rows = 0;
    shelf->read_ms = clock_monotonic_ms();
    const struct store_callback_page_order order = {
        .integrator_id = shelf->key < 0 ? -shelf->key : shelf->key,
        .with_lane = shelf->key > 0,
        .after = shelf->after,
        .limit = PAGE,
    };
    store_callback_page(shelf->broker->store, &order, page_row, shelf);
}

bool outbox_holds(const struct machine *machine, int64_t integrator_id, int64_t lane)
{
    const struct broker *broker = machine->broker;
    return broker->outbox.surveying ||
           (machine->shelved_lane == lane && shelf_find(broker, key_of(integrator_id, lane)));
}

void outbox_left(struct machine *machine, int64_t integrator_id, int64_t lane, int64_t callback_id)
{
    machine->shelved_lane = lane;
    shelf_put(machine->broker, key_of(integrator_id, lane), callback_id - 1);
}

static void shelf_room(const struct broker *broker, int64_t key)
{
    struct shelf *shelf = shelf_find(broker, key);
    if (shelf && !shelf->reading && store_ready(broker->store))
        page_read(shelf);
}

void outbox_room(const struct broker *broker, int64_t integrator_id)
{
    shelf_room(broker, integrator_id);
    shelf_room(broker, -integrator_id);
}

static void shelves_read(struct broker *broker)
{
    struct shelf *shelf, *next;
    HASH_ITER (hh, broker->outbox.shelves, shelf, next) {
        bool waits = shelf->full && clock_monotonic_ms() - shelf->read_ms < FULL_RETRY_MS;
        if (!shelf->reading && !waits)
            page_read(shelf);
    }
}

void outbox_free(struct broker *broker)
{
    struct shelf *shelf, *next;
    HASH_ITER (hh, broker->outbox.shelves, shelf, next)
        shelf_free(shelf);
}

/* --- Everything that is ours --- */

static void surveyed(void *arg, enum store_outcome outcome, int64_t integrator_id, bool with_lane)
{
    struct broker *broker = arg;
    if (integrator_id != 0) {
        shelf_put(broker, with_lane ? integrator_id : -integrator_id, 0);
        return;
    }
    if (outcome != STORE_APPLIED) {
        broker->outbox.survey_due = broker->ready; /* else recovery begins anew */
        if (!broker->ready)
            broker->recovery_begun = false;
        return;
    }
    broker->outbox.surveying = false;
    shelves_read(broker);
    recovery_check(broker);
}

void outbox_survey(struct broker *broker)
{
    broker->outbox.surveying = true; /* until it is known which lanes have something */
    broker->outbox.survey_due = false;
    broker->outbox.survey_ms = 0;
    store_callback_survey(broker->store, surveyed, broker);
}

void outbox_again(struct broker *broker, int64_t wait_ms)
{
    int64_t at_ms = clock_monotonic_ms() + wait_ms;
    struct outbox *outbox = &broker->outbox;
    if (!outbox->survey_due || at_ms < outbox->survey_ms)
        outbox->survey_ms = at_ms;
    outbox->survey_due = true;
}

static void lanes_claimed(void *arg, enum store_outcome outcome)
{
    struct broker *broker = arg;
    if (outcome == STORE_APPLIED)
        broker->outbox.claim_due = false;
}

void outbox_dispossessed(struct broker *broker)
{
    struct shelf *shelf, *next;
    outbound_forget_all(broker->outbound);
    HASH_ITER (hh, broker->outbox.shelves, shelf, next)
        shelf->discard = shelf->reading;
    /* Also in the middle of the start: what its first pages brought is gone. */
    broker->outbox.surveying = broker->outbox.survey_due = broker->outbox.claim_due =
        broker->recovery_begun;
    broker->outbox.survey_ms = 0;
}

/* --- Replays --- */

static void replays_page(struct broker *broker, int64_t after);

static void replay_row(void *arg, enum store_outcome outcome, const struct store_callback_row *row)
{
    struct broker *broker = arg;
    struct outbox *outbox = &broker->outbox;
    if (row) {
        outbox->replay_rows++;
        outbox->replay_after = row->callback_id;
        (void)row_submit(broker, row); /* no room: it is found again in the next round */
        return;
    }
    outbox->replays_reading = false;
    if (outbox->replays_again || outcome != STORE_APPLIED)
        outbox->replays_ms = 0; /* with the next sweep */
    else if (outbox->replay_rows == PAGE)
        replays_page(broker, outbox->replay_after);
}

static void replays_page(struct broker *broker, int64_t after)
{
    struct outbox *outbox = &broker->outbox;
    outbox->replays_reading = true;
    outbox->replays_again = false;
    outbox->replay_rows = 0;
    outbox->replay_after = after;
    outbox->replays_ms = clock_monotonic_ms() + REPLAYS_EVERY_MS;
    store_callback_replays(broker->store, after, PAGE, replay_row, broker);
}

static void replays_read(struct broker *broker)
{
    if (broker->outbox.replays_reading)
        broker->outbox.replays_again = true;
    else
        replays_page(broker, 0);
}

/* --- What people touch --- */

/* The purchase whose /txn/request a person has taken out cannot go on. */
static void request_skipped(const struct broker *broker, int64_t callback_id)
{
    struct live *live, *next;
    HASH_ITER (hh, broker->lives, live, next)
        if (live->request_callback_id == callback_id)
            mailbox_signal(live->machine, TXN_REQUEST_UNDELIVERABLE, live->txn.id);
}

static void looked(void *arg, enum store_outcome outcome, const struct store_callback_row *row)
{
    struct look *look = arg;
    struct broker *broker = look->broker;
    if (row) {
        look->found = true;
        int64_t key = key_of(row->integrator_id, row->lane);
        bool held = !row->replay && (broker->outbox.surveying || shelf_find(broker, key));
        if (held || !row_submit(broker, row))
            shelf_put(broker, key, row->callback_id - 1);
        return;
    }
    if (outcome != STORE_APPLIED) {
        outbox_again(broker, 0);
    } else if (!look->found) {
        outbound_forget(broker->outbound, look->callback_id);
        request_skipped(broker, look->callback_id);
    }
    free(look);
}

void outbox_changed(struct broker *broker, const char *key)
{
    if (!broker->ready)
        return; /* all of it is being read */
    int64_t callback_id = strtoll(key, NULL, 10);
    if (callback_id <= 0) {
        replays_read(broker);
        return;
    }
    struct look *look = memory_zero(1, sizeof *look);
    look->broker = broker;
    look->callback_id = callback_id;
    store_callback_look(broker->store, callback_id, looked, look);
}

/* --- Time --- */

void outbox_sweep(struct broker *broker)
{
    struct outbox *outbox = &broker->outbox;
    if (!store_ready(broker->store))
        return;
    if (outbox->claim_due)
        store_callback_claim(broker->store, NULL, lanes_claimed, broker);
    if (outbox->survey_due && clock_monotonic_ms() >= outbox->survey_ms)
        outbox_survey(broker);
    if (!outbox->surveying)
        shelves_read(broker); /* during the start too: a page may have failed */
    if (broker->ready && !outbox->replays_reading && clock_monotonic_ms() >= outbox->replays_ms)
        replays_page(broker, 0);
}
