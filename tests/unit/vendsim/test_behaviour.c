/* What a test may rely on when it names a behaviour or gives an order. */
#include "vendsim/behaviour.h"
#include "vendsim/order.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct pace STANDARD = {
    .select_after_ms = 10, .vend_ms = 20, .away_ms = -1, .item = -1, .price = -1};

START_TEST(every_misfortune_can_strike_at_every_point)
{
    char name[64];
    struct behaviour behaviour;
    for (size_t misfortune = MISFORTUNE_NONE + 1; misfortune < MISFORTUNE_COUNT; misfortune++)
        for (size_t point = POINT_NONE + 1; point < POINT_COUNT; point++) {
            snprintf(name, sizeof(name), "%s@%s", misfortune_name((enum misfortune)misfortune),
                     point_name((enum point)point));
            ck_assert_msg(behaviour_parse(name, &behaviour), "%s", name);
            ck_assert_uint_eq(behaviour.misfortune, misfortune);
            ck_assert_uint_eq(behaviour.point, point);
            ck_assert_uint_eq(behaviour.steps[0], STEP_SELECT);
        }
}
END_TEST

START_TEST(an_unknown_name_is_refused)
{
    struct behaviour behaviour;
    static const char *const BAD[] = {"",         "nice", "@", "power_loss@", "power_loss@never",
                                      "none@fell"};
    ck_assert(!behaviour_parse(BAD[_i], &behaviour));
}
END_TEST

START_TEST(an_order_changes_only_what_it_names)
{
    static const char LINE[] =
        "{\"vm_id\":\"vm-1\",\"behaviour\":\"jam\",\"times\":2,\"vend_ms\":5}";
    struct order order;
    ck_assert_ptr_null(order_read(LINE, strlen(LINE), &STANDARD, &order));
    ck_assert_str_eq(order.vm_id, "vm-1");
    ck_assert(order.machine.behaves);
    ck_assert_int_eq(order.machine.times, 2);
    ck_assert_int_eq(order.machine.behaviour.code, 5);
    ck_assert_int_eq(order.machine.pace.vend_ms, 5);
    ck_assert_int_eq(order.machine.pace.select_after_ms, STANDARD.select_after_ms);
    order_done(&order);
}
END_TEST

START_TEST(an_order_that_makes_no_sense_is_refused_with_a_reason)
{
    static const char *const BAD[] = {
        "[]",
        "{\"behaviour\":\"jam\"}",
        "{\"vm_id\":\"a\",\"behaviour\":\"nice\"}",
        "{\"vm_id\":\"a\",\"behaviour\":\"jam\",\"times\":-1}",
        "{\"vm_id\":\"a\",\"behaviour\":\"jam\",\"price\":\"1\"}",
        "{\"vm_id\":\"a\",\"act\":\"fire\"}",
        "{\"vm_id\":\"a\",\"event\":{}}",
    };
    struct order order;
    ck_assert_ptr_nonnull(order_read(BAD[_i], strlen(BAD[_i]), &STANDARD, &order));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vendsim/behaviour");
    TCase *tests = tcase_create("names and orders");
    tcase_add_test(tests, every_misfortune_can_strike_at_every_point);
    tcase_add_loop_test(tests, an_unknown_name_is_refused, 0, 6);
    tcase_add_test(tests, an_order_changes_only_what_it_names);
    tcase_add_loop_test(tests, an_order_that_makes_no_sense_is_refused_with_a_reason, 0, 7);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
