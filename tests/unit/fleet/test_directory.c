#include "fleet/directory.h"

#include "base/macros.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The database, played: loads queue up and are answered in order, as PostgreSQL would. */
static struct load {
    char vm_id[VM_ID_SIZE]; /* empty: all */
    store_machine_row_cb *callback;
    void *arg;
} loads[16];
static size_t load_count, answered;

void store_machine_load(struct store *store UNUSED, const char *vm_id,
                        store_machine_row_cb *callback, void *arg)
{
    ck_assert_uint_lt(load_count, ARRAY_SIZE(loads));
    struct load *load = &loads[load_count++];
    *load = (struct load){.callback = callback, .arg = arg};
    if (vm_id)
        strcpy(load->vm_id, vm_id);
}

static struct fleet_directory *directory;
static int loaded, changed_count;
static char changed[VM_ID_SIZE];

static void on_loaded(void *arg UNUSED)
{
    loaded++;
}

static void on_changed(void *arg UNUSED, const struct fleet_machine *machine)
{
    changed_count++;
    strcpy(changed, machine->vm_id);
}

static struct store_machine_row machine(const char *vm_id)
{
    return (struct store_machine_row){.vm_id = vm_id,
                                      .enabled = true,
                                      .scale = 1,
                                      .decimals = 2,
                                      .address = "1 Harbour Street",
                                      .fingerprints = {"aa", "bb"}};
}

static void row(const struct store_machine_row *given)
{
    struct load *load = &loads[answered];
    load->callback(load->arg, STORE_APPLIED, given);
}

static void end(enum store_outcome outcome)
{
    struct load *load = &loads[answered++];
    load->callback(load->arg, outcome, NULL);
}

static void answer_all(const char *address)
{
    struct store_machine_row one = machine("VM-1"), two = machine("VM-2");
    two.address = address;
    row(&one);
    row(&two);
    end(STORE_APPLIED);
}

static void set_up(void)
{
    static const struct fleet_directory_handlers HANDLERS = {on_loaded, on_changed};
    load_count = answered = 0;
    loaded = changed_count = 0;
    directory = fleet_directory_new(NULL, &HANDLERS, NULL);
}

static void tear_down(void)
{
    fleet_directory_free(&directory);
}

static void load_all(void)
{
    fleet_directory_refresh(directory, NULL);
    answer_all("2 Harbour Street");
}

START_TEST(half_a_fleet_is_never_shown)
{
    fleet_directory_refresh(directory, NULL);
    struct store_machine_row one = machine("VM-1");
    row(&one);
    ck_assert(!fleet_directory_loaded(directory));
    ck_assert_ptr_null(fleet_directory_find(directory, "VM-1"));
    end(STORE_APPLIED);
    ck_assert(fleet_directory_loaded(directory));
    ck_assert_int_eq(loaded, 1);
    ck_assert_int_eq(changed_count, 0);
    const struct fleet_machine *found = fleet_directory_find(directory, "VM-1");
    ck_assert_str_eq(found->address, "1 Harbour Street");
    ck_assert_str_eq(found->fingerprints[1], "bb");
    ck_assert_ptr_null(found->photo_url);
    ck_assert_ptr_null(fleet_directory_find(directory, "VM-2"));
}
END_TEST

START_TEST(a_machine_that_changed_is_told_and_others_are_not)
{
    load_all();
    fleet_directory_refresh(directory, NULL);
    answer_all("2 Harbour Street");
    ck_assert_int_eq(changed_count, 0);
    fleet_directory_refresh(directory, NULL);
    answer_all("3 Harbour Street");
    ck_assert_int_eq(changed_count, 1);
    ck_assert_str_eq(changed, "VM-2");
    ck_assert_str_eq(fleet_directory_find(directory, "VM-2")->address, "3 Harbour Street");
}
END_TEST

START_TEST(one_machine_is_reread_alone)
{
    load_all();
    fleet_directory_refresh(directory, "VM-3");
    ck_assert_str_eq(loads[1].vm_id, "VM-3");
    struct store_machine_row three = machine("VM-3");
    row(&three);
    end(STORE_APPLIED);
    ck_assert_str_eq(changed, "VM-3");
    ck_assert_uint_eq(fleet_directory_count(directory), 3);
    fleet_directory_refresh(directory, "VM-1");
    end(STORE_APPLIED); /* no row: it is no more */
    ck_assert_ptr_null(fleet_directory_find(directory, "VM-1"));
    ck_assert_uint_eq(fleet_directory_count(directory), 2);
}
END_TEST

