/* The reference documentation, written from the same table that reads the file: it cannot lag
 * behind. */
#include "base/config_value.h"
#include "base/memory.h"

#include <ctype.h>
#include <string.h>

enum { TEXT_WIDTH = 96 };

static const char INTRODUCTION[] = "Every key stands here with its default. To change one, remove "
                                   "the '#' in front of it and write another value; "
                                   "a key that stands without '#' is required.";
static const char RULES[] =
    "Durations are written with a unit: 500ms, 5s, 2min, 1h. Sizes are written as 4096, 16KiB, "
    "1MiB or 1GiB. A comment "
    "has a line of its own: '#' or ';' behind a value is part of the value. An unknown section or "
    "key, a "
    "value out of its range and a key given twice are errors, and the program does not start.";
static const char OVERRIDES[] =
    "An environment variable overrides the file; its name stands with each key.";

/* As comment lines, broken at blanks. */
static void write_comment(const char *text, FILE *out)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > TEXT_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, column ? " %.*s" : "# %.*s", (int)word, text);
        text += word + strspn(text + word, " ");
    }
    fputc('\n', out);
}

static void write_key(const struct config_key *key, FILE *out)
{
    _cleanup_(memory_text_free) char *range = config_value_describe(key);
    _cleanup_(memory_text_free) char *variable = config_variable(key);
    _cleanup_(memory_text_free) char *facts =
        memory_format("%s%s. Environment: %s", key->standard ? "" : "Required: ", range, variable);
    facts[0] = (char)toupper((unsigned char)facts[0]);
    write_comment(key->help, out);
    write_comment(facts, out);
    fprintf(out, "%s%s =%s%s\n", key->standard ? "#" : "", key->name,
            key->standard && *key->standard ? " " : "", key->standard ? key->standard : "");
}

void config_write_example(const struct config_key *keys, size_t count, FILE *out)
{
    write_comment(INTRODUCTION, out);
    fputs("#\n", out);
    write_comment(RULES, out);
    fputs("#\n", out);
    write_comment(OVERRIDES, out);
    const char *section = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, keys[i].section) != 0)
            fprintf(out, "\n\n[%s]\n", keys[i].section);
        section = keys[i].section;
        fputc('\n', out);
        write_key(&keys[i], out);
    }
}
