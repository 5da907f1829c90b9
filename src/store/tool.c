#include "store/tool.h"

#include "base/macros.h"
#include "base/memory.h"
#include "store/migrations.h"
#include "store/tool_internal.h"
#include "store/tool_statements.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Types of columns that JSON knows too (pg_type.oid is fixed for built-in types). */
enum {
    TYPE_BOOL = 16,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_JSON = 114,
    TYPE_JSONB = 3802
};

#define MIGRATION_LOCK "7310585091264963393" /* any number that nobody else uses */

struct store_tool {
    PGconn *connection;
};

static void result_done(PGresult **result)
{
    PQclear(*result);
}

/* One line, without libpq's newline at the end. */
static void error_set(char ret_error[static STORE_ERROR_SIZE], const char *text)
{
    int size = snprintf(ret_error, STORE_ERROR_SIZE, "%s", text);
    while (size > 0 && (size >= STORE_ERROR_SIZE || ret_error[size - 1] == '\n'))
        ret_error[--size] = '\0';
}

int store_tool_open(const char *conninfo, struct store_tool **ret_tool,
                    char ret_error[static STORE_ERROR_SIZE])
{
    const char *const keys[] = {"connect_timeout", "fallback_application_name", "options", "dbname",
                                NULL};
    const char *const values[] = {
        "10", "vendctl",
        "-c client_min_messages=warning -c lock_timeout=60s -c timezone=UTC -c jit=off", conninfo,
        NULL};
    PGconn *connection = PQconnectdbParams(keys, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        error_set(ret_error, PQerrorMessage(connection));
        PQfinish(connection);
        return -ECONNREFUSED;
    }
    struct store_tool *tool = memory_zero(1, sizeof(*tool));
    tool->connection = connection;
    *ret_tool = tool;
    return 0;
}

void store_tool_close(struct store_tool **tool)
{
    struct store_tool *old = TAKE(*tool);
    if (!old)
        return;
    PQfinish(old->connection);
    free(old);
}

static void explain(const PGresult *result, char ret_error[static STORE_ERROR_SIZE])
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *meaning = constraint ? tool_constraint_meaning(constraint) : NULL;
    if (state && (!strcmp(state, "42P01") || !strcmp(state, "42703") || !strcmp(state, "42883")))
        error_set(ret_error, "the database has no or an older schema: run `vendctl migrate`");
    else
        error_set(ret_error, meaning ? meaning : PQresultErrorMessage(result));
}

