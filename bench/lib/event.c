#include "bench/lib/event.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* As many bytes as the fields of a sale take beside those of the measurement. */
#define FILLER                                                                                   \
    "\"txn_ref\":\"3f2a9c1e-77d0-4f0c-9b39-5b1f6a0c2d11\",\"vm_id\":\"demo-00001\",\"success\":" \
    "true,"                                                                                      \
    "\"amount\":150,\"selection\":\"11\",\"name\":\"Sparkling water 0.5 "                        \
    "l\",\"currency\":\"EUR\",\"code\":0"

bool event_read(const char *line, struct event *ret_event)
{
    struct event event;
    int used = 0;
    int count =
        sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 "%n",
               &event.number, &event.intended_ns, &event.phase, &event.endpoint, &event.lane,
               &event.sequence, &used);
    if (count != 6 || line[used] != '\0')
        return false;
    *ret_event = event;
    return true;
}

size_t event_write(const struct event *event, char *ret_line, size_t size)
{
    int written = snprintf(ret_line, size,
                           "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                           event->number, event->intended_ns, event->phase, event->endpoint,
                           event->lane, event->sequence);
    assert(written > 0 && (size_t)written < size);
    return (size_t)written;
}

size_t event_body(const struct event *event, char ret_body[static EVENT_BODY_SIZE])
{
    int written = snprintf(ret_body, EVENT_BODY_SIZE,
                           "{\"event\":[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
                           ",%" PRId64 "]," FILLER "}",
                           event->number, event->intended_ns, event->phase, event->endpoint,
                           event->lane, event->sequence);
    assert(written > 0 && written < EVENT_BODY_SIZE);
    return (size_t)written;
}

bool event_of_body(const char *body, size_t size, struct event *ret_event)
{
    json_t *root = json_loadb(body, size, 0, NULL);
    json_int_t field[6];
    int unpacked = json_unpack(root, "{s:[I,I,I,I,I,I!]}", "event", &field[0], &field[1], &field[2],
                               &field[3], &field[4], &field[5]);
    json_decref(root);
    if (unpacked != 0)
        return false;
    *ret_event = (struct event){.number = field[0],
                                .intended_ns = field[1],
                                .phase = field[2],
                                .endpoint = field[3],
                                .lane = field[4],
                                .sequence = field[5]};
    return true;
}
