#include "vendsim/behaviour.h"

#include <string.h>

#define BUY         \
    {               \
        STEP_SELECT \
    }

/* clang-format off */
static const struct behaviour BEHAVIOURS[] = {
    {.name = BEHAVIOUR_NORMAL, .meaning = "the customer selects, the goods fall", .steps = BUY},
    {.name = "refuse_cash_in_use", .meaning = "lock refused: cash_in_use", .lock = LOCK_REFUSE, .refusal = "cash_in_use"},
    {.name = "refuse_out_of_service", .meaning = "lock refused: out_of_service", .lock = LOCK_REFUSE, .refusal = "out_of_service"},
    {.name = "refuse_door_open", .meaning = "lock refused: door_open", .lock = LOCK_REFUSE, .refusal = "door_open"},
    {.name = "refuse_reader_not_ready", .meaning = "lock refused: reader_not_ready", .lock = LOCK_REFUSE, .refusal = "reader_not_ready"},
    {.name = "refuse_updating", .meaning = "lock refused: updating", .lock = LOCK_REFUSE, .refusal = "updating"},
    {.name = "mute_lock", .meaning = "lock is never answered", .lock = LOCK_MUTE},
    {.name = "give_up", .meaning = "the customer leaves without a choice", .steps = {STEP_GIVE_UP}},
    {.name = "select_give_up", .meaning = "the customer selects, then leaves", .steps = {STEP_SELECT, STEP_GIVE_UP}},
    {.name = "keys_only", .meaning = "the customer waits for the virtual keypad (also: never chooses)"},
    {.name = "withdraw", .meaning = "the customer selects, withdraws, and stays", .steps = {STEP_SELECT, STEP_WITHDRAW}},
    {.name = "withdraw_select", .meaning = "the customer selects, withdraws, selects another item", .steps = {STEP_SELECT, STEP_WITHDRAW, STEP_SELECT_OTHER}},
    {.name = "change_mind", .meaning = "the customer selects another item without withdrawing", .steps = {STEP_SELECT, STEP_SELECT_OTHER}},
    {.name = "repeat_selection", .meaning = "the same selection is told twice, as two events", .steps = {STEP_SELECT, STEP_REPEAT}},
    {.name = "cash", .meaning = "the customer pays in cash instead: session ended by cash", .steps = {STEP_CASH}},
    {.name = "door", .meaning = "the door is opened after the selection", .steps = {STEP_SELECT, STEP_OPEN_DOOR}},
    {.name = "jam", .meaning = "not dispensed, code 5", .steps = BUY, .vend = VEND_FAIL, .code = 5},
    {.name = "cancelled", .meaning = "not dispensed, code 4: the machine cancels the vend", .steps = BUY, .vend = VEND_FAIL, .code = 4},
    {.name = "no_drop", .meaning = "not dispensed, code 206: motor ran, no drop seen", .steps = BUY, .vend = VEND_FAIL, .code = 206},
    {.name = "never_done", .meaning = "the approval is taken, no result ever comes", .steps = BUY, .vend = VEND_NEVER},
    {.name = "slow_dispense", .meaning = "the motor takes ten times as long", .steps = BUY, .slowness = 10},
    {.name = "late_approve", .meaning = "the approval waits in the machine until it has expired: refused, void", .steps = BUY, .late = true},
    {.name = "duplicate_events", .meaning = "every event is published twice", .steps = BUY, .twice = true},
    {.name = "buy_again", .meaning = "after the goods the customer chooses another item (multi-vend)", .steps = BUY, .again = true},
    {.name = "silent_after_approval", .meaning = "the approval arrives and is answered; then the link is dead", .steps = BUY, .misfortune = MISFORTUNE_SILENCE, .point = POINT_APPROVE_REPLIED},
    {.name = "reconnect_before_lock_reply", .meaning = "link breaks before the lock is answered", .steps = BUY, .misfortune = MISFORTUNE_RECONNECT, .point = POINT_LOCK_TAKEN},
    {.name = "reconnect_after_selection", .meaning = "link breaks when the selection is acknowledged", .steps = BUY, .misfortune = MISFORTUNE_RECONNECT, .point = POINT_SELECTION_ACKED},
    {.name = "reconnect_after_approve", .meaning = "link breaks with the approval in the journal, unanswered", .steps = BUY, .misfortune = MISFORTUNE_RECONNECT, .point = POINT_APPROVE_TAKEN},
    {.name = "reconnect_before_dispensed_ack", .meaning = "link breaks with `dispensed` sent, not acknowledged", .steps = BUY, .misfortune = MISFORTUNE_RECONNECT, .point = POINT_RESULT_SENT},
    {.name = "power_loss_before_bus", .meaning = "power cut with the approval taken: interrupted, on_bus false", .steps = BUY, .misfortune = MISFORTUNE_POWER_LOSS, .point = POINT_APPROVE_REPLIED},
    {.name = "power_loss_on_bus", .meaning = "power cut while the motor runs, nothing fell: interrupted, on_bus true", .steps = BUY, .misfortune = MISFORTUNE_POWER_LOSS, .point = POINT_ON_BUS},
    {.name = "power_loss_after_fall", .meaning = "power cut, goods fell, result not written: interrupted, on_bus true", .steps = BUY, .misfortune = MISFORTUNE_POWER_LOSS, .point = POINT_FELL},
    {.name = "journal_loss", .meaning = "the flash is lost with the approval taken", .steps = BUY, .misfortune = MISFORTUNE_JOURNAL_LOSS, .point = POINT_APPROVE_REPLIED},
};

