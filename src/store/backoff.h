/* backoff.h - how long a lost connection waits before the next attempt. Internal to store/. */
#ifndef VENDGATE_STORE_BACKOFF_H
#define VENDGATE_STORE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int failures;  /* in a row */
    int64_t up_ms; /* monotonic: since when it is up; 0: it is not */
};

void backoff_up(struct backoff *backoff);
/* It was lost, or could not be made: 25 to 250 ms, longer with each failure in a row. One that
 * stood for five seconds begins anew. */
int64_t backoff_down(struct backoff *backoff);

#endif
