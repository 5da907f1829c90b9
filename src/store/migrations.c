#include "store/migrations.h"

#include "base/macros.h"

/* The assembler reads the file, so that the programs need no other file at run time and the SQL
 * stays SQL. */
#define EMBED(symbol, path)                                                 \
    extern const char symbol[];                                             \
    __asm__(".section .rodata\n" #symbol ": .incbin \"sql/migrations/" path \
            "\"\n.byte 0\n.previous\n")

EMBED(migration_0001, "0001_core.sql");
EMBED(migration_0002, "0002_outcomes.sql");
EMBED(migration_0003, "0003_settlements.sql");
EMBED(migration_0004, "0004_callbacks.sql");

static const struct store_migration MIGRATIONS[] = {
    {1, "core", migration_0001},
    {2, "outcomes", migration_0002},
    {3, "settlements", migration_0003},
    {4, "callbacks", migration_0004},
};

const struct store_migration *store_migrations(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(MIGRATIONS);
    return MIGRATIONS;
}

int64_t store_schema_version(void)
{
    return MIGRATIONS[ARRAY_SIZE(MIGRATIONS) - 1].version;
}
