/* The laws of event numbers: a repeat is exactly a stored number, whatever the order of arrival. */
#include "machine_link/event_sequence.h"

#include "base/macros.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 400

/* The same record as a plain set, for comparison. */
struct model {
    bool stored[NUMBERS];
};

static int64_t model_mark(const struct model *model)
{
    int64_t mark = -1;
    while (mark + 1 < NUMBERS && model->stored[mark + 1])
        mark++;
    return mark;
}

static size_t model_above(const struct model *model)
{
    size_t count = 0;
    for (int64_t i = model_mark(model) + 1; i < NUMBERS; i++)
        count += model->stored[i];
    return count;
}

static void check_same(const struct event_sequence *sequence, const struct model *model)
{
    ck_assert_int_eq(sequence->mark, model_mark(model));
    ck_assert_uint_eq(sequence->above_count, model_above(model));
    for (size_t i = 0; i < sequence->above_count; i++) {
        ck_assert(model->stored[sequence->above[i]]);
        ck_assert_int_gt(sequence->above[i], i > 0 ? sequence->above[i - 1] : sequence->mark + 1);
    }
}

static enum sequence_verdict model_verdict(const struct model *model, int64_t seq)
{
    if (model->stored[seq])
        return SEQUENCE_REPEAT;
    bool full = model_above(model) == EVENT_SEQUENCE_ABOVE_MAX;
    return full && seq > model_mark(model) + 1 ? SEQUENCE_AHEAD : SEQUENCE_NEW;
}

static void step_event(struct event_sequence *sequence, struct model *model, int64_t seq)
{
    enum sequence_verdict verdict = event_sequence_check(sequence, 1, seq);
    ck_assert_int_eq(verdict, model_verdict(model, seq));
    if (verdict != SEQUENCE_NEW)
        return;
    event_sequence_add(sequence, 1, seq);
    model->stored[seq] = true;
    ck_assert_int_eq(event_sequence_check(sequence, 1, seq), SEQUENCE_REPEAT);
}

static void step_gap(struct event_sequence *sequence, struct model *model, int64_t from, int64_t to)
{
    bool at_mark = from <= model_mark(model) + 1;
    event_sequence_fill(sequence, from, to);
    for (int64_t i = from; i <= to; i++)
        if (at_mark || model_above(model) < EVENT_SEQUENCE_ABOVE_MAX)
            model->stored[i] = true;
}

START_TEST(every_order_of_arrival_agrees_with_a_plain_set)
{
    srand((unsigned int)_i);
    struct event_sequence sequence = {.event_epoch = 1, .mark = -1};
    struct model model = {0};
    for (int i = 0; i < 600; i++) {
        int64_t spread = rand() % 4 == 0 ? 90 : 12;
        int64_t seq = model_mark(&model) + rand() % spread - 2;
        if (seq < 0 || seq >= NUMBERS - 8)
            continue;
        if (rand() % 12 == 0)
            step_gap(&sequence, &model, seq, seq + rand() % 8);
        else
            step_event(&sequence, &model, seq);
        check_same(&sequence, &model);
    }
}
END_TEST

START_TEST(numbers_far_ahead_are_not_taken_when_the_record_is_full)
{
    struct event_sequence sequence = {.event_epoch = 1, .mark = -1};
    for (int64_t seq = 1; seq <= EVENT_SEQUENCE_ABOVE_MAX; seq++)
        event_sequence_add(&sequence, 1, seq);
    ck_assert_int_eq(event_sequence_check(&sequence, 1, 65), SEQUENCE_AHEAD);
    ck_assert_int_eq(event_sequence_check(&sequence, 1, 0), SEQUENCE_NEW);
    event_sequence_add(&sequence, 1, 0);
    ck_assert_int_eq(sequence.mark, 64);
    ck_assert_uint_eq(sequence.above_count, 0);
    ck_assert_int_eq(event_sequence_check(&sequence, 1, 65), SEQUENCE_NEW);
}
END_TEST

START_TEST(a_new_epoch_starts_the_record_anew_and_an_old_one_has_no_effect)
{
    struct event_sequence sequence = {.mark = -1};
    event_sequence_add(&sequence, 0, 0);
    event_sequence_add(&sequence, 0, 7);
    ck_assert_int_eq(event_sequence_check(&sequence, 3, 0), SEQUENCE_NEW);
    event_sequence_add(&sequence, 3, 0);
    ck_assert_int_eq(sequence.event_epoch, 3);
    ck_assert_int_eq(sequence.mark, 0);
    ck_assert_uint_eq(sequence.above_count, 0);
    ck_assert_int_eq(event_sequence_check(&sequence, 0, 7), SEQUENCE_OLD_EPOCH);
    ck_assert_int_eq(event_sequence_check(&sequence, 2, 100), SEQUENCE_OLD_EPOCH);
}
END_TEST

START_TEST(the_first_hole_is_named_until_it_is_filled)
{
    struct event_sequence sequence = {.event_epoch = 1, .mark = 10};
    int64_t from = 0, to = 0;
    ck_assert_int_eq(event_sequence_hole(&sequence, &from, &to), -ENOENT);
    event_sequence_add(&sequence, 1, 15);
    event_sequence_add(&sequence, 1, 18);
    ck_assert_int_eq(event_sequence_hole(&sequence, &from, &to), 0);
    ck_assert_int_eq(from, 11);
    ck_assert_int_eq(to, 14);
    event_sequence_fill(&sequence, 11, 14);
    ck_assert_int_eq(sequence.mark, 15);
    ck_assert_int_eq(event_sequence_hole(&sequence, &from, &to), 0);
    ck_assert_int_eq(from, 16);
    ck_assert_int_eq(to, 17);
    event_sequence_fill(&sequence, 17, 16);
    ck_assert_int_eq(sequence.mark, 15);
    event_sequence_fill(&sequence, 0, INT64_C(1) << 40);
    ck_assert_int_eq(sequence.mark, INT64_C(1) << 40);
    ck_assert_int_eq(event_sequence_hole(&sequence, &from, &to), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event_sequence");
    TCase *tcase = tcase_create("laws");
    tcase_add_loop_test(tcase, every_order_of_arrival_agrees_with_a_plain_set, 0, 40);
    tcase_add_test(tcase, numbers_far_ahead_are_not_taken_when_the_record_is_full);
    tcase_add_test(tcase, a_new_epoch_starts_the_record_anew_and_an_old_one_has_no_effect);
    tcase_add_test(tcase, the_first_hole_is_named_until_it_is_filled);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
