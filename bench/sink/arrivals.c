#include "bench/sink/arrivals.h"

#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_SIZE = 128, FIRST_CAPACITY = 4096 };

struct arrival {
    struct event event;
    int64_t arrived_ns;
    bool answered;
};

struct arrivals {
    struct arrival *list;
    size_t count, capacity;
};

struct arrivals *arrivals_new(void)
{
    return memory_zero(1, sizeof(struct arrivals));
}

void arrivals_free(struct arrivals **arrivals)
{
    struct arrivals *old = TAKE(*arrivals);
    free(old->list);
    free(old);
}

void arrivals_add(struct arrivals *arrivals, const struct event *event, int64_t arrived_ns,
                  bool answered)
{
    if (arrivals->count == arrivals->capacity) {
        arrivals->capacity = arrivals->capacity ? arrivals->capacity * 2 : FIRST_CAPACITY;
        arrivals->list = memory_grow(arrivals->list, arrivals->capacity, sizeof(*arrivals->list));
    }
    arrivals->list[arrivals->count++] =
        (struct arrival){.event = *event, .arrived_ns = arrived_ns, .answered = answered};
}

size_t arrivals_count(const struct arrivals *arrivals)
{
    return arrivals->count;
}

int arrivals_write(const struct arrivals *arrivals, const char *path)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    for (size_t i = 0; i < arrivals->count; i++) {
        const struct arrival *arrival = &arrivals->list[i];
        char line[LINE_SIZE];
        event_write(&arrival->event, line, sizeof(line));
        (void)fprintf(file, "%s %" PRId64 " %d\n", line, arrival->arrived_ns, arrival->answered);
    }
    bool failed = ferror(file) != 0;
    return fclose(file) != 0 || failed ? -EIO : 0;
}
