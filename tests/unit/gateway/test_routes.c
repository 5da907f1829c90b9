#include "gateway/routes.h"

#include "base/macros.h"
#include "base/memory.h"
#include "gateway/reception.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT "docs/openapi.yaml" /* tests run in the root of the repository */
#define DOCUMENTED_MAX 64

struct documented {
    char path[128], method[16];
};

/* The lines between `paths:` and the next line that is not indented: two blanks and a path, four
 * and a method. */
static size_t read_document(struct documented found[static DOCUMENTED_MAX])
{
    FILE *file = fopen(DOCUMENT, "r");
    ck_assert_msg(file != NULL, "%s cannot be read", DOCUMENT);
    char line[1024], path[128] = "", method[16];
    bool inside = false;
    size_t count = 0;
    while (fgets(line, sizeof(line), file)) {
        if (line[0] != ' ' && line[0] != '\n')
            inside = strcmp(line, "paths:\n") == 0;
        if (!inside)
            continue;
        if (strncmp(line, "  /", 3) == 0)
            ck_assert_int_eq(sscanf(line, "  %127[/a-z_]:", path), 1);
        if (strncmp(line, "    ", 4) == 0 && line[4] != ' ' &&
            sscanf(line, "    %15[a-z]:", method) == 1) {
            ck_assert_uint_lt(count, DOCUMENTED_MAX);
            memcpy(found[count].path, path, sizeof(path));
            memcpy(found[count++].method, method, sizeof(method));
        }
    }
    fclose(file);
    return count;
}

static bool is_served(const struct documented *documented)
{
    const struct route *route = routes_find(SURFACE_API, documented->path);
    return route && strcasecmp(route->method, documented->method) == 0;
}

static bool is_documented(const struct route *route, const struct documented *documented,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(route->path, documented[i].path) == 0 &&
            strcasecmp(route->method, documented[i].method) == 0)
            return true;
    return false;
}

START_TEST(the_document_tells_every_path_of_the_api_and_no_other)
{
    struct documented documented[DOCUMENTED_MAX];
    size_t count = read_document(documented), served = 0;
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(is_served(&documented[i]), "%s %s is documented, not served",
                      documented[i].method, documented[i].path);
    const struct route *routes = routes_all(&served);
    for (size_t i = 0; i < served; i++)
        ck_assert_msg(routes[i].surface != SURFACE_API ||
                          is_documented(&routes[i], documented, count),
                      "%s %s is served, not documented", routes[i].method, routes[i].path);
}
END_TEST

/* All but what only operators hear, at the admin socket. */
START_TEST(the_document_tells_every_reason_code_that_integrators_hear)
{
    FILE *file = fopen(DOCUMENT, "r");
    ck_assert_ptr_nonnull(file);
    static char text[256 * 1024];
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        const char *code = reason_info((enum reason)i)->code;
        char line[128];
        snprintf(line, sizeof(line), "        - %s\n", code);
        bool heard_by_integrators = i != REASON_NOT_IN_DOUBT;
        ck_assert_msg((strstr(text, line) != NULL) == heard_by_integrators, "%s", code);
    }
}
END_TEST

START_TEST(a_path_is_served_at_the_root_and_under_the_published_base)
{
    size_t count = 0;
    const struct route *routes = routes_all(&count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_eq(routes_find(routes[i].surface, routes[i].path), &routes[i]);
        char *based = memory_format("%s%s", ROUTES_BASE_PATH, routes[i].path);
        const struct route *found = routes_find(routes[i].surface, based);
        ck_assert_ptr_eq(found, routes[i].surface == SURFACE_API ? &routes[i] : NULL);
        free(based);
    }
}
END_TEST

static const char *const UNKNOWN[] = {
    "",
    "/",
    "/api",
    "/api/lock/",
    "/api/Lock",
    "//api/lock",
    "/connectivity-platform",
    "/connectivity-platform/",
    "/connectivity-platform/connectivity-platform/api/lock",
    "/connectivity-platformapi/lock",
    "/metrics",
    "/admin/status",
};

START_TEST(any_other_path_is_unknown_to_integrators)
{
    ck_assert_ptr_null(routes_find(SURFACE_API, UNKNOWN[_i]));
}
END_TEST

START_TEST(health_can_be_asked_without_a_body_and_calls_cannot)
{
    const struct route *livez = routes_find(SURFACE_PRIVATE, "/livez");
    ck_assert(route_takes(livez, "GET") && route_takes(livez, "HEAD") &&
              !route_takes(livez, "POST"));
    ck_assert_str_eq(route_allow(livez), "GET, HEAD");
    const struct route *lock = routes_find(SURFACE_API, "/api/lock");
    ck_assert(route_takes(lock, "POST") && !route_takes(lock, "GET") && !route_takes(lock, "post"));
    ck_assert_str_eq(route_allow(lock), "POST");
}
END_TEST

static const struct {
    const char *type;
    bool json;
} TYPES[] = {
    {"application/json", true},
    {"Application/JSON", true},
    {"application/json; charset=utf-8", true},
    {"application/json ;charset=UTF-8", true},
    {"application/json;", true},
    {"application/jsonp", false},
    {"application/json-patch+json", false},
    {"application/json, text/plain", false},
    {"text/json", false},
    {"", false},
    {NULL, false},
};

START_TEST(only_json_is_taken)
{
    ck_assert(reception_is_json(TYPES[_i].type) == TYPES[_i].json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("routes");
    TCase *routes = tcase_create("routes");
    tcase_add_test(routes, the_document_tells_every_path_of_the_api_and_no_other);
    tcase_add_test(routes, the_document_tells_every_reason_code_that_integrators_hear);
    tcase_add_test(routes, a_path_is_served_at_the_root_and_under_the_published_base);
    tcase_add_loop_test(routes, any_other_path_is_unknown_to_integrators, 0, ARRAY_SIZE(UNKNOWN));
    tcase_add_test(routes, health_can_be_asked_without_a_body_and_calls_cannot);
    tcase_add_loop_test(routes, only_json_is_taken, 0, ARRAY_SIZE(TYPES));
    suite_add_tcase(suite, routes);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
