/* event_sequence.c - the record is a mark and a short rising list above it; see the header. */
#include "machine_link/event_sequence.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Index of the first number >= seq. */
static size_t place_of(const struct event_sequence *sequence, int64_t seq)
{
    size_t at = 0;
    while (at < sequence->above_count && sequence->above[at] < seq)
        at++;
    return at;
}

static bool stored_above(const struct event_sequence *sequence, int64_t seq)
{
    size_t at = place_of(sequence, seq);
    return at < sequence->above_count && sequence->above[at] == seq;
}

enum sequence_verdict event_sequence_check(const struct event_sequence *sequence,
                                           int64_t event_epoch, int64_t seq)
{
    if (event_epoch > sequence->event_epoch)
        return SEQUENCE_NEW;
    if (event_epoch < sequence->event_epoch)
        return SEQUENCE_OLD_EPOCH;
    if (seq <= sequence->mark || stored_above(sequence, seq))
        return SEQUENCE_REPEAT;
    if (seq > sequence->mark + 1 && sequence->above_count == EVENT_SEQUENCE_ABOVE_MAX)
        return SEQUENCE_AHEAD;
    return SEQUENCE_NEW;
}

/* Raises the mark over everything that follows it without a hole. */
static void absorb(struct event_sequence *sequence)
{
    size_t gone = 0;
    while (gone < sequence->above_count && sequence->above[gone] <= sequence->mark + 1) {
        if (sequence->above[gone] == sequence->mark + 1)
            sequence->mark++;
        gone++;
    }
    sequence->above_count -= gone;
    memmove(sequence->above, sequence->above + gone,
            sequence->above_count * sizeof sequence->above[0]);
}

static void insert(struct event_sequence *sequence, int64_t seq)
{
    assert(sequence->above_count < EVENT_SEQUENCE_ABOVE_MAX);
    size_t at = place_of(sequence, seq);
    memmove(sequence->above + at + 1, sequence->above + at,
            (sequence->above_count - at) * sizeof sequence->above[0]);
    sequence->above[at] = seq;
    sequence->above_count++;
}

void event_sequence_add(struct event_sequence *sequence, int64_t event_epoch, int64_t seq)
{
    assert(event_sequence_check(sequence, event_epoch, seq) == SEQUENCE_NEW);
    if (event_epoch > sequence->event_epoch)
        *sequence = (struct event_sequence){.event_epoch = event_epoch, .mark = -1};
    if (seq == sequence->mark + 1)
        sequence->mark = seq;
    else
        insert(sequence, seq);
    absorb(sequence);
}

void event_sequence_fill(struct event_sequence *sequence, int64_t from, int64_t to)
{
    if (to < from)
        return;
    if (from <= sequence->mark + 1) {
        if (to > sequence->mark)
            sequence->mark = to;
        absorb(sequence);
        return;
    }
    /* A part above another hole: kept one by one as far as there is room; the rest will be asked
     * for again. */
    for (int64_t seq = from; seq <= to && sequence->above_count < EVENT_SEQUENCE_ABOVE_MAX; seq++)
        if (!stored_above(sequence, seq))
            insert(sequence, seq);
}

int event_sequence_hole(const struct event_sequence *sequence, int64_t *ret_from, int64_t *ret_to)
{
    if (sequence->above_count == 0)
        return -ENOENT;
    *ret_from = sequence->mark + 1;
    *ret_to = sequence->above[0] - 1;
    return 0;
}
