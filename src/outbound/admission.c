#include "outbound/admission.h"

#include <assert.h>

static const enum callback_class CLASSES[CALLBACK_KIND_COUNT] = {
    [CALLBACK_REQUEST] = CLASS_URGENT,
    [CALLBACK_VEND] = CLASS_VEND,
    [CALLBACK_UNLOCK] = CLASS_URGENT,
    [CALLBACK_FEED_TRANSACTIONS] = CLASS_BULK,
    [CALLBACK_FEED_REFILLS] = CLASS_BULK,
    [CALLBACK_FEED_ALERTS] = CLASS_BULK,
    [CALLBACK_FEED_BUTTON_ACTIONS] = CLASS_BULK,
};

static const char *const NAMES[] = {
    [CLASS_URGENT] = "urgent", [CLASS_VEND] = "vend", [CLASS_BULK] = "bulk"};
static_assert(ARRAY_SIZE(NAMES) == CLASS_COUNT, "a name for every class");

/* Eighths of the connections. */
static const int64_t EIGHTHS[] = {[CLASS_URGENT] = 8, [CLASS_VEND] = 7, [CLASS_BULK] = 4};
static_assert(ARRAY_SIZE(EIGHTHS) == CLASS_COUNT, "a share for every class");

enum callback_class callback_class_of(const struct outbound_callback *callback)
{
    assert(callback->kind > CALLBACK_KIND_NONE && callback->kind < CALLBACK_KIND_COUNT);
    return callback->replay ? CLASS_BULK : CLASSES[callback->kind];
}

const char *callback_class_name(enum callback_class class)
{
    assert(class < CLASS_COUNT);
    return NAMES[class];
}

void admission_init(struct admission *admission, int64_t connections_max)
{
    assert(connections_max > 0);
    *admission = (struct admission){0};
    for (int i = 0; i < CLASS_COUNT; i++) {
        int64_t share = connections_max * EIGHTHS[i] / EIGHTHS[CLASS_URGENT];
        admission->share[i] = share > 0 ? share : 1;
    }
}

bool admission_open(const struct admission *admission, enum callback_class class)
{
    int64_t flying = 0;
    for (int lower = CLASS_COUNT - 1; lower >= 0; lower--) {
        flying += admission->flying[lower];
        if (lower <= (int)class && flying >= admission->share[lower])
            return false;
    }
    return true;
}

void admission_begin(struct admission *admission, enum callback_class class)
{
    admission->flying[class]++;
}

void admission_end(struct admission *admission, enum callback_class class)
{
    assert(admission->flying[class] > 0);
    admission->flying[class]--;
}

int64_t admission_flying(const struct admission *admission)
{
    int64_t flying = 0;
    for (int i = 0; i < CLASS_COUNT; i++)
        flying += admission->flying[i];
    return flying;
}

bool admission_room(int64_t most, int64_t count, int64_t bulk,
                    const struct outbound_callback *callback)
{
    if (callback_class_of(callback) == CLASS_BULK)
        return bulk < most / 2 && count < most;
    return count < (callback->kind == CALLBACK_REQUEST ? most + most / 4 : most);
}
