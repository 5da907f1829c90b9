/* message_event.c - reading events: one table of fields for each kind.
 *
 * Reading is strict where money or order hang on a field, and lenient about the rest, which is
 * journalled as received. */
#include "base/utf8.h"
#include "machine_link/message_json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* JSON numbers beyond are not exact in every device's library. */
#define NUMBER_MAX INT64_C(9007199254740991)
#define MDB_CODE_MAX 65535
#define TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */
#define LIST_MAX 500
#define HEX_DIGITS "0123456789abcdefABCDEF"

/* What is read: the event itself, and what only has to be sound because others take it from the
 * document. */
struct event_fields {
    struct machine_event event;
    char level[9], message[513], paid_with[17];
    int64_t number;
    json_t *list;
};

#define NOBODY SIZE_MAX
#define AT(member) offsetof(struct event_fields, member)
#define INTEGER(name_, required_, min_, max_, member_)                              \
    {                                                                               \
        name_, JSON_FIELD_INTEGER, required_, min_, max_, AT(member_), NOBODY, NULL \
    }
#define TEXT(name_, required_, min_, member_, allowed_)                                           \
    {                                                                                             \
        name_, JSON_FIELD_TEXT, required_, min_, sizeof(((struct event_fields *)0)->member_) - 1, \
            AT(member_), NOBODY, allowed_                                                         \
    }
#define LIST(name_, required_)                                                 \
    {                                                                          \
        name_, JSON_FIELD_JSON, required_, 0, LIST_MAX, AT(list), NOBODY, NULL \
    }

#define SESSION INTEGER("session", true, 0, NUMBER_MAX, event.session)
#define REQUEST INTEGER("request", true, 0, NUMBER_MAX, event.request)
#define ITEM(required_) INTEGER("item", required_, 0, MDB_CODE_MAX, event.item)
#define PRICE(required_) INTEGER("price", required_, 0, NUMBER_MAX, event.price)
#define QUANTITY INTEGER("quantity", false, 0, MDB_CODE_MAX, event.quantity)
#define APPROVAL TEXT("approval", true, 1, event.approval, HEX_DIGITS)

static const struct json_field COMMON[] = {
    INTEGER("event_epoch", true, 0, NUMBER_MAX, event.event_epoch),
    INTEGER("seq", true, 0, NUMBER_MAX, event.seq),
};
static const struct json_field SELECTION[] = {
    SESSION, REQUEST, ITEM(true),
    /* One that nobody can pay closes the transaction, so it must be understood. */
    INTEGER("price", true, -NUMBER_MAX, NUMBER_MAX, event.price)};
static const struct json_field WITHDRAWN[] = {SESSION, REQUEST};
static const struct json_field SESSION_ENDED[] = {SESSION};
static const struct json_field DISPENSED[] = {APPROVAL, ITEM(false), QUANTITY};
static const struct json_field NOT_DISPENSED[] = {APPROVAL};
/* Without on_bus nothing could be concluded, so it is required. */
static const struct json_field INTERRUPTED[] = {
    APPROVAL, {"on_bus", JSON_FIELD_BOOL, true, 0, 0, AT(event.on_bus), NOBODY, NULL}};
static const struct json_field SALE[] = {ITEM(true), PRICE(true), QUANTITY,
                                         TEXT("paid_with", true, 1, paid_with, NULL)};
static const struct json_field REFILL[] = {LIST("items", true)};
static const struct json_field ALERT[] = {TEXT("level", true, 1, level, NULL),
                                          TEXT("message", true, 0, message, NULL),
                                          INTEGER("code", false, 0, NUMBER_MAX, number)};
static const struct json_field BUTTON[] = {INTEGER("button", true, 1, 3, number)};
static const struct json_field PLANOGRAM[] = {LIST("coils", true)};
static const struct json_field KEYPAD[] = {LIST("keypad_items", false)};
static const struct json_field GAP[] = {INTEGER("from", true, 0, NUMBER_MAX, event.gap_from),
                                        INTEGER("to", true, 0, NUMBER_MAX, event.gap_to)};

/* The entries of `items` and `coils`. */
struct entry_fields {
    int64_t number;
    char text[65];
    bool flag;
};
#define ENTRY_INTEGER(name_, required_, max_)                                                 \
    {                                                                                         \
        name_, JSON_FIELD_INTEGER, required_, 0, max_, offsetof(struct entry_fields, number), \
            NOBODY, NULL                                                                      \
    }
#define ENTRY_TEXT(name_)                                                                       \
    {                                                                                           \
        name_, JSON_FIELD_TEXT, false, 0, 64, offsetof(struct entry_fields, text), NOBODY, NULL \
    }
static const struct json_field REFILL_ENTRY[] = {ENTRY_INTEGER("item", true, MDB_CODE_MAX),
                                                 ENTRY_INTEGER("quantity", true, MDB_CODE_MAX)};