/* The result, or NULL and the reason. */
static PGresult *run(struct store_tool *tool, const char *sql, const char *const *parameters,
                     size_t count, char ret_error[static STORE_ERROR_SIZE])
{
    PGresult *result =
        PQexecParams(tool->connection, sql, (int)count, NULL, parameters, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return result;
    explain(result, ret_error);
    PQclear(result);
    return NULL;
}

static bool run_plain(struct store_tool *tool, const char *sql,
                      char ret_error[static STORE_ERROR_SIZE])
{
    _cleanup_(result_done) PGresult *result = run(tool, sql, NULL, 0, ret_error);
    return result;
}

static json_t *cell_json(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return json_null();
    const char *text = PQgetvalue(result, row, column);
    json_t *value = NULL;
    switch (PQftype(result, column)) {
    case TYPE_BOOL:
        return json_boolean(text[0] == 't');
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return json_integer(strtoll(text, NULL, 10));
    case TYPE_JSON:
    case TYPE_JSONB:
        value = json_loads(text, JSON_DECODE_ANY, NULL);
        break;
    default:
        break;
    }
    return value ? value : json_string(text);
}

static json_t *rows_json(const PGresult *result)
{
    json_t *rows = json_array();
    for (int row = 0; row < PQntuples(result); row++) {
        json_t *object = json_object();
        for (int column = 0; column < PQnfields(result); column++)
            json_object_set_new(object, PQfname(result, column), cell_json(result, row, column));
        json_array_append_new(rows, object);
    }
    return rows;
}

json_t *tool_query(struct store_tool *tool, const char *sql, const char *const *parameters,
                   size_t count, char ret_error[static STORE_ERROR_SIZE])
{
    _cleanup_(result_done) PGresult *result = run(tool, sql, parameters, count, ret_error);
    return result ? rows_json(result) : NULL;
}

json_t *store_tool_run(struct store_tool *tool, const char *name, const char *const *parameters,
                       size_t count, char ret_error[static STORE_ERROR_SIZE])
{
    const struct tool_statement *statement = tool_statement_find(name);
    assert(statement && statement->parameters == count);
    return tool_query(tool, statement->sql, parameters, count, ret_error);
}

/* The migrations are applied under this lock, one program at a time. */
static bool migration_begin(struct store_tool *tool, char ret_error[static STORE_ERROR_SIZE])
{
    return run_plain(tool, "BEGIN", ret_error) &&
           run_plain(tool, "SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")", ret_error) &&
           run_plain(tool,
                     "CREATE TABLE IF NOT EXISTS schema_migration (version bigint PRIMARY KEY, "
                     "name text NOT NULL,"
                     " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
                     ret_error) &&
           run_plain(tool,
                     "COMMENT ON TABLE schema_migration IS 'The migrations that were applied.';",
                     ret_error) &&
           run_plain(tool, "COMMENT ON COLUMN schema_migration.version IS 'Number of its file.'",
                     ret_error) &&
           run_plain(tool, "COMMENT ON COLUMN schema_migration.name IS 'Name of its file.'",
                     ret_error) &&
           run_plain(tool, "COMMENT ON COLUMN schema_migration.sha256 IS 'SHA-256 of its text.'",
                     ret_error) &&
           run_plain(tool, "COMMENT ON COLUMN schema_migration.applied_at IS 'When.'", ret_error);
}

static int check_not_newer(struct store_tool *tool, char ret_error[static STORE_ERROR_SIZE])
{
    _cleanup_(result_done) PGresult *result =
        run(tool, "SELECT coalesce(max(version), 0) FROM schema_migration", NULL, 0, ret_error);
    if (!result)
        return -EIO;
    int64_t version = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    if (version <= store_schema_version())
        return 0;
    snprintf(ret_error, STORE_ERROR_SIZE,
             "the database's schema is version %lld, newer than this program's %lld",
             (long long)version, (long long)store_schema_version());
    return -EPROTO;
}

/* 1: applied now, 0: was there already. */
static int migration_apply(struct store_tool *tool, const struct store_migration *migration,
                           char ret_error[static STORE_ERROR_SIZE])
{
    char version[24];
    snprintf(version, sizeof(version), "%lld", (long long)migration->version);
    const char *const parameters[] = {version, migration->name, migration->sql};
    _cleanup_(result_done) PGresult *known =
        run(tool,
            "WITH new AS (INSERT INTO schema_migration (version, name, sha256)"
            " VALUES ($1::bigint, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex')) ON CONFLICT "
            "DO NOTHING RETURNING 1)"
            " SELECT EXISTS (SELECT FROM new),"
            " (SELECT sha256 = encode(sha256(convert_to($3, 'UTF8')), 'hex') FROM schema_migration "
            "WHERE version = $1::bigint)",
            parameters, ARRAY_SIZE(parameters), ret_error);
    if (!known)
        return -EIO;
    if (PQgetvalue(known, 0, 0)[0] != 't') {
        if (PQgetvalue(known, 0, 1)[0] == 't')
            return 0;
        snprintf(ret_error, STORE_ERROR_SIZE,
                 "migration %s_%s was applied from another text than this program's", version,
                 migration->name);
        return -EPROTO;
    }
    _cleanup_(result_done) PGresult *done =
        PQexec(tool->connection, migration->sql); /* many statements at once */
    ExecStatusType status = PQresultStatus(done);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return 1;
    error_set(ret_error, PQresultErrorMessage(done));
    return -EIO;
}

static int migrate_all(struct store_tool *tool, int *ret_applied,
                       char ret_error[static STORE_ERROR_SIZE])
{
    if (!migration_begin(tool, ret_error))
        return -EIO;
    int result = check_not_newer(tool, ret_error);
    size_t count;
    const struct store_migration *migrations = store_migrations(&count);
    int applied = 0;
    for (size_t i = 0; i < count && result >= 0; i++) {
        result = migration_apply(tool, &migrations[i], ret_error);
        applied += result == 1;
    }
    if (result < 0)
        return result;
    if (!run_plain(tool, "SELECT grant_to_roles(), make_partitions(7)", ret_error) ||
        !run_plain(tool, "COMMIT", ret_error))
        return -EIO;
    *ret_applied = applied;
    return 0;
}

int store_tool_migrate(struct store_tool *tool, int *ret_applied,
                       char ret_error[static STORE_ERROR_SIZE])
{
    int result = migrate_all(tool, ret_applied, ret_error);
    char ignored[STORE_ERROR_SIZE];
    if (result < 0)
        (void)run_plain(tool, "ROLLBACK", ignored);
    return result;
}
