#include "people/grants.h"

#include "base/macros.h"
#include "base/memory.h"
#include "txn/record.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Hashed and compared as bytes: the struct has no padding inside its used part. */
struct grant_key {
    int64_t integrator_id;
    char vm_id[VM_ID_SIZE];
};

struct grant {
    UT_hash_handle hh;
    struct grant_key key;
};

struct grants {
    struct grant *set;
};

struct grants *grants_new(void)
{
    return memory_zero(1, sizeof(struct grants));
}

/* The bytes that count; 0: a vm_id that no machine can have. */
static size_t make_key(struct grant_key *key, int64_t integrator_id, const char *vm_id)
{
    size_t size = strlen(vm_id);
    if (size >= sizeof(key->vm_id))
        return 0;
    key->integrator_id = integrator_id;
    memcpy(key->vm_id, vm_id, size + 1);
    return offsetof(struct grant_key, vm_id) + size;
}

bool grants_has(const struct grants *grants, int64_t integrator_id, const char *vm_id)
{
    struct grant_key key;
    size_t size = make_key(&key, integrator_id, vm_id);
    if (size == 0)
        return false;
    struct grant *grant;
    HASH_FIND(hh, grants->set, &key, size, grant);
    return grant != NULL;
}

void grants_add(struct grants *grants, int64_t integrator_id, const char *vm_id)
{
    if (grants_has(grants, integrator_id, vm_id))
        return;
    struct grant *grant = memory_zero(1, sizeof(*grant));
    size_t size = make_key(&grant->key, integrator_id, vm_id);
    if (size == 0) {
        free(grant);
        return;
    }
    HASH_ADD_KEYPTR(hh, grants->set, &grant->key, size, grant);
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
