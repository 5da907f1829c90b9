#include "sample_integrator/regulars.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct regular {
    char *vm_id, *prefix; /* prefix NULL: stays away */
    char *ref;            /* of the purchase under way; NULL: none */
    uint64_t number;
    int64_t due_ms;
    struct regular *next;
};

struct regulars {
    struct shop *shop;
    int64_t pause_ms;
    struct regular *list;
};

struct regulars *regulars_new(struct shop *shop, int64_t pause_ms)
{
    struct regulars *regulars = memory_zero(1, sizeof(*regulars));
    regulars->shop = shop;
    regulars->pause_ms = pause_ms;
    return regulars;
}

static void forget(struct regular *regular)
{
    free(TAKE(regular->prefix));
    free(TAKE(regular->ref));
}

void regulars_free(struct regulars **regulars)
{
    struct regulars *old = TAKE(*regulars);
    while (old && old->list) {
        struct regular *regular = old->list;
        LL_DELETE(old->list, regular);
        forget(regular);
        free(regular->vm_id);
        free(regular);
    }
    free(old);
}

static struct regular *find(const struct regulars *regulars, const char *vm_id)
{
    struct regular *regular;
    LL_FOREACH (regulars->list, regular)
        if (strcmp(regular->vm_id, vm_id) == 0)
            return regular;
    return NULL;
}

static void rest(const struct regulars *regulars, struct regular *regular)
{
    uint64_t pause_ms = (uint64_t)regulars->pause_ms;
    regular->due_ms = clock_monotonic_ms() + (int64_t)(pause_ms / 2 + random_below(pause_ms + 1));
}

void regulars_come(struct regulars *regulars, const char *vm_id, const char *prefix)
{
    struct regular *regular = find(regulars, vm_id);
    if (!regular) {
        regular = memory_zero(1, sizeof(*regular));
        regular->vm_id = memory_text(vm_id);
        LL_APPEND(regulars->list, regular);
    }
    forget(regular);
    regular->prefix = memory_text(prefix);
    regular->number = 0;
    rest(regulars, regular);
}

void regulars_stay_away(struct regulars *regulars)
{
    struct regular *regular;
    LL_FOREACH (regulars->list, regular)
        forget(regular);
}

void regulars_ended(void *arg, const char *vm_id, const char *ref)
{
    struct regulars *regulars = arg;
    struct regular *regular = find(regulars, vm_id);
    if (!regular || !regular->ref || strcmp(regular->ref, ref) != 0)
        return;
    free(TAKE(regular->ref));
    rest(regulars, regular);
}

static void buy(struct regulars *regulars, struct regular *regular)
{
    regular->number++;
    regular->ref = memory_format("%s-%llu", regular->prefix, (unsigned long long)regular->number);
    shop_buy(regulars->shop, regular->vm_id, regular->ref);
}

int regulars_work(struct regulars *regulars)
{
    int64_t now = clock_monotonic_ms();
    int64_t wait_ms = -1;
    struct regular *regular;
    LL_FOREACH (regulars->list, regular) {
        if (!regular->prefix || regular->ref)
            continue;
        int64_t left_ms = regular->due_ms - now;
        if (left_ms <= 0)
            buy(regulars, regular);
        else if (wait_ms < 0 || left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return (int)wait_ms;
}
