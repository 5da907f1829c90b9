#include "base/macros.h"
#include "vendsim/device.h"
#include "vendsim/device_private.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* A handler fills `reply` (id and result "ok" are there already) and says what happened. */
struct call {
    struct device *device;
    struct ledger *ledger;
    const json_t *command;
    json_t *reply;
    bool expired;
};
typedef enum device_effect handler(struct call *call);

static int64_t integer(const struct call *call, const char *name)
{
    const json_t *value = json_object_get(call->command, name);
    return json_is_integer(value) ? json_integer_value(value) : LEDGER_NONE;
}

static const char *text(const struct call *call, const char *name)
{
    const char *value = json_string_value(json_object_get(call->command, name));
    return value ? value : "";
}

static void say(struct call *call, const char *name, json_t *value)
{
    json_object_set_new(call->reply, name, value);
}

static void say_journal(struct call *call)
{
    say(call, "journal", json_string(call->ledger->journal));
}

static enum device_effect refuse(struct call *call, const char *reason)
{
    say(call, "result", json_string("refused"));
    say(call, "reason", json_string(reason));
    return DEVICE_NOTHING;
}

static json_t *integer_or_null(int64_t value)
{
    return value == LEDGER_NONE ? json_null() : json_integer(value);
}

/* hello: numbers first, because everything said after it carries them. */
static void settle_numbers(struct call *call)
{
    const json_t *have = json_object_get(call->command, "have");
    const json_t *epoch_value = json_array_get(have, 0);
    const json_t *seq_value = json_array_get(have, 1);
    int64_t epoch = json_is_integer(epoch_value) ? json_integer_value(epoch_value) : 0;
    int64_t seq = json_is_integer(seq_value) ? json_integer_value(seq_value) : LEDGER_NONE;
    const struct ledger *ledger = call->ledger;
    bool below = ledger->epoch < epoch || (ledger->epoch == epoch && ledger->seq < seq);
    /* The gateway knows numbers of this machine, and this journal never told it any: they are those
     * of a lost one, however far this one has counted already. */
    bool newborn = !ledger->welcomed && (epoch > 0 || seq > LEDGER_NONE);
    if (below || newborn || json_is_true(json_object_get(call->command, "new_epoch"))) {
        device_renew(call->device, (epoch > ledger->epoch ? epoch : ledger->epoch) + 1);
        device_info(call->device, true);
        return;
    }
    journal_note(call->device->journal,
                 json_pack("{s:[I, I]}", "drop_to", (json_int_t)epoch, (json_int_t)seq));
}

/* What was acknowledged beyond the gateway's mark is sent again: it may forget, we may not. */
static void all_unsent(struct ledger *ledger)
{
    struct ledger_event *event;
    DL_FOREACH (ledger->events, event) {
        event->mid = 0;
        event->acked = false;
    }
    ledger->acked_count = 0;
}

static json_t *last_approval(const struct ledger *ledger)
{
    const struct ledger_approval *last = ledger_last(ledger);
    if (!last)
        return json_null();
    json_t *told = json_pack("{s:s, s:I, s:s, s:b}", "approval", last->id, "n", (json_int_t)last->n,
                             "state", ledger_state_name(last->state), "on_bus", (int)last->on_bus);
    if (last->code != LEDGER_NONE)
        json_object_set_new(told, "code", json_integer(last->code));
    return told;
}

static enum device_effect on_hello(struct call *call)
{
    settle_numbers(call);
    call->device->generation = integer(call, "generation");
    if (integer(call, "session") != call->ledger->session)
        (void)device_session_over_when_done(call->device);
    all_unsent(call->ledger);
    say(call, "session", integer_or_null(call->ledger->session));
    say(call, "request", integer_or_null(call->ledger->request));
    say(call, "last", last_approval(call->ledger));
    say_journal(call);
    return DEVICE_ONLINE;
}

static enum device_effect on_lock(struct call *call)
{
    struct device *device = call->device;
    int64_t session = integer(call, "session");
    if (device->lock_refusal)
        return refuse(call, device->lock_refusal);
    if (call->expired)
        return refuse(call, "expired");
    if (session == LEDGER_NONE || ledger_session_ended(call->ledger, session))
        return refuse(call, "session_over");
    if (ledger_unfinished(call->ledger))
        return refuse(call, "reader_not_ready");
    if (session == call->ledger->session)
        return DEVICE_NOTHING; /* told again; it is open */
    device_session_over(device);
    journal_write(device->journal,
                  json_pack("{s:I, s:n}", "session", (json_int_t)session, "request"));
    return DEVICE_SESSION_OPENED;
}

