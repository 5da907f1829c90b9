#include "outbound/lane.h"

#include "base/macros.h"
#include "base/memory.h"

#include <stdlib.h>
#include <utlist.h>

struct lane {
    int64_t key; /* 0: not in the table */
    struct delivery *first;
    UT_hash_handle hh;
};

struct lane_book {
    struct lane *lanes;          /* by key */
    struct delivery *deliveries; /* by callback_id */
};

struct lane_book *lane_book_new(void)
{
    return memory_zero(1, sizeof(struct lane_book));
}

void lane_book_free(struct lane_book **book)
{
    struct lane_book *old = TAKE(*book);
    if (!old)
        return;
    assert(!old->lanes && !old->deliveries);
    free(old);
}

size_t lane_book_count(const struct lane_book *book)
{
    return HASH_COUNT(book->deliveries);
}

static struct lane *lane_of(struct lane_book *book, int64_t key)
{
    struct lane *lane = NULL;
    if (key != 0)
        HASH_FIND(hh, book->lanes, &key, sizeof(key), lane);
    if (lane)
        return lane;
    lane = memory_zero(1, sizeof(*lane));
    lane->key = key;
    if (key != 0)
        HASH_ADD(hh, book->lanes, key, sizeof(key), lane);
    return lane;
}

/* From the end: in order of commit is the rule, and then nothing is passed. */
static void insert_in_order(struct lane *lane, struct delivery *delivery)
{
    if (!lane->first) {
        DL_APPEND(lane->first, delivery);
        return;
    }
    struct delivery *before = lane->first->prev; /* utlist: the first's prev is the last */
    while (before != lane->first &&
           before->callback.lane_sequence > delivery->callback.lane_sequence)
        before = before->prev;
    DL_APPEND_ELEM(lane->first, before, delivery);
}

void lane_add(struct lane_book *book, struct delivery *delivery)
{
    assert(!lane_find(book, delivery->callback.callback_id));
    delivery->lane = lane_of(book, delivery->callback.lane);
    insert_in_order(delivery->lane, delivery);
    HASH_ADD(hh, book->deliveries, callback.callback_id, sizeof(delivery->callback.callback_id),
             delivery);
}

struct delivery *lane_find(const struct lane_book *book, int64_t callback_id)
{
    struct delivery *delivery;
    HASH_FIND(hh, book->deliveries, &callback_id, sizeof(callback_id), delivery);
    return delivery;
}

struct delivery *lane_last(const struct lane_book *book, int64_t lane)
{
    struct lane *found;
    HASH_FIND(hh, book->lanes, &lane, sizeof(lane), found);
    return found ? found->first->prev : NULL;
}

bool lane_is_front(const struct delivery *delivery)
{
    return delivery->lane->first == delivery;
}

struct delivery *lane_remove(struct lane_book *book, struct delivery *delivery)
{
    struct lane *lane = delivery->lane;
    bool front = lane_is_front(delivery);
    DL_DELETE(lane->first, delivery);
    HASH_DEL(book->deliveries, delivery);
    delivery->lane = NULL;
    if (lane->first)
        return front ? lane->first : NULL;
    if (lane->key != 0)
        HASH_DEL(book->lanes, lane);
    free(lane);
    return NULL;
}

void lane_each(struct lane_book *book, void (*visit)(void *arg, struct delivery *delivery),
               void *arg)
{
    struct delivery *delivery, *next;
    HASH_ITER (hh, book->deliveries, delivery, next)
        visit(arg, delivery);
}
