#include "vendsim/ledger.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const char *const STATE_NAMES[] = {
    [LEDGER_UNKNOWN] = "unknown",         [LEDGER_TAKEN] = "taken",
    [LEDGER_DISPENSED] = "dispensed",     [LEDGER_NOT_DISPENSED] = "not_dispensed",
    [LEDGER_INTERRUPTED] = "interrupted", [LEDGER_VOID] = "void",
};
static_assert(ARRAY_SIZE(STATE_NAMES) == LEDGER_STATE_COUNT, "every state has a name");

const char *ledger_state_name(enum ledger_state state)
{
    assert(state < LEDGER_STATE_COUNT);
    return STATE_NAMES[state];
}

static enum ledger_state state_parse(const char *name)
{
    for (size_t i = LEDGER_TAKEN; name && i < LEDGER_STATE_COUNT; i++)
        if (strcmp(STATE_NAMES[i], name) == 0)
            return (enum ledger_state)i;
    return LEDGER_UNKNOWN;
}

void ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){
        .seq = LEDGER_NONE,
        .highest_n = LEDGER_NONE,
        .session = LEDGER_NONE,
        .request = LEDGER_NONE,
    };
}

static void event_drop(struct ledger *ledger, struct ledger_event *event)
{
    DL_DELETE(ledger->events, event);
    ledger->event_count--;
    ledger->acked_count -= event->acked ? 1 : 0;
    json_decref(event->body);
    free(event);
}

static void events_drop_all(struct ledger *ledger)
{
    while (ledger->events)
        event_drop(ledger, ledger->events);
}

void ledger_done(struct ledger *ledger)
{
    events_drop_all(ledger);
    ledger_init(ledger);
}

static int compare_numbers(int64_t epoch_a, int64_t seq_a, int64_t epoch_b, int64_t seq_b)
{
    if (epoch_a != epoch_b)
        return epoch_a < epoch_b ? -1 : 1;
    return (seq_a > seq_b) - (seq_a < seq_b);
}

/* Sets *ret_value when the field is there; false: it is there and no integer. */
static bool read_integer(const json_t *object, const char *name, int64_t *ret_value)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return true;
    if (json_is_null(value)) {
        *ret_value = LEDGER_NONE;
        return true;
    }
    if (!json_is_integer(value))
        return false;
    *ret_value = json_integer_value(value);
    return true;
}

static bool read_pair(const json_t *value, int64_t *ret_epoch, int64_t *ret_seq)
{
    const json_t *epoch = json_array_get(value, 0);
    const json_t *seq = json_array_get(value, 1);
    if (!json_is_integer(epoch) || !json_is_integer(seq))
        return false;
    *ret_epoch = json_integer_value(epoch);
    *ret_seq = json_integer_value(seq);
    return true;
}

static void note_acknowledged(struct ledger *ledger, const struct ledger_event *event)
{
    const char *name = json_string_value(json_object_get(event->body, "event"));
    if (name && strcmp(name, "planogram") == 0)
        ledger->planogram_known = true;
}

static int apply_event(struct ledger *ledger, json_t *body)
{
    int64_t epoch = LEDGER_NONE;
    int64_t seq = LEDGER_NONE;
    if (!read_integer(body, "event_epoch", &epoch) || !read_integer(body, "seq", &seq) ||
        compare_numbers(epoch, seq, ledger->epoch, ledger->seq) <= 0)
        return -EINVAL;
    struct ledger_event *event = memory_zero(1, sizeof(*event));
    event->epoch = ledger->epoch = epoch;
    event->seq = ledger->seq = seq;
    event->body = json_incref(body);
    DL_APPEND(ledger->events, event);
    ledger->event_count++;
    return 0;
}

/* Replaces what is kept: a new epoch, or a snapshot. */
static int apply_events(struct ledger *ledger, const json_t *bodies)
{
    size_t i;
    json_t *body;
    events_drop_all(ledger);
    json_array_foreach(bodies, i, body)
    {
        int result = apply_event(ledger, body);
        if (result < 0)
            return result;
    }
    return 0;
}

static int apply_acked(struct ledger *ledger, const json_t *pair)
{
    int64_t epoch;
    int64_t seq;
    struct ledger_event *event;
    if (!read_pair(pair, &epoch, &seq))
        return -EINVAL;
    DL_FOREACH (ledger->events, event)
        if (event->epoch == epoch && event->seq == seq && !event->acked) {
            event->acked = true;
            ledger->acked_count++;
            note_acknowledged(ledger, event);
        }
    while (ledger->acked_count > LEDGER_ACKED_MAX && ledger->events->acked)
        event_drop(ledger, ledger->events);
    return 0;
}

