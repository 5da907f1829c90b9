#include "people/people.h"

#include "base/memory.h"
#include "people/secret.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The database, played: each load is remembered, and answered when a test says so. */
static struct played {
    store_integrator_row_cb *integrators;
    store_key_row_cb *keys;
    store_grant_row_cb *grants;
    int loads;
    void *arg;
} played;

void store_integrator_load(struct store *store UNUSED, int64_t integrator_id UNUSED,
                           store_integrator_row_cb *callback, void *arg)
{
    played.integrators = callback;
    played.loads++;
    played.arg = arg;
}

void store_key_load(struct store *store UNUSED, store_key_row_cb *callback, void *arg)
{
    played.keys = callback;
    played.loads++;
    played.arg = arg;
}

void store_grant_load(struct store *store UNUSED, store_grant_row_cb *callback, void *arg)
{
    played.grants = callback;
    played.loads++;
    played.arg = arg;
}

#define ADA 1
#define BOB 2

static uv_loop_t loop;
static struct metrics *metrics;
static struct people *people;
static int loaded, changed_count;
static int64_t changed;

static void on_loaded(void *arg UNUSED)
{
    loaded++;
}

static void on_changed(void *arg UNUSED, int64_t integrator_id)
{
    changed_count++;
    changed = integrator_id;
}

static void answer_integrators(const char *bobs_url, bool bob_enabled)
{
    struct store_integrator_row ada = {.integrator_id = ADA,
                                       .name = "ada",
                                       .enabled = true,
                                       .callback_url = "https://ada",
                                       .doubt_policy = "refund",
                                       .signing_keys = {{"whsec_a", 0}, {"whsec_b", 0}},
                                       .amount_max = 500};
    struct store_integrator_row bob = {.integrator_id = BOB,
                                       .name = "bob",
                                       .enabled = bob_enabled,
                                       .callback_url = bobs_url,
                                       .doubt_policy = "hold"};
    played.integrators(played.arg, STORE_APPLIED, &ada);
    played.integrators(played.arg, STORE_APPLIED, &bob);
    played.integrators(played.arg, STORE_APPLIED, NULL);
}

static void answer_key(int64_t integrator_id, const char *key)
{
    char digest[SECRET_SHA256_SIZE];
    secret_sha256_hex(key, strlen(key), digest);
    struct store_key_row row = {1, integrator_id, "api_key", NULL, digest};
    played.keys(played.arg, STORE_APPLIED, &row);
}

/* Of "secret", with a cost that lets tests be fast. */
#define DIGEST_OF_SECRET \
    "scrypt$16$8$1$MDEyMzQ1Njc4OWFiY2RlZg==$gEeb/KeWbm5g+kBQOFr1yJbkjBxxxDOkhSmrSXFFwOg="

static void answer_keys(void)
{
    answer_key(ADA, "key-of-ada");
    answer_key(BOB, "key-of-bob");
    struct store_key_row password = {2, ADA, "basic", "ada", DIGEST_OF_SECRET};
    played.keys(played.arg, STORE_APPLIED, &password);
    played.keys(played.arg, STORE_APPLIED, NULL);
}

static void answer_grants(void)
{
    played.grants(played.arg, STORE_APPLIED, ADA, "VM-1");
    played.grants(played.arg, STORE_APPLIED, BOB, "VM-2");
    played.grants(played.arg, STORE_APPLIED, 0, NULL);
}

static void open_people_with(struct vault *vault_or_null)
{
    static const struct people_handlers HANDLERS = {on_loaded, on_changed};
    struct people_options options = {
        .password_cache_ms = 60000, .checks_max = 2, .vault = vault_or_null};
    played = (struct played){0};
    loaded = changed_count = 0;
    uv_loop_init(&loop);
    metrics = metrics_new();
    people = people_new(&loop, (struct store *)&played, &options, &HANDLERS, NULL, metrics);
}

static void open_people(void)
{
    open_people_with(NULL);
}

static void set_up(void)
{
    open_people();
    people_refresh(people, NULL, NULL);
    answer_integrators("https://bob", true);
    answer_keys();
    answer_grants();
}

static void tear_down(void)
{
    people_free(&people);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    metrics_free(&metrics);
}

static struct {
    int calls;
    enum people_verdict verdict;
    int64_t id;
} told;