START_TEST(a_failure_keeps_what_was_known)
{
    load_all();
    fleet_directory_refresh(directory, NULL);
    end(STORE_UNAVAILABLE);
    fleet_directory_refresh(directory, "VM-1");
    end(STORE_FAILED);
    ck_assert_uint_eq(fleet_directory_count(directory), 2);
    ck_assert(fleet_directory_loaded(directory));
}
END_TEST

START_TEST(a_change_during_a_reading_is_read_again)
{
    fleet_directory_refresh(directory, NULL);
    fleet_directory_refresh(directory, NULL);
    ck_assert_uint_eq(load_count, 1);
    answer_all("2 Harbour Street");
    ck_assert_uint_eq(load_count, 2);
    answer_all("4 Harbour Street");
    ck_assert_uint_eq(load_count, 2);
    ck_assert_str_eq(changed, "VM-2");
}
END_TEST

START_TEST(a_keypad_answers_which_keys_there_are)
{
    fleet_directory_refresh(directory, NULL);
    struct store_machine_row one = machine("VM-1"), two = machine("VM-2"), three = machine("VM-3");
    one.keypad = "{\"virtual_keypad_enabled\":true,\"total_action_needed\":2,"
                 "\"keypad_items\":[{\"id\":5,\"display_value\":\"5\"}]}";
    two.keypad = "{\"keypad_items\":[7]}";
    row(&one);
    row(&two);
    row(&three);
    end(STORE_APPLIED);
    const struct fleet_machine *found = fleet_directory_find(directory, "VM-1");
    ck_assert(fleet_keypad_has_key(found, 5) && !fleet_keypad_has_key(found, 7));
    ck_assert_int_eq(fleet_keypad_action_count(found), 2);
    ck_assert_ptr_null(fleet_directory_find(directory, "VM-2")->keypad);
    ck_assert_int_eq(fleet_keypad_action_count(fleet_directory_find(directory, "VM-3")), 0);
}
END_TEST

START_TEST(the_policy_of_a_machines_group_is_known_and_a_change_of_it_is_told)
{
    fleet_directory_refresh(directory, NULL);
    struct store_machine_row one = machine("VM-1"), two = machine("VM-2");
    one.doubt_policy = "hold";
    row(&one);
    row(&two);
    end(STORE_APPLIED);
    ck_assert_str_eq(fleet_directory_find(directory, "VM-1")->doubt_policy, "hold");
    ck_assert_ptr_null(fleet_directory_find(directory, "VM-2")->doubt_policy);
    fleet_directory_refresh(directory, NULL); /* as after a change of the group */
    one.doubt_policy = NULL;
    row(&one);
    row(&two);
    end(STORE_APPLIED);
    ck_assert_int_eq(changed_count, 1);
    ck_assert_str_eq(changed, "VM-1");
    ck_assert_ptr_null(fleet_directory_find(directory, "VM-1")->doubt_policy);
}
END_TEST

START_TEST(answers_may_come_after_the_end)
{
    fleet_directory_refresh(directory, NULL);
    fleet_directory_refresh(directory, "VM-1");
    fleet_directory_free(&directory);
    answer_all("2 Harbour Street");
    struct store_machine_row one = machine("VM-1");
    row(&one);
    end(STORE_APPLIED);
    ck_assert_int_eq(loaded, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("directory");
    TCase *tests = tcase_create("directory");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, half_a_fleet_is_never_shown);
    tcase_add_test(tests, a_machine_that_changed_is_told_and_others_are_not);
    tcase_add_test(tests, one_machine_is_reread_alone);
    tcase_add_test(tests, a_failure_keeps_what_was_known);
    tcase_add_test(tests, a_change_during_a_reading_is_read_again);
    tcase_add_test(tests, a_keypad_answers_which_keys_there_are);
    tcase_add_test(tests, the_policy_of_a_machines_group_is_known_and_a_change_of_it_is_told);
    tcase_add_test(tests, answers_may_come_after_the_end);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