static enum device_effect on_keys(struct call *call)
{
    struct device *device = call->device;
    int64_t n = integer(call, "n");
    const json_t *keys = json_object_get(call->command, "keys");
    if (call->expired)
        return refuse(call, "expired");
    if (call->ledger->session == LEDGER_NONE || integer(call, "session") != call->ledger->session)
        return refuse(call, "session_over");
    if (n <= device->keys_n)
        return DEVICE_NOTHING; /* accepted before */
    if (!json_is_array(keys) || json_array_size(keys) == 0)
        return refuse(call, "bad_keys");
    device->keys_n = n;
    json_decref(device->keys);
    device->keys = json_deep_copy(keys);
    return DEVICE_KEYS_PRESSED;
}

static void say_state(struct call *call, const struct ledger_approval *approval)
{
    say(call, "state", json_string(ledger_state_name(approval->state)));
    if (approval->state == LEDGER_NOT_DISPENSED && approval->code != LEDGER_NONE)
        say(call, "code", json_integer(approval->code));
    if (approval->state == LEDGER_INTERRUPTED)
        say(call, "on_bus", json_boolean(approval->on_bus));
}

/* NULL: nothing speaks against it. */
static const char *objection(const struct call *call)
{
    const struct ledger *ledger = call->ledger;
    const struct device *device = call->device;
    if (call->expired)
        return "expired";
    if (ledger->session == LEDGER_NONE || integer(call, "session") != ledger->session ||
        device->end_when_done)
        return "session_over";
    if (ledger_unfinished(ledger) || !device->choosing ||
        integer(call, "request") != ledger->request || integer(call, "item") != device->item ||
        integer(call, "price") != device->price)
        return "stale";
    /* Below the highest number an unknown id is one that we forgot: it may have been used. */
    return integer(call, "n") <= ledger->highest_n ? "stale" : NULL;
}

static void write_void(struct call *call, const char *reason)
{
    journal_write(call->device->journal,
                  json_pack("{s:s, s:s, s:I, s:s}", "approval", text(call, "approval"), "verdict",
                            "void", "n", (json_int_t)integer(call, "n"), "reason", reason));
}

static void write_taken(struct call *call)
{
    journal_write(call->device->journal, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}",
                                                   "approval", text(call, "approval"), "verdict",
                                                   "taken", "n", (json_int_t)integer(call, "n"),
                                                   "session", (json_int_t)integer(call, "session"),
                                                   "request", (json_int_t)integer(call, "request"),
                                                   "item", (json_int_t)integer(call, "item"),
                                                   "price", (json_int_t)integer(call, "price"),
                                                   "amount", (json_int_t)integer(call, "amount")));
    call->device->choosing = false;
}

static bool approval_named(const struct call *call)
{
    size_t size = strlen(text(call, "approval"));
    return size > 0 && size < LEDGER_APPROVAL_SIZE && integer(call, "n") >= 0;
}

static enum device_effect on_approve(struct call *call)
{
    say_journal(call);
    if (strcmp(text(call, "journal"), call->ledger->journal) != 0)
        return refuse(call, "wrong_journal");
    if (!approval_named(call))
        return refuse(call, "stale");
    const struct ledger_approval *known = ledger_find(call->ledger, text(call, "approval"));
    if (known && known->state == LEDGER_VOID)
        return refuse(call, known->reason);
    if (known) {
        say_state(call, known);
        return DEVICE_NOTHING;
    }
    const char *reason = objection(call);
    if (reason) {
        write_void(call, reason);
        return refuse(call, reason);
    }
    write_taken(call);
    say(call, "state", json_string("taken"));
    return DEVICE_TAKEN;
}

static enum device_effect on_query(struct call *call)
{
    say_journal(call);
    if (!approval_named(call))
        return refuse(call, "bad_query");
    const struct ledger_approval *known = ledger_find(call->ledger, text(call, "approval"));
    if (known) {
        say_state(call, known);
    } else if (integer(call, "n") > call->ledger->highest_n) {
        write_void(call, "stale");
        say(call, "state", json_string("never_seen"));
    } else {
        say(call, "state", json_string("forgotten"));
    }
    return DEVICE_NOTHING;
}

static enum device_effect on_deny(struct call *call)
{
    struct device *device = call->device;
    const struct ledger *ledger = call->ledger;
    if (!device->choosing || integer(call, "session") != ledger->session ||
        integer(call, "request") != ledger->request)
        return DEVICE_NOTHING;
    device->choosing = false;
    return DEVICE_DENIED;
}

