/* breaker.h - whether an endpoint is there at all, and when to ask again.
 *
 *   closed --5 attempts in a row unreachable, or 10 of the last 20 within 30 s failed--> open
 *   open   --any answer that is not 502, 503 or 504--> closed
 *
 * While it is open only probes go out. A spaced probe asks with a callback's full patience; the
 * space grows with the outage, so that its end is noticed within a quarter of its own length (at
 * least 0.5 s, at most about 15 s). An urgent callback may ask at once by a short probe, beside it.
 * One of each is under way at a time. Pure: the caller gives the time; the jitter is drawn from
 * base/random.h. */
#ifndef VENDGATE_OUTBOUND_BREAKER_H
#define VENDGATE_OUTBOUND_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_IN_ROW 5
#define BREAKER_LAST 20
#define BREAKER_LAST_BAD (BREAKER_LAST / 2)
#define BREAKER_LAST_MS (30 * 1000)
#define BREAKER_URGENT_GAP_MS 100 /* from a failed urgent probe to the next */

/* What an attempt's end says about the endpoint. */
enum health {
    HEALTH_UNKNOWN = 0, /* nothing: taken back, or only a kept connection was gone */
    HEALTH_WELL,        /* it answers */
    HEALTH_OVERLOADED,  /* 502, 503, 504 */
    HEALTH_UNREACHABLE, /* no answer */
};

enum probe { PROBE_NONE = 0, PROBE_SPACED, PROBE_URGENT, PROBE_COUNT };

enum breaker_change { BREAKER_AS_BEFORE = 0, BREAKER_OPENED, BREAKER_CLOSED };

/* All zero: closed, nothing known. Monotonic milliseconds. */
struct breaker {
    bool open;
    int unreachable;             /* in a row */
    int bad;                     /* in a row, overloaded ones included */
    int64_t since_ms;            /* the first of those; only if there are any */
    int64_t opened_ms;           /* only while open */
    int64_t due_ms[PROBE_COUNT]; /* no such probe before */
    bool under_way[PROBE_COUNT];
    struct breaker_note {
        int64_t at_ms;
        bool bad;
    } last[BREAKER_LAST]; /* a ring */
    unsigned noted;       /* ever, since it was closed */
};

/* It has failed lately or is open: asking again before a callback's own time may be worth it. */
bool breaker_suspects(const struct breaker *breaker);
/* Which probe may go now: PROBE_NONE, none. Only while it is open. */
enum probe breaker_probe(const struct breaker *breaker, bool urgent, int64_t now_ms);
void breaker_probe_begun(struct breaker *breaker, enum probe probe);
/* However it ended; told before breaker_told(). PROBE_NONE: nothing happens. */
void breaker_probe_over(struct breaker *breaker, enum probe probe);
/* How an attempt has ended; `probe`: as which it was begun. */
enum breaker_change breaker_told(struct breaker *breaker, enum health health, enum probe probe,
                                 int64_t now_ms);
/* Everything that is known is void; probes under way still count as such. */
void breaker_reset(struct breaker *breaker);

#endif
