#include "base/config_value.h"

#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Small units first. */
static const struct unit NO_UNITS[] = {{"", 1}, {NULL, 0}};
static const struct unit DURATIONS[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60 * 1000}, {"h", 60 * 60 * 1000}, {NULL, 0}};
static const struct unit SIZES[] = {
    {"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}, {NULL, 0}};

static const struct {
    const char *noun; /* as in "must be <noun> <range>" */
    const char *preposition;
    const struct unit *units; /* NULL: not a number */
    const char *behind;       /* the range */
} KINDS[] = {
    [CONFIG_TEXT] = {"a text", "of", NULL, " bytes"},
    [CONFIG_INTEGER] = {"a number", "from", NO_UNITS, ""},
    [CONFIG_BOOL] = {"yes or no", NULL, NULL, NULL},
    [CONFIG_DURATION] = {"a duration", "from", DURATIONS, ""},
    [CONFIG_SIZE] = {"a size", "from", SIZES, ""},
};

static bool parse_bool(const char *text, int64_t *ret_number)
{
    bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0)
        return false;
    *ret_number = yes;
    return true;
}

/* Digits with an optional minus, then one of the units and nothing else. */
static bool parse_number(const char *text, const struct unit *units, int64_t *ret_number)
{
    if (!isdigit((unsigned char)text[*text == '-']))
        return false; /* strtoll() would take blanks and a plus sign */
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno == ERANGE)
        return false;
    for (; units->name; units++)
        if (strcmp(units->name, end) == 0)
            return !__builtin_mul_overflow(number, units->factor, ret_number);
    return false;
}

bool config_value_parse(const struct config_key *key, const char *text, int64_t *ret_number)
{
    int64_t number;
    if (key->kind == CONFIG_BOOL)
        return parse_bool(text, ret_number);
    if (key->kind == CONFIG_TEXT)
        number = (int64_t)strlen(text);
    else if (!parse_number(text, KINDS[key->kind].units, &number))
        return false;
    if (number < key->min || number > key->max)
        return false;
    *ret_number = number;
    return true;
}

/* In the largest unit that needs no fraction. */
static char *format_number(enum config_kind kind, int64_t number)
{
    const struct unit *best = KINDS[kind].units ? KINDS[kind].units : NO_UNITS;
    for (const struct unit *unit = best; unit->name; unit++)
        if (number != 0 && number % unit->factor == 0)
            best = unit;
    return memory_format("%" PRId64 "%s", number / best->factor, best->name);
}

char *config_value_describe(const struct config_key *key)
{
    const char *noun = KINDS[key->kind].noun;
    if (!KINDS[key->kind].preposition)
        return memory_text(noun);
    _cleanup_(memory_text_free) char *min = format_number(key->kind, key->min);
    _cleanup_(memory_text_free) char *max = format_number(key->kind, key->max);
    return memory_format("%s %s %s to %s%s", noun, KINDS[key->kind].preposition, min, max,
                         KINDS[key->kind].behind);
}

char *config_variable(const struct config_key *key)
{
    char *name = memory_format("VENDGATE_%s_%s", key->section, key->name);
    for (char *letter = name; *letter; letter++)
        *letter = isalnum((unsigned char)*letter) ? (char)toupper((unsigned char)*letter) : '_';
    return name;
}
