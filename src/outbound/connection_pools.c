#include "outbound/connection_pools.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/memory.h"

#include <stdlib.h>
#include <uthash.h>

enum { OWN_FILES_MAX = 64 };

enum class { CLASS_INTERACTIVE, CLASS_BULK, CLASS_COUNT };

struct entry {
    struct connection_pool pool;
    struct connection_pools *pools;
    char *ca_file; /* "": the system's */
    int64_t used_ns;
    UT_hash_handle hh;
};

struct connection_pools {
    uv_loop_t *loop;
    size_t connections_max;
    connection_pool_worked *worked;
    struct entry *entries[CLASS_COUNT]; /* by ca_file */
};

static void on_worked(void *arg)
{
    struct entry *entry = arg;
    entry->pools->worked(&entry->pool);
}

static void entry_free(struct connection_pools *pools, enum class class, struct entry *entry)
{
    assert(entry->pool.users == 0);
    HASH_DEL(pools->entries[class], entry);
    multi_loop_free(&entry->pool.multi);
    free(entry->ca_file);
    free(entry);
}

static bool is_system(const struct entry *entry)
{
    return entry->ca_file[0] == '\0';
}

/* The one that was idle the longest; NULL: none. */
static struct entry *find_idle(struct connection_pools *pools, enum class class)
{
    struct entry *idle = NULL, *entry, *next;
    HASH_ITER (hh, pools->entries[class], entry, next) {
        bool candidate = entry->pool.users == 0 && !is_system(entry);
        if (candidate && (!idle || entry->used_ns < idle->used_ns))
            idle = entry;
    }
    return idle;
}

static struct entry *entry_new(struct connection_pools *pools, enum class class,
                               const char *ca_file)
{
    struct entry *idle = NULL;
    if (HASH_COUNT(pools->entries[class]) > OWN_FILES_MAX)
        idle = find_idle(pools, class);
    if (idle)
        entry_free(pools, class, idle);
    struct entry *entry = memory_zero(1, sizeof(*entry));
    entry->pools = pools;
    entry->ca_file = memory_text(ca_file);
    entry->pool.multi = multi_loop_new(pools->loop, on_worked, entry);
    HASH_ADD_KEYPTR(hh, pools->entries[class], entry->ca_file, strlen(entry->ca_file), entry);
    /* libcurl counts those in use too, and closes the one that came free: a lower limit would turn
     * every request of a busy pool into a handshake. */
    CURLMcode code = curl_multi_setopt(multi_loop_handle(entry->pool.multi), CURLMOPT_MAXCONNECTS,
                                       (long)pools->connections_max);
    assert(code == CURLM_OK);
    return entry;
}

struct connection_pool *connection_pools_find(struct connection_pools *pools, const char *ca_file,
                                              bool bulk)
{
    enum class class = bulk ? CLASS_BULK : CLASS_INTERACTIVE;
    const char *key = ca_file ? ca_file : "";
    struct entry *entry;
    HASH_FIND_STR(pools->entries[class], key, entry);
    if (!entry)
        entry = entry_new(pools, class, key);
    entry->used_ns = clock_monotonic_ns();
    return &entry->pool;
}

struct connection_pools *connection_pools_new(uv_loop_t *loop, size_t connections_max,
                                              connection_pool_worked *worked)
{
    struct connection_pools *pools = memory_zero(1, sizeof(*pools));
    pools->loop = loop;
    pools->connections_max = connections_max;
    pools->worked = worked;
    return pools;
}

void connection_pools_free(struct connection_pools **pools)
{
    struct connection_pools *old = TAKE(*pools);
    if (!old)
        return;
    for (enum class class = 0; class < CLASS_COUNT; class ++) {
        struct entry *entry, *next;
        HASH_ITER (hh, old->entries[class], entry, next)
            entry_free(old, class, entry);
    }
    free(old);
}
