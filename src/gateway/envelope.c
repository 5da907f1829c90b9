#include "gateway/envelope.h"

#include "base/json.h"
#include "base/macros.h"

#include <string.h>

struct envelope envelope_refusal(enum reason reason, const char *message)
{
    return (struct envelope){.reason = reason,
                             .action = reason_info(reason)->action,
                             .message = message,
                             .timeout_s = -1};
}

/* A message may quote what came from outside; text that is no UTF-8 gives way to the reason's own.
 */
static json_t *message_of(const struct envelope *envelope)
{
    json_t *message = envelope->message ? json_string(envelope->message) : NULL;
    const char *standard = reason_info(envelope->reason)->message;
    if (!message && standard)
        message = json_string(standard);
    return message ? message : json_null();
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text)
        (void)json_object_set_new(object, name, json_string(text));
}

enum reason envelope_read_reason(const char *text, size_t size)
{
    _cleanup_(json_release) json_t *object = json_loadb(text, size, 0, NULL);
    const char *code = json_string_value(json_object_get(object, "code"));
    for (int i = REASON_NONE + 1; code && i < REASON_COUNT; i++)
        if (strcmp(reason_info((enum reason)i)->code, code) == 0)
            return (enum reason)i;
    return REASON_NONE;
}

char *envelope_render(const struct envelope *envelope, size_t *ret_size)
{
    _cleanup_(json_release) json_t *object = json_object();
    (void)json_object_set_new(object, "success", json_boolean(envelope->success));
    (void)json_object_set_new(object, "message", message_of(envelope));
    set_text(object, "code", reason_info(envelope->reason)->code);
    set_text(object, "action", reason_action_name(envelope->action));
    if (envelope->timeout_s >= 0)
        (void)json_object_set_new(object, "timeout", json_integer(envelope->timeout_s));
    set_text(object, "txn_ref", envelope->txn_ref);
    if (envelope->key)
        (void)json_object_set(object, envelope->key, envelope->value);
    if (envelope->fields)
        (void)json_object_update(object, envelope->fields);
    char *text = json_dumps(object, JSON_COMPACT);
    assert(text); /* every text in it was checked when it was put there */
    *ret_size = strlen(text);
    return text;
}
