#include "outbound/window.h"

#include <assert.h>

static int64_t smaller(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

void window_init(struct window *window, int64_t max)
{
    assert(max >= 1);
    *window = (struct window){.max = max, .size = smaller(WINDOW_START, max)};
}

/* At least one place is the others', or a small window would keep them out for good. */
bool window_has_place(const struct window *window, bool urgent, int64_t flying_urgent,
                      int64_t flying_others)
{
    bool any_free = flying_urgent + flying_others < window->size;
    if (urgent)
        return any_free || flying_urgent < WINDOW_KEPT;
    int64_t for_others = window->size - WINDOW_KEPT;
    return any_free && flying_others < (for_others > 1 ? for_others : 1);
}

uint64_t window_begin(struct window *window)
{
    return ++window->begun;
}

static void grow(struct window *window)
{
    window->successes = 0;
    window->size = smaller(window->size + 1, window->max);
}

void window_succeeded(struct window *window)
{
    window->successes++;
    if (window->slow_start || window->successes >= window->size)
        grow(window);
    if (window->size >= window->goal)
        window->slow_start = false;
}

bool window_overtaxed(struct window *window, uint64_t number)
{
    assert(number <= window->begun);
    if (number <= window->halved)
        return false;
    window->halved = window->begun;
    window->successes = 0;
    window->slow_start = false;
    if (window->size == 1)
        return false;
    window->size /= 2;
    return true;
}

void window_restart(struct window *window)
{
    int64_t start = smaller(WINDOW_START, window->max);
    if (!window->slow_start)
        window->goal = window->size > start ? window->size : start;
    window->size = 1;
    window->successes = 0;
    window->slow_start = window->goal > 1;
    window->halved = window->begun;
}
