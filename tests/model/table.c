/* table.c - prints the production step table and its guards as Promela, for the model to include.
 *
 * So the model checker walks the very table that the daemon obeys: txn_step(), txn_judge_evidence()
 * and txn_timer_event() are called for every input, and nothing of them is written a second time.
 */
#include "base/macros.h"
#include "txn/judge.h"
#include "txn/step.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    unsigned action;
    const char *name;
} ACTIONS[] = {
    {TXN_SEND_LOCK, "SEND_LOCK"},
    {TXN_SEND_KEYS, "SEND_KEYS"},
    {TXN_SEND_APPROVE, "SEND_APPROVE"},
    {TXN_SEND_RELEASE, "SEND_RELEASE"},
    {TXN_SEND_QUERY, "SEND_QUERY"},
    {TXN_CALL_REQUEST, "CALL_REQUEST"},
    {TXN_CALL_VEND, "CALL_VEND"},
    {TXN_CALL_UNLOCK, "CALL_UNLOCK"},
    {TXN_CANCEL_REQUEST, "CANCEL_REQUEST"},
    {TXN_ANSWER_LOCK_OK, "ANSWER_LOCK_OK"},
    {TXN_ANSWER_LOCK_NO, "ANSWER_LOCK_NO"},
    {TXN_ALERT, "ALERT"},
    {TXN_ADJUST, "ADJUST"},
    {TXN_NEXT_ROW, "NEXT_ROW"},
    {TXN_APPLY_POLICY, "APPLY_POLICY"},
};

static const char *const WORDS[] = {
    [TXN_WORD_NONE] = "NONE",
    [TXN_WORD_TAKEN] = "TAKEN",
    [TXN_WORD_DISPENSED] = "DISPENSED",
    [TXN_WORD_NOT_DISPENSED] = "NOT_DISPENSED",
    [TXN_WORD_INTERRUPTED] = "INTERRUPTED",
    [TXN_WORD_VOID] = "VOID",
    [TXN_WORD_NEVER_SEEN] = "NEVER_SEEN",
    [TXN_WORD_FORGOTTEN] = "FORGOTTEN",
    [TXN_WORD_WRONG_JOURNAL] = "WRONG_JOURNAL",
};

/* PREFIX_NAME in upper case, in one of a few buffers so that a printf() can hold several. */
static const char *upper(const char *prefix, const char *name)
{
    static char buffers[4][64];
    static unsigned next;
    char *buffer = buffers[next++ % ARRAY_SIZE(buffers)];
    snprintf(buffer, sizeof buffers[0], "%s_%s", prefix, name);
    for (char *letter = buffer; *letter != '\0'; letter++)
        *letter = (char)toupper((unsigned char)*letter);
    return buffer;
}

static const char *state_word(int state)
{
    return upper("TXN", txn_state_name((enum txn_state)state));
}

static const char *event_word(int event)
{
    return upper("EV", txn_event_name((enum txn_event)event));
}

static const char *timer_word(int timer)
{
    return upper("TIMER", txn_timer_name((enum txn_timer)timer));
}

static const char *word_word(int word)
{
    return upper("WORD", WORDS[word]);
}

static void print_names(const char *type, int count, const char *(*word)(int index))
{
    printf("mtype:%s = {", type);
    for (int i = 0; i < count; i++)
        printf("%s %s", i == 0 ? "" : ",", word(i));
    printf(" };\n");
}

static void print_actions(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(ACTIONS); i++)
        printf("#define %s %u\n", ACTIONS[i].name, ACTIONS[i].action);
}

/* step_of(from, event): sets legal, next, new_timer and actions, as txn_step() does. */
static void print_steps(void)
{
    printf("inline step_of(from_, event_)\n{\n    legal = true;\n    if\n");
    for (int from = 0; from < TXN_STATE_COUNT; from++) {
        printf("    :: from_ == %s ->\n        if\n", state_word(from));
        for (int event = 1; event < TXN_EVENT_COUNT; event++) {
            struct txn_step step;
            if (!txn_step((enum txn_state)from, (enum txn_event)event, &step))
                continue;
            printf("        :: event_ == %s -> next = %s; new_timer = %s; actions = %u\n",
                   event_word(event), state_word((int)step.next), timer_word((int)step.timer),
                   step.actions);
        }
        printf("        :: else -> legal = false\n        fi\n");
    }
    printf("    fi\n}\n");
}

/* evidence_of(word, same, bus): sets event, as txn_judge_evidence() does. */
static void print_evidence(void)
{
    static const struct txn_record TXN = {.journal = "of the PAID step"};
    printf("inline evidence_of(word_, same_, bus_)\n{\n    if\n");
    for (int word = 0; word < (int)ARRAY_SIZE(WORDS); word++)
        for (int same = 0; same <= 1; same++)
            for (int bus = 0; bus <= 1; bus++) {
                struct txn_evidence evidence = {.word = (enum txn_approval_word)word,
                                                .journal = same ? TXN.journal : "another",
                                                .on_bus = bus};
                printf("    :: word_ == %s && (same_) == %d && (bus_) == %d -> event = %s\n",
                       word_word(word), same, bus,
                       event_word((int)txn_judge_evidence(&TXN, &evidence)));
            }
    printf("    fi\n}\n");
}

/* expiry_of(timer): sets event, as txn_timer_event() does; TIMER_DOUBT is the policy's. */
static void print_timers(void)
{
    printf("inline expiry_of(timer_)\n{\n    if\n");
    for (int timer = 0; timer < TXN_TIMER_COUNT; timer++)
        printf("    :: timer_ == %s -> event = %s\n", timer_word(timer),
               event_word((int)txn_timer_event((enum txn_timer)timer)));
    printf("    fi\n}\n");
}

int main(void)
{
    print_names("state", TXN_STATE_COUNT, state_word);
    print_names("event", TXN_EVENT_COUNT, event_word);
    print_names("timer", TXN_TIMER_COUNT, timer_word);
    print_names("word", (int)ARRAY_SIZE(WORDS), word_word);
    print_actions();
    print_steps();
    print_evidence();
    print_timers();
    return 0;
}
