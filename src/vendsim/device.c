#include "vendsim/device.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "vendsim/device_private.h"
#include "vendsim/planogram.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { EVENTS_MAX = 512, RESPONSE_S = 250, JOURNAL_BYTES = (LEDGER_JOURNAL_SIZE - 1) / 2 };

static struct ledger *ledger_of(const struct device *device)
{
    return journal_ledger(device->journal);
}

struct device *device_new(struct journal *journal)
{
    struct device *device = memory_zero(1, sizeof(*device));
    device->journal = journal;
    return device;
}

static void forget_ram(struct device *device)
{
    json_decref(device->keys);
    for (size_t i = 0; i < DEVICE_REPLIES_MAX; i++)
        json_decref(device->replies[i]);
    *device = (struct device){
        .journal = device->journal,
        .lock_refusal = device->lock_refusal,
        .generation = LEDGER_NONE,
        .keys_n = LEDGER_NONE,
    };
}

void device_free(struct device **device)
{
    struct device *old = TAKE(*device);
    if (!old)
        return;
    forget_ram(old);
    free(old);
}

/* The body with the next number; takes it. */
static json_t *number(const struct device *device, json_t *body)
{
    const struct ledger *ledger = ledger_of(device);
    json_object_set_new(body, "event_epoch", json_integer(ledger->epoch));
    json_object_set_new(body, "seq", json_integer(ledger->seq + 1));
    json_object_set_new(body, "time", json_integer(clock_unix_s()));
    return body;
}

void device_tell(struct device *device, json_t *body)
{
    journal_write(device->journal, json_pack("{s:o}", "event", number(device, body)));
}

int device_event(struct device *device, json_t *body)
{
    assert(body);
    if (ledger_of(device)->event_count >= EVENTS_MAX) {
        json_decref(body);
        return -ENOBUFS;
    }
    device_tell(device, body);
    return 0;
}

void device_info(struct device *device, bool reset)
{
    device_tell(device, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[s, s], s:b}", "event",
                                  "info", "firmware", "vendsim-1", "model", "vendsim", "currency",
                                  "EUR", "scale", 1, "decimals", 2, "max_response_s", RESPONSE_S,
                                  "capabilities", "keypad", "multi_vend", "reset", (int)reset));
}

/* The power went while the motor may have run: only the journal can tell how far it came. */
static void tell_interrupted(struct device *device)
{
    const struct ledger_approval *approval = ledger_unfinished(ledger_of(device));
    if (!approval)
        return;
    json_t *event = json_pack("{s:s, s:s, s:b}", "event", "interrupted", "approval", approval->id,
                              "on_bus", (int)approval->on_bus);
    journal_write(device->journal,
                  json_pack("{s:s, s:s, s:b, s:o}", "approval", approval->id, "result",
                            "interrupted", "on_bus", (int)approval->on_bus, "event",
                            number(device, event)));
}

void device_boot(struct device *device)
{
    forget_ram(device);
    tell_interrupted(device);
    device_end_session(device, "reset");
    device_info(device, false);
    if (ledger_of(device)->planogram_known)
        return;
    device_tell(device, planogram_event());
    device_tell(device, planogram_keypad_event());
}

void device_refuse_locks(struct device *device, const char *reason)
{
    device->lock_refusal = reason;
}

const json_t *device_keys(const struct device *device)
{
    return device->keys;
}

static json_t *selection(const struct device *device)
{
    const struct ledger *ledger = ledger_of(device);
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:I}", "event", "selection", "session",
                     (json_int_t)ledger->session, "request", (json_int_t)ledger->request, "item",
                     (json_int_t)device->item, "label", device->label, "price",
                     (json_int_t)device->price);
}

void device_select(struct device *device, const struct device_choice *choice)
{
    const struct ledger *ledger = ledger_of(device);
    if (ledger->session == LEDGER_NONE || ledger_unfinished(ledger))
        return;
    int64_t request = ledger->request == LEDGER_NONE ? 1 : ledger->request + 1;
    journal_write(device->journal, json_pack("{s:I, s:I}", "session", (json_int_t)ledger->session,
                                             "request", (json_int_t)request));
    device->choosing = true;
    device->item = choice->item;
    device->price = choice->price;
    snprintf(device->label, sizeof(device->label), "%s", choice->label);
    device_tell(device, selection(device));
}

