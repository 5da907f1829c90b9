/* message_reply.c - reading replies to commands.
 *
 * Strict: a reply that is not understood is no reply, so that a damaged one is never taken for a
 * verdict on money. */
#include "machine_link/message_json.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_MAX INT64_C(9007199254740991)
#define HEX_DIGITS "0123456789abcdefABCDEF"
#define JOURNAL_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

struct reply_fields {
    struct machine_reply reply;
    char result[9], state[17], last_state[17];
    json_t *last;
};

#define AT(member) offsetof(struct reply_fields, member)
#define INTEGER(name_, max_, member_)                                          \
    {                                                                          \
        name_, JSON_FIELD_INTEGER, false, 0, max_, AT(member_), SIZE_MAX, NULL \
    }
#define BOOL(name_, member_)                                             \
    {                                                                    \
        name_, JSON_FIELD_BOOL, false, 0, 0, AT(member_), SIZE_MAX, NULL \
    }
#define TEXT(name_, required_, min_, member_, allowed_)                                           \
    {                                                                                             \
        name_, JSON_FIELD_TEXT, required_, min_, sizeof(((struct reply_fields *)0)->member_) - 1, \
            AT(member_), SIZE_MAX, allowed_                                                       \
    }

static const struct json_field REPLY[] = {
    TEXT("id", true, 1, reply.command_id, HEX_DIGITS),
    TEXT("result", true, 1, result, NULL),
    TEXT("reason", false, 0, reply.reason, NULL),
    TEXT("state", false, 0, state, NULL),
    BOOL("on_bus", reply.on_bus),
    TEXT("journal", false, 0, reply.journal, JOURNAL_CHARACTERS),
    INTEGER("session", NUMBER_MAX, reply.session),
    INTEGER("request", NUMBER_MAX, reply.request),
    {"last", JSON_FIELD_JSON, false, 0, 64, AT(last), AT(reply.last), NULL},
};

static const struct json_field LAST[] = {
    TEXT("approval", true, 1, reply.last_approval, HEX_DIGITS),
    INTEGER("n", NUMBER_MAX, reply.last_n),
    TEXT("state", true, 1, last_state, NULL),
    BOOL("on_bus", reply.last_on_bus),
};

/* clang-format off */
static const char *const STATES[] = {
    [APPROVAL_TAKEN] = "taken",
    [APPROVAL_DISPENSED] = "dispensed",
    [APPROVAL_NOT_DISPENSED] = "not_dispensed",
    [APPROVAL_INTERRUPTED] = "interrupted",
    [APPROVAL_VOID] = "void",
    [APPROVAL_NEVER_SEEN] = "never_seen",
    [APPROVAL_FORGOTTEN] = "forgotten",
};
static const char *const LOCK_REFUSALS[] = {
    [LOCK_REFUSAL_CASH_IN_USE] = "cash_in_use",
    [LOCK_REFUSAL_OUT_OF_SERVICE] = "out_of_service",
    [LOCK_REFUSAL_DOOR_OPEN] = "door_open",
    [LOCK_REFUSAL_READER_NOT_READY] = "reader_not_ready",
    [LOCK_REFUSAL_UPDATING] = "updating",
};
/* clang-format on */

/* Index of `word` among words[1 .. count - 1]; 0: not among them. */
static size_t word_of(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return 0;
}

static bool state_read(const char *word, enum approval_state *ret_state,
                       char problem[static JSON_ERROR_SIZE])
{
    *ret_state = (enum approval_state)word_of(STATES, ARRAY_SIZE(STATES), word);
    if (*ret_state != APPROVAL_UNSAID || !*word)
        return true;
    snprintf(problem, JSON_ERROR_SIZE, "state is none that the protocol knows");
    return false;
}

static bool result_read(struct reply_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    fields->reply.ok = strcmp(fields->result, "ok") == 0;
    if (fields->reply.ok || strcmp(fields->result, "refused") == 0)
        return true;
    snprintf(problem, JSON_ERROR_SIZE, "result must be ok or refused");
    return false;
}

static bool last_read(struct reply_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    if (!fields->reply.last)
        return true;
    if (!json_is_object(fields->last)) {
        snprintf(problem, JSON_ERROR_SIZE, "last must be an object");
        return false;
    }
    /* Without an approval the journal is empty. */
    if (json_object_size(fields->last) == 0) {
        fields->reply.last = false;
        return true;
    }
    if (json_fields_read(fields->last, LAST, ARRAY_SIZE(LAST), fields, problem) != JSON_OK)
        return false;
    fields->reply.last_code = machine_code_read(fields->last);
    return state_read(fields->last_state, &fields->reply.last_state, problem);
}

static bool reply_read(const json_t *document, struct reply_fields *fields,
                       char problem[static JSON_ERROR_SIZE])
{
    if (json_fields_read(document, REPLY, ARRAY_SIZE(REPLY), fields, problem) != JSON_OK)
        return false;
    fields->reply.lock_refusal =
        (enum lock_refusal)word_of(LOCK_REFUSALS, ARRAY_SIZE(LOCK_REFUSALS), fields->reply.reason);
    fields->reply.code = machine_code_read(document);
    return result_read(fields, problem) &&
           state_read(fields->state, &fields->reply.state, problem) && last_read(fields, problem);
}

bool machine_reply_read(const char *bytes, size_t size, struct reply_reading *ret_reading)
{
    struct reply_fields fields = {.reply = {.code = -1,
                                            .session = -1,
                                            .request = -1,
                                            .last_n = -1,
                                            .last_code = -1,
                                            .raw = bytes,
                                            .raw_size = size}};
    if (size > MESSAGE_BODY_MAX) {
        snprintf(ret_reading->problem, JSON_ERROR_SIZE, "longer than %d bytes", MESSAGE_BODY_MAX);
        return false;
    }
    _cleanup_(json_release) json_t *document = json_read_object(bytes, size, ret_reading->problem);
    if (!document || !reply_read(document, &fields, ret_reading->problem))
        return false;
    ret_reading->reply = fields.reply;
    return true;
}

void machine_reply_bind(struct machine_reply *reply, const struct machine_command *command)
{
    reply->op = command->op;
    reply->txn_id = command->txn_id;
    reply->n = command->n;
    memcpy(reply->approval, command->approval, sizeof reply->approval);
}
