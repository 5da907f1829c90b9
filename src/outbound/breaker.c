#include "outbound/breaker.h"

#include "base/random.h"

#include <assert.h>
#include <string.h>

enum { SPACE_MIN_MS = 500, SPACE_MAX_MS = 12000, OUTAGE_PER_SPACE = 4 };

bool breaker_suspects(const struct breaker *breaker)
{
    return breaker->open || breaker->bad > 0;
}

/* A fixed part of the outage so far, and a quarter of that more or less. */
static int64_t space_ms(const struct breaker *breaker, int64_t now_ms)
{
    int64_t space = (now_ms - breaker->since_ms) / OUTAGE_PER_SPACE;
    if (space < SPACE_MIN_MS)
        space = SPACE_MIN_MS;
    if (space > SPACE_MAX_MS)
        space = SPACE_MAX_MS;
    return space - space / 4 + (int64_t)random_below((uint64_t)space / 2 + 1);
}

enum probe breaker_probe(const struct breaker *breaker, bool urgent, int64_t now_ms)
{
    assert(breaker->open);
    if (!breaker->under_way[PROBE_SPACED] && now_ms >= breaker->due_ms[PROBE_SPACED])
        return PROBE_SPACED;
    if (urgent && !breaker->under_way[PROBE_URGENT] && now_ms >= breaker->due_ms[PROBE_URGENT])
        return PROBE_URGENT;
    return PROBE_NONE;
}

void breaker_probe_begun(struct breaker *breaker, enum probe probe)
{
    assert(probe == PROBE_NONE || !breaker->under_way[probe]);
    breaker->under_way[probe] = probe != PROBE_NONE;
}

void breaker_probe_over(struct breaker *breaker, enum probe probe)
{
    breaker->under_way[probe] = false;
}

void breaker_reset(struct breaker *breaker)
{
    struct breaker fresh = {0};
    memcpy(fresh.under_way, breaker->under_way, sizeof(fresh.under_way));
    *breaker = fresh;
}

static void note(struct breaker *breaker, bool bad, int64_t now_ms)
{
    breaker->last[breaker->noted++ % BREAKER_LAST] =
        (struct breaker_note){.at_ms = now_ms, .bad = bad};
}

static int bad_lately(const struct breaker *breaker, int64_t now_ms)
{
    int count = 0;
    for (unsigned i = 0; i < BREAKER_LAST && i < breaker->noted; i++) {
        const struct breaker_note *note = &breaker->last[i];
        count += note->bad && now_ms - note->at_ms <= BREAKER_LAST_MS;
    }
    return count;
}

static enum breaker_change failed(struct breaker *breaker, enum health health, enum probe probe,
                                  int64_t now_ms)
{
    if (breaker->bad++ == 0)
        breaker->since_ms = now_ms;
    breaker->unreachable = health == HEALTH_UNREACHABLE ? breaker->unreachable + 1 : 0;
    if (breaker->open) {
        /* A late end of what was begun before the opening puts no probe off. */
        if (probe != PROBE_NONE)
            breaker->due_ms[probe] = now_ms + (probe == PROBE_URGENT ? BREAKER_URGENT_GAP_MS
                                                                     : space_ms(breaker, now_ms));
        return BREAKER_AS_BEFORE;
    }
    breaker->due_ms[PROBE_SPACED] = now_ms + space_ms(breaker, now_ms);
    if (breaker->unreachable < BREAKER_IN_ROW && bad_lately(breaker, now_ms) < BREAKER_LAST_BAD)
        return BREAKER_AS_BEFORE;
    breaker->open = true;
    breaker->opened_ms = breaker->due_ms[PROBE_URGENT] = now_ms;
    return BREAKER_OPENED;
}

static enum breaker_change answered(struct breaker *breaker)
{
    breaker->bad = breaker->unreachable = 0;
    if (!breaker->open)
        return BREAKER_AS_BEFORE;
    breaker_reset(breaker);
    return BREAKER_CLOSED;
}

enum breaker_change breaker_told(struct breaker *breaker, enum health health, enum probe probe,
                                 int64_t now_ms)
{
    if (health == HEALTH_UNKNOWN)
        return BREAKER_AS_BEFORE;
    note(breaker, health != HEALTH_WELL, now_ms);
    if (health == HEALTH_WELL)
        return answered(breaker);
    return failed(breaker, health, probe, now_ms);
}
