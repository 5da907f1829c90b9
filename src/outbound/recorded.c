#include "outbound/recorded.h"

#include "base/memory.h"

#include <stdlib.h>
#include <uthash.h>

struct recorded {
    int64_t callback_id;
    UT_hash_handle hh;
};

static struct recorded *find(const struct recorded *set, int64_t callback_id)
{
    struct recorded *entry;
    HASH_FIND(hh, set, &callback_id, sizeof(callback_id), entry);
    return entry;
}

void recorded_add(struct recorded **set, int64_t callback_id)
{
    if (find(*set, callback_id))
        return;
    struct recorded *entry = memory_zero(1, sizeof(*entry));
    entry->callback_id = callback_id;
    HASH_ADD(hh, *set, callback_id, sizeof(callback_id), entry);
}

bool recorded_has(const struct recorded *set, int64_t callback_id)
{
    return find(set, callback_id);
}

void recorded_remove(struct recorded **set, int64_t callback_id)
{
    struct recorded *entry = find(*set, callback_id);
    if (!entry)
        return;
    HASH_DEL(*set, entry);
    free(entry);
}

void recorded_clear(struct recorded **set)
{
    struct recorded *entry, *next;
    HASH_ITER (hh, *set, entry, next) {
        HASH_DEL(*set, entry);
        free(entry);
    }
}
