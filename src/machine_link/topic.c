#include "machine_link/topic.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "vm/1/"
#define SHARED_PREFIX "$share/"

static const struct {
    const char *name;
    enum topic_leaf leaf;
} LEAVES[] = {
    {"ev", TOPIC_EVENT}, {"re", TOPIC_REPLY}, {"st", TOPIC_STATUS}, {"cmd", TOPIC_COMMAND}};

static bool starts_with(struct mqtt_text text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.bytes, prefix, size) == 0;
}

static struct mqtt_text skip(struct mqtt_text text, size_t size)
{
    return (struct mqtt_text){.bytes = text.bytes + size, .size = text.size - size};
}

enum topic_leaf topic_read(struct mqtt_text topic, const char *vm_id, bool *ret_me)
{
    if (!starts_with(topic, PREFIX))
        return TOPIC_FOREIGN;
    struct mqtt_text rest = skip(topic, strlen(PREFIX));
    const char *slash = memchr(rest.bytes, '/', rest.size);
    if (!slash)
        return TOPIC_FOREIGN;
    struct mqtt_text id = {.bytes = rest.bytes, .size = (size_t)(slash - rest.bytes)};
    *ret_me = mqtt_text_is(id, "me");
    if (!*ret_me && !mqtt_text_is(id, vm_id))
        return TOPIC_FOREIGN;
    struct mqtt_text leaf = skip(rest, id.size + 1);
    for (size_t i = 0; i < ARRAY_SIZE(LEAVES); i++)
        if (mqtt_text_is(leaf, LEAVES[i].name))
            return LEAVES[i].leaf;
    return TOPIC_UNKNOWN;
}

bool topic_has_wildcard(struct mqtt_text topic)
{
    return memchr(topic.bytes, '+', topic.size) || memchr(topic.bytes, '#', topic.size);
}

bool topic_is_shared(struct mqtt_text filter)
{
    return starts_with(filter, SHARED_PREFIX);
}

void topic_command_write(const char *vm_id, char ret_topic[static TOPIC_COMMAND_SIZE])
{
    int size = snprintf(ret_topic, TOPIC_COMMAND_SIZE, PREFIX "%s/cmd", vm_id);
    assert(size > 0 && size < TOPIC_COMMAND_SIZE);
}