static const struct json_field COIL_ENTRY[] = {
    ENTRY_INTEGER("code", true, MDB_CODE_MAX),
    ENTRY_TEXT("formatted_code"),
    ENTRY_TEXT("name"),
    ENTRY_INTEGER("price", false, NUMBER_MAX),
    ENTRY_INTEGER("capacity", false, MDB_CODE_MAX),
    ENTRY_INTEGER("restock_count", false, MDB_CODE_MAX),
    ENTRY_INTEGER("current_stock", false, MDB_CODE_MAX),
    {"placeholder", JSON_FIELD_BOOL, false, 0, 0, offsetof(struct entry_fields, flag), NOBODY,
     NULL},
};

/* What the table of fields cannot say; false with the problem told. */
typedef bool event_finish(struct event_fields *fields, char problem[static JSON_ERROR_SIZE]);
static event_finish finish_selection, finish_session_ended, finish_not_dispensed, finish_refill,
    finish_alert, finish_planogram, finish_gap;

#define FIELDS(table_) (table_), ARRAY_SIZE(table_)
static const struct {
    const struct json_field *fields;
    size_t count;
    event_finish *finish;
    bool may_be_long; /* longer than MESSAGE_BODY_MAX */
} KINDS[MACHINE_EVENT_KIND_COUNT] = {
    [MACHINE_EVENT_SELECTION] = {FIELDS(SELECTION), finish_selection, false},
    [MACHINE_EVENT_WITHDRAWN] = {FIELDS(WITHDRAWN), NULL, false},
    [MACHINE_EVENT_SESSION_ENDED] = {FIELDS(SESSION_ENDED), finish_session_ended, false},
    [MACHINE_EVENT_DISPENSED] = {FIELDS(DISPENSED), NULL, false},
    [MACHINE_EVENT_NOT_DISPENSED] = {FIELDS(NOT_DISPENSED), finish_not_dispensed, false},
    [MACHINE_EVENT_INTERRUPTED] = {FIELDS(INTERRUPTED), NULL, false},
    [MACHINE_EVENT_SALE] = {FIELDS(SALE), NULL, false},
    [MACHINE_EVENT_REFILL] = {FIELDS(REFILL), finish_refill, false},
    [MACHINE_EVENT_ALERT] = {FIELDS(ALERT), finish_alert, false},
    [MACHINE_EVENT_BUTTON] = {FIELDS(BUTTON), NULL, false},
    [MACHINE_EVENT_PLANOGRAM] = {FIELDS(PLANOGRAM), finish_planogram, true},
    [MACHINE_EVENT_KEYPAD] = {FIELDS(KEYPAD), NULL, true},
    [MACHINE_EVENT_GAP] = {FIELDS(GAP), finish_gap, false},
};

/* Words that are unknown to us cost the customer nothing: the label is cut, never refused. */
static bool finish_selection(struct event_fields *fields,
                             char problem[static JSON_ERROR_SIZE] UNUSED)
{
    const char *label = json_string_value(json_object_get(fields->event.json, "label"));
    size_t used = 0;
    size_t left = label ? strlen(label) : 0;
    for (size_t step; left > 0; label += step, left -= step) {
        step = utf8_printable(label, left);
        if (used + step >= LABEL_SIZE)
            break;
        memcpy(fields->event.label + used, label, step);
        used += step;
        step = step ? step : 1;
    }
    fields->event.label[used] = 0;
    return true;
}

static bool finish_session_ended(struct event_fields *fields,
                                 char problem[static JSON_ERROR_SIZE] UNUSED)
{
    static const char *const WORDS[] = {
        [SESSION_END_CUSTOMER] = "customer", [SESSION_END_CASH] = "cash",
        [SESSION_END_VMC] = "vmc",           [SESSION_END_RESET] = "reset",
        [SESSION_END_DOOR] = "door",         [SESSION_END_TIMEOUT] = "timeout",
    };
    const char *reason = json_string_value(json_object_get(fields->event.json, "reason"));
    for (size_t i = 1; reason && i < ARRAY_SIZE(WORDS); i++)
        if (strcmp(reason, WORDS[i]) == 0)
            fields->event.end = (enum session_end)i;
    return true;
}

static bool finish_not_dispensed(struct event_fields *fields,
                                 char problem[static JSON_ERROR_SIZE] UNUSED)
{
    fields->event.code = machine_code_read(fields->event.json);
    return true;
}

static bool finish_alert(struct event_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    static const char *const LEVELS[] = {"Low", "Medium", "High"};
    for (size_t i = 0; i < ARRAY_SIZE(LEVELS); i++)
        if (strcmp(fields->level, LEVELS[i]) == 0)
            return true;
    snprintf(problem, JSON_ERROR_SIZE, "level must be Low, Medium or High");
    return false;
}

