/* clock.h - the only reader of time. Tests and the simulation replace the source. */
#ifndef VENDGATE_BASE_CLOCK_H
#define VENDGATE_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since an arbitrary start; never goes back. */
int64_t clock_monotonic_ns(void);
int64_t clock_monotonic_ms(void);
/* Wall clock, since 1970-01-01 UTC. */
int64_t clock_unix_ms(void);
int64_t clock_unix_s(void);

struct clock_source {
    int64_t (*monotonic_ns)(void *arg);
    int64_t (*unix_ms)(void *arg);
    void *arg;
};

/* Borrowed until replaced again; NULL brings the system's clock back. */
void clock_replace(const struct clock_source *source);

#endif
