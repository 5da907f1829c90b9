#include "vendsim/order.h"

#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} PACE_FIELDS[] = {
    {"select_after_ms", offsetof(struct pace, select_after_ms)},
    {"vend_ms", offsetof(struct pace, vend_ms)},
    {"away_ms", offsetof(struct pace, away_ms)},
    {"item", offsetof(struct pace, item)},
    {"price", offsetof(struct pace, price)},
};

static const char *read_pace(const json_t *document, struct pace *pace)
{
    for (size_t i = 0; i < ARRAY_SIZE(PACE_FIELDS); i++) {
        const json_t *value = json_object_get(document, PACE_FIELDS[i].name);
        if (!value)
            continue;
        if (!json_is_integer(value))
            return "select_after_ms, vend_ms, away_ms, item and price are integers";
        *(int64_t *)((char *)pace + PACE_FIELDS[i].offset) = json_integer_value(value);
    }
    return NULL;
}

static const char *read_behaviour(const json_t *document, const struct pace *standard,
                                  struct machine_order *order)
{
    const json_t *name = json_object_get(document, "behaviour");
    const json_t *times = json_object_get(document, "times");
    order->pace = *standard;
    if (!name)
        return NULL;
    if (!json_is_string(name) || !behaviour_parse(json_string_value(name), &order->behaviour))
        return "unknown behaviour";
    if (times && (!json_is_integer(times) || json_integer_value(times) < 0))
        return "times is an integer from 0";
    order->times = json_integer_value(times);
    order->behaves = true;
    return read_pace(document, &order->pace);
}

static const char *read_parts(const json_t *document, const struct pace *standard,
                              struct order *order)
{
    const char *act = json_string_value(json_object_get(document, "act"));
    const json_t *event = json_object_get(document, "event");
    order->vm_id = json_string_value(json_object_get(document, "vm_id"));
    if (!order->vm_id)
        return "vm_id is missing";
    if (act && (order->machine.act = misfortune_parse(act)) == MISFORTUNE_NONE)
        return "unknown act";
    if (event && !json_is_string(json_object_get(event, "event")))
        return "event is an object with its name in `event`";
    order->machine.event = event;
    return read_behaviour(document, standard, &order->machine);
}

const char *order_read(const char *line, size_t size, const struct pace *standard,
                       struct order *ret_order)
{
    struct order order = {.document = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL)};
    if (!json_is_object(order.document)) {
        json_decref(order.document);
        return "no JSON object";
    }
    const char *problem = read_parts(order.document, standard, &order);
    if (problem)
        order_done(&order);
    else
        *ret_order = order;
    return problem;
}

void order_done(struct order *order)
{
    json_decref(order->document);
    *order = (struct order){0};
}
