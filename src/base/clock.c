#include "base/clock.h"

#include "base/macros.h"

#include <time.h>

enum { NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * 1000 * 1000, MS_PER_S = 1000 };

static const struct clock_source *replacement; /* NULL: the system's clock */

static int64_t system_ns(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);
    assert(result == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return replacement ? replacement->monotonic_ns(replacement->arg) : system_ns(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

int64_t clock_unix_ms(void)
{
    return replacement ? replacement->unix_ms(replacement->arg)
                       : system_ns(CLOCK_REALTIME) / NS_PER_MS;
}

int64_t clock_unix_s(void)
{
    return clock_unix_ms() / MS_PER_S;
}

void clock_replace(const struct clock_source *source)
{
    replacement = source;
}