static int apply_drop_to(struct ledger *ledger, const json_t *pair)
{
    int64_t epoch;
    int64_t seq;
    if (!read_pair(pair, &epoch, &seq))
        return -EINVAL;
    ledger->welcomed = true;
    while (ledger->events &&
           compare_numbers(ledger->events->epoch, ledger->events->seq, epoch, seq) <= 0) {
        note_acknowledged(ledger, ledger->events);
        event_drop(ledger, ledger->events);
    }
    return 0;
}

static struct ledger_approval *find(struct ledger *ledger, const char *id)
{
    for (size_t i = 0; i < ledger->approval_count; i++)
        if (strcmp(ledger->approvals[i].id, id) == 0)
            return &ledger->approvals[i];
    return NULL;
}

/* The oldest makes room, except one that still waits for its result. */
static void approvals_make_room(struct ledger *ledger)
{
    if (ledger->approval_count < LEDGER_APPROVALS_MAX)
        return;
    size_t victim = ledger->approvals[0].state == LEDGER_TAKEN ? 1 : 0;
    memmove(&ledger->approvals[victim], &ledger->approvals[victim + 1],
            (LEDGER_APPROVALS_MAX - victim - 1) * sizeof(ledger->approvals[0]));
    ledger->approval_count--;
}

static struct ledger_approval *approval_add(struct ledger *ledger, const char *id)
{
    approvals_make_room(ledger);
    struct ledger_approval *approval = &ledger->approvals[ledger->approval_count++];
    *approval = (struct ledger_approval){
        .n = LEDGER_NONE,
        .session = LEDGER_NONE,
        .request = LEDGER_NONE,
        .code = LEDGER_NONE,
    };
    snprintf(approval->id, sizeof(approval->id), "%s", id);
    return approval;
}

static bool approval_read_figures(struct ledger_approval *approval, const json_t *line)
{
    return read_integer(line, "n", &approval->n) &&
           read_integer(line, "session", &approval->session) &&
           read_integer(line, "request", &approval->request) &&
           read_integer(line, "item", &approval->item) &&
           read_integer(line, "price", &approval->price) &&
           read_integer(line, "amount", &approval->amount) &&
           read_integer(line, "code", &approval->code);
}

static int apply_approval(struct ledger *ledger, const char *id, const json_t *line)
{
    const json_t *step = json_object_get(line, "result");
    if (!step)
        step = json_object_get(line, "verdict");
    if (!id || strlen(id) >= LEDGER_APPROVAL_SIZE)
        return -EINVAL;
    struct ledger_approval *approval = find(ledger, id);
    if (!approval)
        approval = approval_add(ledger, id);
    if (!approval_read_figures(approval, line))
        return -EINVAL;
    if (step) {
        approval->state = state_parse(json_string_value(step));
        if (approval->state == LEDGER_UNKNOWN)
            return -EINVAL;
    }
    if (json_is_true(json_object_get(line, "on_bus")))
        approval->on_bus = true;
    const char *reason = json_string_value(json_object_get(line, "reason"));
    if (reason)
        snprintf(approval->reason, sizeof(approval->reason), "%.*s", LEDGER_REASON_SIZE - 1,
                 reason);
    if (approval->n > ledger->highest_n)
        ledger->highest_n = approval->n;
    return 0;
}

static void ended_add(struct ledger *ledger, int64_t session)
{
    if (ledger_session_ended(ledger, session))
        return;
    if (ledger->ended_count == LEDGER_ENDED_MAX) {
        memmove(ledger->ended, ledger->ended + 1,
                (LEDGER_ENDED_MAX - 1) * sizeof(ledger->ended[0]));
        ledger->ended_count--;
    }
    ledger->ended[ledger->ended_count++] = session;
}

static int apply_ended(struct ledger *ledger, const json_t *sessions)
{
    size_t i;
    json_t *session;
    json_array_foreach(sessions, i, session)
    {
        if (!json_is_integer(session))
            return -EINVAL;
        ended_add(ledger, json_integer_value(session));
        if (ledger->session == json_integer_value(session))
            ledger->session = ledger->request = LEDGER_NONE;
    }
    return 0;
}

static int apply_journal(struct ledger *ledger, const char *id, const json_t *line)
{
    if (!id || strlen(id) >= LEDGER_JOURNAL_SIZE)
        return -EINVAL;
    snprintf(ledger->journal, sizeof(ledger->journal), "%s", id);
    ledger->welcomed |= json_is_true(json_object_get(line, "welcomed"));
    ledger->planogram_known |= json_is_true(json_object_get(line, "planogram_known"));
    return read_integer(line, "epoch", &ledger->epoch) && read_integer(line, "seq", &ledger->seq) &&
                   read_integer(line, "highest_n", &ledger->highest_n)
               ? 0
               : -EINVAL;
}

static int apply_session(struct ledger *ledger, const json_t *line)
{
    return read_integer(line, "session", &ledger->session) &&
                   read_integer(line, "request", &ledger->request)
               ? 0
               : -EINVAL;
}