static void on_authenticated(void *arg UNUSED, enum people_verdict verdict, int64_t integrator_id)
{
    told.calls++;
    told.verdict = verdict;
    told.id = integrator_id;
}

/* The verdict at once, or after the thread pool; 0: not yet. */
static enum people_verdict begin(const char *key, const char *user, const char *password)
{
    struct people_credentials credentials = {.api_key = key, .user = user, .password = password};
    enum people_verdict verdict = 0;
    memset(&told, 0, sizeof(told));
    if (people_authenticate(people, &credentials, &verdict, &told.id, on_authenticated, NULL))
        return verdict;
    return 0;
}

static enum people_verdict finish(enum people_verdict verdict)
{
    if (verdict)
        return verdict;
    ck_assert_int_eq(told.calls, 0); /* never inside the call */
    while (told.calls == 0)
        uv_run(&loop, UV_RUN_ONCE);
    return told.verdict;
}

static const struct {
    const char *key, *user, *password;
    enum people_verdict verdict;
    int64_t id;
} CASES[] = {
    {"key-of-ada", NULL, NULL, PEOPLE_KNOWN, ADA},
    {"key-of-bob", NULL, NULL, PEOPLE_KNOWN, BOB},
    {"key-of-eve", NULL, NULL, PEOPLE_WRONG, 0},
    {"", NULL, NULL, PEOPLE_WRONG, 0},
    {NULL, NULL, NULL, PEOPLE_NO_CREDENTIALS, 0},
    {NULL, "ada", "secret", PEOPLE_KNOWN, ADA},
    {NULL, "ada", "Secret", PEOPLE_WRONG, 0},
    {NULL, "ada", "", PEOPLE_WRONG, 0},
    {NULL, "eve", "secret", PEOPLE_WRONG, 0},
    {"key-of-ada", "ada", "secret", PEOPLE_KNOWN, ADA},
    {"key-of-ada", "ada", "wrong", PEOPLE_WRONG, 0},
    {"key-of-eve", "ada", "secret", PEOPLE_WRONG, 0},
    {"key-of-bob", "ada", "secret", PEOPLE_WRONG, 0}, /* each right, of two integrators */
};

START_TEST(either_kind_alone_suffices_and_one_wrong_spoils_both)
{
    enum people_verdict verdict = finish(begin(CASES[_i].key, CASES[_i].user, CASES[_i].password));
    ck_assert_int_eq(verdict, CASES[_i].verdict);
    ck_assert_int_eq(told.id, CASES[_i].id);
}
END_TEST

START_TEST(a_malformed_header_spoils_a_right_key)
{
    struct people_credentials credentials = {.api_key = "key-of-ada", .malformed = true};
    enum people_verdict verdict = 0;
    int64_t id = 7;
    ck_assert(people_authenticate(people, &credentials, &verdict, &id, on_authenticated, NULL));
    ck_assert_int_eq(verdict, PEOPLE_WRONG);
    ck_assert_int_eq(id, 0);
}
END_TEST

START_TEST(a_password_is_checked_once_and_then_remembered)
{
    ck_assert_int_eq(begin(NULL, "ada", "secret"), 0);
    ck_assert_int_eq(finish(0), PEOPLE_KNOWN);
    ck_assert_int_eq(begin(NULL, "ada", "secret"), PEOPLE_KNOWN);
    ck_assert_int_eq(begin(NULL, "ada", "wrong"), 0);
    ck_assert_int_eq(finish(0), PEOPLE_WRONG);
    ck_assert_int_eq(begin(NULL, "ada", "wrong"), PEOPLE_WRONG);
}
END_TEST

START_TEST(a_withdrawn_password_counts_no_more_once_the_keys_were_reread)
{
    ck_assert_int_eq(finish(begin(NULL, "ada", "secret")), PEOPLE_KNOWN);
    people_refresh(people, "integrator_key", "2");
    answer_key(ADA, "key-of-ada");
    played.keys(played.arg, STORE_APPLIED, NULL);
    ck_assert_int_eq(finish(begin(NULL, "ada", "secret")), PEOPLE_WRONG);
    ck_assert_int_eq(begin("key-of-bob", NULL, NULL), PEOPLE_WRONG);
    ck_assert_int_eq(begin("key-of-ada", NULL, NULL), PEOPLE_KNOWN);
}
END_TEST