static const char *const POINTS[] = {
    [POINT_NONE] = "none", [POINT_LOCK_RECEIVED] = "lock_received", [POINT_LOCK_TAKEN] = "lock_taken",
    [POINT_LOCK_REPLIED] = "lock_replied", [POINT_SELECTION_MADE] = "selection_made", [POINT_SELECTION_SENT] = "selection_sent",
    [POINT_SELECTION_ACKED] = "selection_acked", [POINT_APPROVE_RECEIVED] = "approve_received", [POINT_APPROVE_TAKEN] = "approve_taken",
    [POINT_APPROVE_REPLIED] = "approve_replied", [POINT_ON_BUS] = "on_bus", [POINT_FELL] = "fell",
    [POINT_RESULT_WRITTEN] = "result_written", [POINT_RESULT_SENT] = "result_sent", [POINT_RESULT_ACKED] = "result_acked",
};
static_assert(ARRAY_SIZE(POINTS) == POINT_COUNT, "every point has a name");

static const char *const MISFORTUNES[] = {
    [MISFORTUNE_NONE] = "none", [MISFORTUNE_RECONNECT] = "reconnect", [MISFORTUNE_SILENCE] = "silence",
    [MISFORTUNE_POWER_LOSS] = "power_loss", [MISFORTUNE_JOURNAL_LOSS] = "journal_loss",
};
static_assert(ARRAY_SIZE(MISFORTUNES) == MISFORTUNE_COUNT, "every misfortune has a name");
/* clang-format on */

const char *point_name(enum point point)
{
    assert(point < POINT_COUNT);
    return POINTS[point];
}

const char *misfortune_name(enum misfortune misfortune)
{
    assert(misfortune < MISFORTUNE_COUNT);
    return MISFORTUNES[misfortune];
}

enum misfortune misfortune_parse(const char *name)
{
    for (size_t i = MISFORTUNE_NONE + 1; i < MISFORTUNE_COUNT; i++)
        if (strcmp(MISFORTUNES[i], name) == 0)
            return (enum misfortune)i;
    return MISFORTUNE_NONE;
}

static enum point point_parse(const char *name)
{
    for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
        if (strcmp(POINTS[i], name) == 0)
            return (enum point)i;
    return POINT_NONE;
}

/* "<misfortune>@<point>" */
static bool parse_at(const char *name, const char *at, struct behaviour *ret_behaviour)
{
    char word[32];
    if ((size_t)(at - name) >= sizeof(word))
        return false;
    memcpy(word, name, (size_t)(at - name));
    word[at - name] = '\0';
    enum misfortune misfortune = misfortune_parse(word);
    enum point point = point_parse(at + 1);
    if (misfortune == MISFORTUNE_NONE || point == POINT_NONE)
        return false;
    *ret_behaviour = BEHAVIOURS[0];
    ret_behaviour->misfortune = misfortune;
    ret_behaviour->point = point;
    return true;
}

bool behaviour_parse(const char *name, struct behaviour *ret_behaviour)
{
    const char *at = strchr(name, '@');
    if (at)
        return parse_at(name, at, ret_behaviour);
    for (size_t i = 0; i < ARRAY_SIZE(BEHAVIOURS); i++)
        if (strcmp(BEHAVIOURS[i].name, name) == 0) {
            *ret_behaviour = BEHAVIOURS[i];
            return true;
        }
    return false;
}

void behaviour_list(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(BEHAVIOURS); i++)
        fprintf(out, "%-32s %s\n", BEHAVIOURS[i].name, BEHAVIOURS[i].meaning);
    fprintf(out, "\nor <misfortune>@<point>\nmisfortunes:");
    for (size_t i = MISFORTUNE_NONE + 1; i < MISFORTUNE_COUNT; i++)
        fprintf(out, " %s", MISFORTUNES[i]);
    fprintf(out, "\npoints:");
    for (size_t i = POINT_NONE + 1; i < POINT_COUNT; i++)
        fprintf(out, " %s", POINTS[i]);
    fprintf(out, "\n");
}