static bool finish_gap(struct event_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    if (fields->event.gap_from <= fields->event.gap_to)
        return true;
    snprintf(problem, JSON_ERROR_SIZE, "from must not be above to");
    return false;
}

static bool entries_sound(const json_t *list, const struct json_field *entry, size_t count,
                          char problem[static JSON_ERROR_SIZE])
{
    if (!json_is_array(list)) {
        snprintf(problem, JSON_ERROR_SIZE, "the list must be an array");
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct entry_fields ignored;
        const json_t *value = json_array_get(list, i);
        if (!json_is_object(value)) {
            snprintf(problem, JSON_ERROR_SIZE, "entry %zu of the list must be an object", i);
            return false;
        }
        if (json_fields_read(value, entry, count, &ignored, problem) != JSON_OK)
            return false;
    }
    return true;
}

static bool finish_refill(struct event_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    return entries_sound(fields->list, FIELDS(REFILL_ENTRY), problem);
}

static bool finish_planogram(struct event_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    return entries_sound(fields->list, FIELDS(COIL_ENTRY), problem);
}

static enum machine_event_kind kind_of(const char *name)
{
    for (int kind = MACHINE_EVENT_SELECTION; kind < MACHINE_EVENT_OTHER; kind++)
        if (strcmp(name, machine_event_kind_name((enum machine_event_kind)kind)) == 0)
            return (enum machine_event_kind)kind;
    return MACHINE_EVENT_OTHER;
}

/* The approval that a body names which is otherwise not understood, perhaps not even JSON: the
 * machine then stays reserved. Only a whole id as we give them counts. */
static void find_approval(const char *raw, size_t size, char ret_approval[static APPROVAL_SIZE])
{
    static const char KEY[] = "\"approval\"";
    const char *end = raw + size;
    const char *at = memmem(raw, size, KEY, strlen(KEY));
    if (!at)
        return;
    at += strlen(KEY);
    while (at < end && strchr(" \t\r\n:\"", *at) && *at)
        at++;
    size_t digits = 0;
    while (at + digits < end && isxdigit((unsigned char)at[digits]))
        digits++;
    if (digits != APPROVAL_SIZE - 1)
        return;
    memcpy(ret_approval, at, digits);
    ret_approval[digits] = 0;
}

static bool fields_read(struct event_fields *fields, const struct json_field *table, size_t count,
                        char problem[static JSON_ERROR_SIZE])
{
    return json_fields_read(fields->event.json, table, count, fields, problem) == JSON_OK;
}

static bool kind_read(struct event_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    enum machine_event_kind kind = kind_of(fields->event.name);
    if (fields->event.raw_size > MESSAGE_BODY_MAX && !KINDS[kind].may_be_long) {
        snprintf(problem, JSON_ERROR_SIZE, "longer than %d bytes", MESSAGE_BODY_MAX);
        return false;
    }
    if (!fields_read(fields, KINDS[kind].fields, KINDS[kind].count, problem))
        return false;
    if (KINDS[kind].finish && !KINDS[kind].finish(fields, problem))
        return false;
    fields->event.kind = kind;
    return true;
}

/* A device's clock never decides whether its evidence counts. */
static void time_read(struct machine_event *event)
{
    const json_t *time = json_object_get(event->json, "time");
    int64_t told = json_is_integer(time) ? json_integer_value(time) : 0;
    event->time_s = told > 0 && told <= TIME_MAX ? told : 0;
}

static bool event_read(struct event_fields *fields, char problem[static JSON_ERROR_SIZE])
{
    const char *name = json_string_value(json_object_get(fields->event.json, "event"));
    if (name)
        fields->event.name = name;
    fields->event.numbered = fields_read(fields, FIELDS(COMMON), problem);
    if (!fields->event.numbered)
        return false;
    time_read(&fields->event);
    if (!name || !*name) {
        snprintf(problem, JSON_ERROR_SIZE, "event must be a string");
        return false;
    }
    return kind_read(fields, problem);
}

void machine_event_read(const char *bytes, size_t size, struct event_reading *ret_reading)
{
    struct event_fields fields = {.event = {.name = "",
                                            .raw = bytes,
                                            .raw_size = size,
                                            .session = -1,
                                            .request = -1,
                                            .item = -1,
                                            .price = -1,
                                            .quantity = 1,
                                            .code = -1,
                                            .gap_from = -1,
                                            .gap_to = -1}};
    ret_reading->document = json_read_object(bytes, size, ret_reading->problem);
    fields.event.json = ret_reading->document;
    if (!fields.event.json || !event_read(&fields, ret_reading->problem)) {
        fields.event.kind = MACHINE_EVENT_UNREADABLE;
        fields.event.problem = ret_reading->problem;
        if (!fields.event.approval[0])
            find_approval(bytes, size, fields.event.approval);
    }
    ret_reading->event = fields.event;
}

void machine_event_done(struct event_reading *reading)
{
    json_release(&reading->document);
}