START_TEST(the_same_password_at_once_is_one_check_and_too_many_others_are_refused)
{
    ck_assert_int_eq(begin(NULL, "ada", "one"), 0);
    ck_assert_int_eq(begin(NULL, "ada", "one"), 0);
    ck_assert_int_eq(begin(NULL, "ada", "two"), 0);
    ck_assert_int_eq(begin(NULL, "ada", "three"), PEOPLE_OVERLOADED);
    memset(&told, 0, sizeof(told));
    while (told.calls < 3)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_int_eq(told.verdict, PEOPLE_WRONG);
}
END_TEST

START_TEST(a_check_under_way_is_answered_even_when_people_go)
{
    ck_assert_int_eq(begin(NULL, "ada", "secret"), 0);
    people_free(&people);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(told.calls, 1);
    ck_assert_int_eq(told.verdict, PEOPLE_OVERLOADED);
}
END_TEST

START_TEST(a_disabled_integrator_is_wrong_at_once)
{
    people_refresh(people, "integrator", "2");
    answer_integrators("https://bob", false);
    ck_assert_int_eq(begin("key-of-bob", NULL, NULL), PEOPLE_WRONG);
    ck_assert_int_eq(changed, BOB);
    answer_keys(); /* keys follow their integrators */
}
END_TEST

START_TEST(who_changed_is_told_and_who_did_not_is_not)
{
    ck_assert_int_eq(loaded, 1);
    ck_assert_int_eq(changed_count, 0);
    people_refresh(people, "integrator", "2");
    answer_integrators("https://bob.example", true);
    answer_keys();
    ck_assert_int_eq(changed_count, 1);
    ck_assert_int_eq(changed, BOB);
    ck_assert_str_eq(people_integrator(people, BOB)->callback_url, "https://bob.example");
    ck_assert_str_eq(people_integrator(people, ADA)->signing_keys[1], "whsec_b");
    ck_assert_ptr_null(people_integrator(people, 3));
    ck_assert_int_eq(loaded, 1);
}
END_TEST

START_TEST(grants_are_of_one_integrator_and_one_machine)
{
    ck_assert(people_granted(people, ADA, "VM-1"));
    ck_assert(!people_granted(people, ADA, "VM-2"));
    ck_assert(!people_granted(people, BOB, "VM-1"));
    ck_assert(!people_granted(people, ADA, "VM-"));
    ck_assert(!people_granted(people, ADA, "VM-11"));
    people_refresh(people, "grant", "");
    played.grants(played.arg, STORE_APPLIED, 0, NULL);
    ck_assert(!people_granted(people, ADA, "VM-1"));
}
END_TEST

START_TEST(until_all_is_read_nothing_is_loaded_and_a_failure_keeps_what_was_known)
{
    tear_down();
    open_people();
    people_refresh(people, NULL, NULL);
    ck_assert_int_eq(played.loads, 3);
    answer_grants();
    answer_integrators("https://bob", true);
    ck_assert(!people_loaded(people));
    played.keys(played.arg, STORE_FAILED, NULL);
    ck_assert(!people_loaded(people));
    people_refresh(people, "integrator_key", "");
    answer_keys();
    ck_assert(people_loaded(people));
    people_refresh(people, "integrator_key", "");
    played.keys(played.arg, STORE_UNAVAILABLE, NULL);
    ck_assert(people_loaded(people));
    ck_assert_int_eq(begin("key-of-ada", NULL, NULL), PEOPLE_KNOWN);
}
END_TEST

START_TEST(a_change_during_a_reading_is_read_again)
{
    int before = played.loads;
    people_refresh(people, "grant", "");
    people_refresh(people, "grant", "");
    people_refresh(people, "grant", "");
    ck_assert_int_eq(played.loads, before + 1);
    answer_grants();
    ck_assert_int_eq(played.loads, before + 2);
    answer_grants();
    ck_assert_int_eq(played.loads, before + 2);
}
END_TEST

START_TEST(an_answer_of_the_store_may_come_after_the_end)
{
    people_refresh(people, NULL, NULL);
    people_free(&people);
    answer_integrators("https://bob", true);
    answer_keys();
    answer_grants();
}
END_TEST

