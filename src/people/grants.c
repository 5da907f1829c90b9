#include "people/grants.h"

#include "base/macros.h"
#include "base/memory.h"
#include "txn/record.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Hashed and compared as bytes, so every byte of it is set, padding too. */
struct grant_key {
    int64_t integrator_id;
    char vm_id[VM_ID_SIZE];
};

struct grant {
    struct grant_key key;
    UT_hash_handle hh;
};

struct grants {
    struct grant *set;
};

struct grants *grants_new(void)
{
    return memory_zero(1, sizeof(struct grants));
}

static void make_key(struct grant_key *key, int64_t integrator_id, const char *vm_id)
{
    memset(key, 0, sizeof(*key));
    key->integrator_id = integrator_id;
    memcpy(key->vm_id, vm_id, strlen(vm_id));
}

bool grants_has(const struct grants *grants, int64_t integrator_id, const char *vm_id)
{
    if (strlen(vm_id) >= VM_ID_SIZE)
        return false; /* no machine can have it */
    struct grant_key key;
    make_key(&key, integrator_id, vm_id);
    struct grant *grant;
    HASH_FIND(hh, grants->set, &key, sizeof(key), grant);
    return grant != NULL;
}

void grants_add(struct grants *grants, int64_t integrator_id, const char *vm_id)
{
    if (strlen(vm_id) >= VM_ID_SIZE || grants_has(grants, integrator_id, vm_id))
        return;
    struct grant *grant = memory_zero(1, sizeof(*grant));
    make_key(&grant->key, integrator_id, vm_id);
    HASH_ADD(hh, grants->set, key, sizeof(grant->key), grant);
}

size_t grants_count(const struct grants *grants)
{
    return HASH_COUNT(grants->set);
}

void grants_free(struct grants **grants)
{
    struct grants *old = TAKE(*grants);
    if (!old)
        return;
    struct grant *grant, *next;
    HASH_ITER (hh, old->set, grant, next) {
        HASH_DEL(old->set, grant);
        free(grant);
    }
    free(old);
}