void device_repeat_selection(struct device *device)
{
    if (device->choosing)
        device_tell(device, selection(device));
}

bool device_choosing(const struct device *device)
{
    return device->choosing;
}

void device_withdraw(struct device *device)
{
    const struct ledger *ledger = ledger_of(device);
    if (!device->choosing)
        return;
    device->choosing = false;
    device_tell(device,
                json_pack("{s:s, s:I, s:I}", "event", "withdrawn", "session",
                          (json_int_t)ledger->session, "request", (json_int_t)ledger->request));
}

void device_session_over(struct device *device)
{
    const struct ledger *ledger = ledger_of(device);
    device->choosing = false;
    device->end_when_done = false;
    device->keys_n = LEDGER_NONE;
    if (ledger->session != LEDGER_NONE)
        journal_write(device->journal, json_pack("{s:[I]}", "ended", (json_int_t)ledger->session));
}

bool device_session_over_when_done(struct device *device)
{
    device->choosing = false;
    if (ledger_unfinished(ledger_of(device))) {
        device->end_when_done = true;
        return false;
    }
    device_session_over(device);
    return true;
}

void device_end_session(struct device *device, const char *reason)
{
    int64_t session = ledger_of(device)->session;
    if (session == LEDGER_NONE)
        return;
    device_session_over(device);
    device_tell(device, json_pack("{s:s, s:I, s:s}", "event", "session_ended", "session",
                                  (json_int_t)session, "reason", reason));
}

void device_put_on_bus(struct device *device)
{
    const struct ledger_approval *approval = ledger_unfinished(ledger_of(device));
    if (approval && !approval->on_bus)
        journal_write(device->journal,
                      json_pack("{s:s, s:b}", "approval", approval->id, "on_bus", 1));
}

static json_t *result_event(const struct ledger_approval *approval, bool dispensed, int64_t code)
{
    if (dispensed)
        return json_pack("{s:s, s:s, s:I, s:i}", "event", "dispensed", "approval", approval->id,
                         "item", (json_int_t)approval->item, "quantity", 1);
    return json_pack("{s:s, s:s, s:I}", "event", "not_dispensed", "approval", approval->id, "code",
                     (json_int_t)code);
}

/* Result and event share a line, so that no power cut comes between them. */
void device_finish(struct device *device, bool dispensed, int64_t code)
{
    const struct ledger_approval *approval = ledger_unfinished(ledger_of(device));
    if (!approval)
        return;
    json_t *line =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "approval", approval->id, "result",
                  dispensed ? "dispensed" : "not_dispensed", "item", (json_int_t)approval->item,
                  "price", (json_int_t)approval->price, "amount", (json_int_t)approval->amount,
                  "event", number(device, result_event(approval, dispensed, code)));
    if (!dispensed)
        json_object_set_new(line, "code", json_integer(code));
    journal_write(device->journal, line);
    if (device->end_when_done)
        device_session_over(device);
}

void device_acknowledged(struct device *device, int64_t epoch, int64_t seq)
{
    journal_note(device->journal,
                 json_pack("{s:[I, I]}", "acked", (json_int_t)epoch, (json_int_t)seq));
}

void device_renew(struct device *device, int64_t epoch)
{
    const struct ledger *ledger = ledger_of(device);
    const struct ledger_event *event;
    char id[LEDGER_JOURNAL_SIZE];
    int64_t seq = 0;
    json_t *bodies = json_array();
    DL_FOREACH (ledger->events, event) {
        if (event->acked)
            continue;
        json_t *body = json_copy(event->body);
        json_object_set_new(body, "event_epoch", json_integer(epoch));
        json_object_set_new(body, "seq", json_integer(seq++));
        json_array_append_new(bodies, body);
    }
    random_hex(id, JOURNAL_BYTES);
    journal_write(device->journal,
                  json_pack("{s:s, s:I, s:I, s:b, s:o}", "journal", id, "epoch", (json_int_t)epoch,
                            "seq", (json_int_t)LEDGER_NONE, "welcomed", 1, "events", bodies));
}