static enum device_effect on_unlock(struct call *call)
{
    int64_t session = integer(call, "session");
    if (session == LEDGER_NONE)
        return DEVICE_NOTHING;
    if (session != call->ledger->session) {
        journal_write(call->device->journal, json_pack("{s:[I]}", "ended", (json_int_t)session));
        return DEVICE_NOTHING;
    }
    return device_session_over_when_done(call->device) ? DEVICE_SESSION_CLOSED : DEVICE_NOTHING;
}

static void tell_gap(struct device *device, int64_t from, int64_t to)
{
    if (from <= to)
        device_tell(device, json_pack("{s:s, s:I, s:I}", "event", "gap", "from", (json_int_t)from,
                                      "to", (json_int_t)to));
}

/* The gaps are events of their own, behind everything that is sent again. */
static enum device_effect on_resend(struct call *call)
{
    struct ledger *ledger = call->ledger;
    int64_t next = integer(call, "from") < 0 ? 0 : integer(call, "from");
    int64_t to = integer(call, "to") > ledger->seq ? ledger->seq : integer(call, "to");
    struct ledger_event *event;
    DL_FOREACH (ledger->events, event) {
        if (event->epoch != ledger->epoch || event->seq < next)
            continue;
        if (event->seq > to)
            break;
        tell_gap(call->device, next, event->seq - 1);
        ledger->acked_count -= event->acked ? 1 : 0;
        event->acked = false;
        event->mid = 0;
        next = event->seq + 1;
    }
    tell_gap(call->device, next, to);
    return DEVICE_RESEND;
}

static enum device_effect on_config(struct call *call)
{
    say(call, "etag", json_string(text(call, "etag")));
    return DEVICE_NOTHING;
}

static enum device_effect on_reboot(struct call *call)
{
    return call->expired ? refuse(call, "expired") : DEVICE_REBOOT;
}

static const struct {
    const char *op;
    handler *handle;
} HANDLERS[] = {
    {"hello", on_hello},   {"lock", on_lock},     {"keys", on_keys},   {"approve", on_approve},
    {"deny", on_deny},     {"unlock", on_unlock}, {"query", on_query}, {"resend", on_resend},
    {"config", on_config}, {"reboot", on_reboot},
};

static handler *find_handler(const char *op)
{
    for (size_t i = 0; i < ARRAY_SIZE(HANDLERS); i++)
        if (strcmp(HANDLERS[i].op, op) == 0)
            return HANDLERS[i].handle;
    return NULL;
}

static json_t *find_reply(const struct device *device, const char *id)
{
    for (size_t i = 0; i < DEVICE_REPLIES_MAX; i++) {
        const char *known = json_string_value(json_object_get(device->replies[i], "id"));
        if (known && strcmp(known, id) == 0)
            return device->replies[i];
    }
    return NULL;
}

static void keep_reply(struct device *device, json_t *reply)
{
    json_decref(device->replies[device->reply_next]);
    device->replies[device->reply_next] = json_incref(reply);
    device->reply_next = (device->reply_next + 1) % DEVICE_REPLIES_MAX;
}

static bool is_expired(const struct call *call, int64_t waited_ms)
{
    int64_t ttl_ms = integer(call, "ttl_ms");
    return ttl_ms != LEDGER_NONE && waited_ms >= ttl_ms;
}

/* hello brings the generation; of the others an older one belongs to a link that is gone. */
static bool is_outdated(const struct call *call)
{
    return strcmp(text(call, "op"), "hello") != 0 && json_object_get(call->command, "generation") &&
           integer(call, "generation") < call->device->generation;
}

json_t *device_command(struct device *device, const json_t *command, int64_t waited_ms,
                       enum device_effect *ret_effect)
{
    struct call call = {
        .device = device,
        .ledger = journal_ledger(device->journal),
        .command = command,
    };
    const char *id = text(&call, "id");
    *ret_effect = DEVICE_NOTHING;
    if (id[0] == '\0' || is_outdated(&call))
        return NULL;
    json_t *known = find_reply(device, id);
    if (known)
        return json_incref(known);
    handler *handle = find_handler(text(&call, "op"));
    call.expired = is_expired(&call, waited_ms);
    call.reply = json_pack("{s:s, s:s}", "id", id, "result", "ok");
    if (handle)
        *ret_effect = handle(&call);
    else
        (void)refuse(&call, "unknown_op");
    keep_reply(device, call.reply);
    return call.reply;
}
