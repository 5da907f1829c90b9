#include "net/address_counts.h"

#include "base/memory.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct address_key {
    uint8_t family; /* 4 or 6; 0: not counted */
    uint8_t bytes[8];
};

struct address_count {
    struct address_key key;
    int64_t connections;
    UT_hash_handle hh;
};

static struct address_key key_of(const struct sockaddr_storage *address)
{
    struct address_key key = {0};
    if (address->ss_family == AF_INET) {
        key.family = 4;
        memcpy(key.bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
        key.family = mapped ? 4 : 6;
        memcpy(key.bytes, mapped ? &v6->s6_addr[12] : &v6->s6_addr[0], mapped ? 4 : 8);
    }
    return key;
}

static struct address_count *find(const struct address_counts *counts,
                                  const struct address_key *key)
{
    struct address_count *found = NULL;
    HASH_FIND(hh, counts->table, key, sizeof *key, found);
    return found;
}

bool address_counts_take(struct address_counts *counts, const struct sockaddr_storage *address,
                         int64_t max)
{
    struct address_key key = key_of(address);
    if (key.family == 0)
        return true;
    struct address_count *entry = find(counts, &key);
    if ((entry ? entry->connections : 0) >= max)
        return false;
    if (!entry) {
        entry = memory_zero(1, sizeof *entry);
        entry->key = key;
        HASH_ADD(hh, counts->table, key, sizeof entry->key, entry);
    }
    entry->connections++;
    return true;
}

void address_counts_give(struct address_counts *counts, const struct sockaddr_storage *address)
{
    struct address_key key = key_of(address);
    if (key.family == 0)
        return;
    struct address_count *entry = find(counts, &key);
    assert(entry && entry->connections > 0);
    if (--entry->connections > 0)
        return;
    HASH_DEL(counts->table, entry);
    free(entry);
}
