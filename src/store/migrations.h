/* migrations.h - the schema, built into the program at build time from sql/migrations/. */
#ifndef VENDGATE_STORE_MIGRATIONS_H
#define VENDGATE_STORE_MIGRATIONS_H

#include <stddef.h>
#include <stdint.h>

struct store_migration {
    int64_t version;  /* rises by one from row to row, from 1 */
    const char *name; /* of its file, without the number and ".sql" */
    const char *sql;  /* ends in a NUL */
};

/* In the order of application. */
const struct store_migration *store_migrations(size_t *ret_count);
/* The version of the schema that this program is written for. */
int64_t store_schema_version(void);

#endif
