#include "store/backoff.h"

#include "base/clock.h"
#include "base/random.h"

#define WAIT_MIN_MS 50
#define WAIT_MAX_MS 250 /* whoever waits for the server's return hardly waits for us as well */
#define STABLE_MS 5000

void backoff_up(struct backoff *backoff)
{
    backoff->up_ms = clock_monotonic_ms();
}

int64_t backoff_down(struct backoff *backoff)
{
    if (backoff->up_ms && clock_monotonic_ms() - backoff->up_ms > STABLE_MS)
        backoff->failures = 0;
    backoff->up_ms = 0;
    int64_t wait = WAIT_MIN_MS;
    for (int n = 0; n < backoff->failures && wait < WAIT_MAX_MS; n++)
        wait *= 2;
    if (wait > WAIT_MAX_MS)
        wait = WAIT_MAX_MS;
    backoff->failures++;
    return wait / 2 + (int64_t)random_below((uint64_t)wait / 2 + 1);
}
