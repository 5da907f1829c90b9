/* run.c - the store against a real PostgreSQL: VENDGATE_TEST_DATABASE_URL names a database that is
 * free for the test. */
#include "world.h"

#include "store/tool.h"

#include <stdio.h>
#include <stdlib.h>

static bool migrate(const char *url)
{
    struct store_tool *tool = NULL;
    char error[STORE_ERROR_SIZE];
    int applied;
    bool done =
        store_tool_open(url, &tool, error) == 0 && store_tool_migrate(tool, &applied, error) == 0;
    if (!done)
        fprintf(stderr, "%s: %s\n", url, error);
    store_tool_close(&tool);
    return done;
}

int main(void)
{
    const char *url = getenv("VENDGATE_TEST_DATABASE_URL");
    if (!url) {
        fputs("VENDGATE_TEST_DATABASE_URL is not set\n", stderr);
        return EXIT_FAILURE;
    }
    if (!migrate(url))
        return EXIT_FAILURE;
    Suite *suite = suite_create("store");
    suite_add_tcase(suite, steps_tests());
    suite_add_tcase(suite, succession_tests());
    suite_add_tcase(suite, outcomes_tests());
    suite_add_tcase(suite, data_tests());
    suite_add_tcase(suite, feed_tests());
    suite_add_tcase(suite, adoption_tests());
    suite_add_tcase(suite, batch_tests());
    suite_add_tcase(suite, loss_tests());
    suite_add_tcase(suite, hanging_tests());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