/* --- secrets that are sealed ---------------------------------------------------------------------
 */

static const char MASTER_KEY[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char OTHER_KEY[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
static char key_file[] = "/tmp/people.XXXXXX";
static struct vault *vault;

static void write_key_file(const char *text)
{
    FILE *file = fopen(key_file, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* With a master key; nothing is loaded yet. */
static void open_people_with_vault(void)
{
    char error[MASTER_KEY_ERROR_SIZE];
    memcpy(key_file + strlen(key_file) - 6, "XXXXXX", 6);
    int descriptor = mkstemp(key_file);
    ck_assert_int_ge(descriptor, 0);
    close(descriptor);
    write_key_file(MASTER_KEY);
    ck_assert_int_eq(vault_open(key_file, &vault, error), 0);
    open_people_with(vault);
    people_refresh(people, NULL, NULL);
    answer_keys();
    answer_grants();
}

static void close_people_with_vault(void)
{
    tear_down();
    vault_free(&vault);
    (void)unlink(key_file);
}

/* Ada's row with her three kinds of secrets sealed for the integrator `sealed_for`; Bob's in the
 * clear. */
static void answer_sealed(int64_t sealed_for)
{
    char *key = vault_seal(vault, &(struct vault_place){sealed_for, VAULT_API_KEY}, "her key");
    char *password = vault_seal(vault, &(struct vault_place){ADA, VAULT_PASSWORD}, "her password");
    char *signing = vault_seal(vault, &(struct vault_place){ADA, VAULT_SIGNING}, "whsec_a");
    struct store_integrator_row ada = {.integrator_id = ADA,
                                       .name = "ada",
                                       .enabled = true,
                                       .present_api_key = key,
                                       .present_user = "us",
                                       .present_password = password,
                                       .signing_keys = {{signing, 0}, {"whsec_b", 9}}};
    struct store_integrator_row bob = {.integrator_id = BOB,
                                       .name = "bob",
                                       .enabled = true,
                                       .present_api_key = "his key",
                                       .signing_keys = {{"whsec_c", 0}}};
    played.integrators(played.arg, STORE_APPLIED, &ada);
    played.integrators(played.arg, STORE_APPLIED, &bob);
    played.integrators(played.arg, STORE_APPLIED, NULL);
    free(key);
    free(password);
    free(signing);
}

static void is_readable(void)
{
    const struct integrator *ada = people_integrator(people, ADA);
    ck_assert_str_eq(ada->present_api_key, "her key");
    ck_assert_str_eq(ada->present_password, "her password");
    ck_assert_str_eq(ada->signing_keys[0], "whsec_a");
    ck_assert_str_eq(ada->signing_keys[1], "whsec_b");
    ck_assert_int_eq(ada->signing_until_ms[1], 9);
    ck_assert(!ada->held);
    ck_assert(!ada->unreadable);
}

static void is_unreadable(void)
{
    const struct integrator *ada = people_integrator(people, ADA);
    ck_assert(ada->held);
    ck_assert(ada->unreadable);
    ck_assert_ptr_null(ada->present_api_key);
    ck_assert_ptr_null(ada->present_password);
    ck_assert_ptr_null(ada->signing_keys[0]);
}

static void bob_is_served(void)
{
    const struct integrator *bob = people_integrator(people, BOB);
    ck_assert(!bob->held);
    ck_assert_str_eq(bob->present_api_key, "his key");
    ck_assert_str_eq(bob->signing_keys[0], "whsec_c");
}

START_TEST(sealed_secrets_are_opened_and_those_in_the_clear_still_work)
{
    answer_sealed(ADA);
    is_readable();
    bob_is_served();
}
END_TEST

START_TEST(who_has_a_secret_of_another_row_is_held_and_nobody_else)
{
    answer_sealed(BOB);
    is_unreadable();
    bob_is_served();
    ck_assert_int_eq(finish(begin("key-of-ada", NULL, NULL)), PEOPLE_KNOWN); /* she may call us */
}
END_TEST

START_TEST(who_was_held_for_an_unreadable_secret_is_told_of_when_it_can_be_read)
{
    answer_sealed(BOB);
    is_unreadable();
    changed_count = 0;
    people_refresh(people, "integrator", NULL);
    answer_sealed(ADA);
    answer_keys(); /* they may be those of one who is disabled now */
    is_readable();
    ck_assert_int_eq(changed_count, 1);
    ck_assert_int_eq(changed, ADA);
}
END_TEST

START_TEST(a_master_key_that_came_meanwhile_is_used_without_a_restart)
{
    char both[sizeof(MASTER_KEY) + sizeof(OTHER_KEY)], error[MASTER_KEY_ERROR_SIZE];
    answer_sealed(ADA);
    (void)snprintf(both, sizeof(both), "%s%s", OTHER_KEY, MASTER_KEY);
    write_key_file(both);
    struct vault *tools = NULL;
    ck_assert_int_eq(vault_open(key_file, &tools, error), 0);
    char *signing = vault_seal(tools, &(struct vault_place){ADA, VAULT_SIGNING}, "whsec_new");
    people_refresh(people, "integrator", NULL);
    struct store_integrator_row ada = {
        .integrator_id = ADA, .name = "ada", .enabled = true, .signing_keys = {{signing, 0}}};
    played.integrators(played.arg, STORE_APPLIED, &ada);
    played.integrators(played.arg, STORE_APPLIED, NULL);
    answer_keys();
    ck_assert_str_eq(people_integrator(people, ADA)->signing_keys[0], "whsec_new");
    free(signing);
    vault_free(&tools);
}
END_TEST

START_TEST(without_a_master_key_what_is_sealed_holds_its_integrator)
{
    open_people_with(NULL);
    people_refresh(people, NULL, NULL);
    struct store_integrator_row ada = {.integrator_id = ADA,
                                       .name = "ada",
                                       .enabled = true,
                                       .signing_keys = {{"sealed:00000000:AAAA", 0}}};
    struct store_integrator_row bob = {.integrator_id = BOB,
                                       .name = "bob",
                                       .enabled = true,
                                       .present_api_key = "his key",
                                       .signing_keys = {{"whsec_c", 0}}};
    played.integrators(played.arg, STORE_APPLIED, &ada);
    played.integrators(played.arg, STORE_APPLIED, &bob);
    played.integrators(played.arg, STORE_APPLIED, NULL);
    is_unreadable();
    bob_is_served();
    answer_keys();
    answer_grants();
    tear_down();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("people");
    TCase *tests = tcase_create("people");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, either_kind_alone_suffices_and_one_wrong_spoils_both, 0,
                        ARRAY_SIZE(CASES));
    tcase_add_test(tests, a_malformed_header_spoils_a_right_key);
    tcase_add_test(tests, a_password_is_checked_once_and_then_remembered);
    tcase_add_test(tests, a_withdrawn_password_counts_no_more_once_the_keys_were_reread);
    tcase_add_test(tests, the_same_password_at_once_is_one_check_and_too_many_others_are_refused);
    tcase_add_test(tests, a_check_under_way_is_answered_even_when_people_go);
    tcase_add_test(tests, a_disabled_integrator_is_wrong_at_once);
    tcase_add_test(tests, who_changed_is_told_and_who_did_not_is_not);
    tcase_add_test(tests, grants_are_of_one_integrator_and_one_machine);
    tcase_add_test(tests, until_all_is_read_nothing_is_loaded_and_a_failure_keeps_what_was_known);
    tcase_add_test(tests, a_change_during_a_reading_is_read_again);
    tcase_add_test(tests, an_answer_of_the_store_may_come_after_the_end);
    suite_add_tcase(suite, tests);
    TCase *sealed = tcase_create("sealed");
    tcase_add_checked_fixture(sealed, open_people_with_vault, close_people_with_vault);
    tcase_add_test(sealed, sealed_secrets_are_opened_and_those_in_the_clear_still_work);
    tcase_add_test(sealed, who_has_a_secret_of_another_row_is_held_and_nobody_else);
    tcase_add_test(sealed, who_was_held_for_an_unreadable_secret_is_told_of_when_it_can_be_read);
    tcase_add_test(sealed, a_master_key_that_came_meanwhile_is_used_without_a_restart);
    suite_add_tcase(suite, sealed);
    TCase *keyless = tcase_create("keyless");
    tcase_add_test(keyless, without_a_master_key_what_is_sealed_holds_its_integrator);
    suite_add_tcase(suite, keyless);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