/* An approval's line carries the session and request it was given in; these do not open one. */
int ledger_apply(struct ledger *ledger, const json_t *line)
{
    const json_t *journal = json_object_get(line, "journal");
    const json_t *approval = json_object_get(line, "approval");
    json_t *event = json_object_get(line, "event");
    const json_t *events = json_object_get(line, "events");
    const json_t *acked = json_object_get(line, "acked");
    const json_t *drop_to = json_object_get(line, "drop_to");
    int result = json_is_object(line) ? 0 : -EINVAL;
    if (result == 0 && journal)
        result = apply_journal(ledger, json_string_value(journal), line);
    if (result == 0 && approval)
        result = apply_approval(ledger, json_string_value(approval), line);
    else if (result == 0)
        result = apply_session(ledger, line);
    if (result == 0)
        result = apply_ended(ledger, json_object_get(line, "ended"));
    if (result == 0 && events)
        result = apply_events(ledger, events);
    if (result == 0 && event)
        result = apply_event(ledger, event);
    if (result == 0 && acked)
        result = apply_acked(ledger, acked);
    if (result == 0 && drop_to)
        result = apply_drop_to(ledger, drop_to);
    return result;
}

static json_t *integer_or_null(int64_t value)
{
    return value == LEDGER_NONE ? json_null() : json_integer(value);
}

static json_t *snapshot_head(const struct ledger *ledger)
{
    json_t *ended = json_array();
    for (size_t i = 0; i < ledger->ended_count; i++)
        json_array_append_new(ended, json_integer(ledger->ended[i]));
    return json_pack("{s:s, s:I, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "journal", ledger->journal,
                     "epoch", (json_int_t)ledger->epoch, "seq", json_integer(LEDGER_NONE),
                     "highest_n", json_integer(ledger->highest_n), "welcomed",
                     (int)ledger->welcomed, "planogram_known", (int)ledger->planogram_known,
                     "session", integer_or_null(ledger->session), "request",
                     integer_or_null(ledger->request), "ended", ended);
}

/* The numbering goes last: events raise it as they are applied, and it may be ahead of them. */
static json_t *snapshot_tail(const struct ledger *ledger)
{
    const struct ledger_event *event;
    json_t *unacknowledged = json_array();
    DL_FOREACH (ledger->events, event)
        if (!event->acked)
            json_array_append(unacknowledged, event->body);
    return json_pack("{s:o}", "events", unacknowledged);
}

static json_t *snapshot_approval(const struct ledger_approval *approval)
{
    json_t *line =
        json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "approval", approval->id,
                  "verdict", ledger_state_name(approval->state), "on_bus", (int)approval->on_bus,
                  "n", (json_int_t)approval->n, "session", (json_int_t)approval->session, "request",
                  (json_int_t)approval->request, "item", (json_int_t)approval->item, "price",
                  (json_int_t)approval->price, "amount", (json_int_t)approval->amount, "code",
                  (json_int_t)approval->code);
    if (approval->reason[0])
        json_object_set_new(line, "reason", json_string(approval->reason));
    return line;
}

json_t *ledger_snapshot(const struct ledger *ledger)
{
    json_t *lines = json_array();
    json_array_append_new(lines, snapshot_head(ledger));
    for (size_t i = 0; i < ledger->approval_count; i++)
        json_array_append_new(lines, snapshot_approval(&ledger->approvals[i]));
    json_array_append_new(lines, snapshot_tail(ledger));
    json_array_append_new(lines,
                          json_pack("{s:s, s:I, s:I}", "journal", ledger->journal, "epoch",
                                    (json_int_t)ledger->epoch, "seq", (json_int_t)ledger->seq));
    return lines;
}

const struct ledger_approval *ledger_find(const struct ledger *ledger, const char *approval)
{
    for (size_t i = 0; i < ledger->approval_count; i++)
        if (strcmp(ledger->approvals[i].id, approval) == 0)
            return &ledger->approvals[i];
    return NULL;
}

const struct ledger_approval *ledger_unfinished(const struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->approval_count; i++)
        if (ledger->approvals[i].state == LEDGER_TAKEN)
            return &ledger->approvals[i];
    return NULL;
}

const struct ledger_approval *ledger_last(const struct ledger *ledger)
{
    const struct ledger_approval *last = NULL;
    for (size_t i = 0; i < ledger->approval_count; i++)
        if (!last || ledger->approvals[i].n >= last->n)
            last = &ledger->approvals[i];
    return last;
}

bool ledger_session_ended(const struct ledger *ledger, int64_t session)
{
    for (size_t i = 0; i < ledger->ended_count; i++)
        if (ledger->ended[i] == session)
            return true;
    return false;
}
