#include "store/recent.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/memory.h"

#include <stdlib.h>
#include <utlist.h>

/* PostgreSQL flushes within three times wal_writer_delay, which is 200 ms unless set otherwise. */
#define FLUSHED_MS 3000
#define RECENT_MAX 20000

struct recent {
    struct operation *list; /* oldest first */
    size_t count;
};

struct recent *recent_new(void)
{
    return memory_zero(1, sizeof(struct recent));
}

static void drop_oldest(struct recent *recent)
{
    struct operation *oldest = recent->list;
    DL_DELETE(recent->list, oldest);
    recent->count--;
    operation_free(&oldest);
}

void recent_free(struct recent **recent)
{
    struct recent *old = TAKE(*recent);
    if (!old)
        return;
    while (old->list)
        drop_oldest(old);
    free(old);
}

static void heard_before(struct operation *operation, enum store_outcome outcome,
                         const PGresult *rows)
{
    (void)operation;
    (void)outcome;
    (void)rows;
}

void recent_add(struct recent *recent, struct operation *operation)
{
    int64_t now = clock_monotonic_ms();
    while (recent->list &&
           (recent->count >= RECENT_MAX || now - recent->list->committed_ms > FLUSHED_MS))
        drop_oldest(recent);
    PQclear(TAKE(operation->rows));
    operation->finish = heard_before;
    operation->committed_ms = now;
    DL_APPEND(recent->list, operation);
    recent->count++;
}

struct operation *recent_take(struct recent *recent, size_t *ret_count)
{
    *ret_count = recent->count;
    recent->count = 0;
    return TAKE(recent->list);
}
