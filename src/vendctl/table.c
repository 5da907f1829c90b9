#include "vendctl/table.h"

#include "base/macros.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32
#define SECOND_SIZE 19 /* "2026-01-31 12:00:00" of a time with fractions and zone */

/* PostgreSQL's times as people read them: to the second. */
static bool is_time(const char *text)
{
    return strlen(text) > SECOND_SIZE && text[4] == '-' && text[7] == '-' &&
           (text[10] == ' ' || text[10] == 'T') && text[13] == ':' && text[16] == ':' &&
           (text[SECOND_SIZE] == '.' || text[SECOND_SIZE] == '+');
}

static void make_printable(char *text)
{
    while (*text) {
        size_t size = utf8_printable(text, strlen(text));
        if (!size)
            *text = '?';
        text += size ? size : 1;
    }
}

/* free() the result. */
static char *cell_text(const json_t *value)
{
    char *text;
    switch (json_typeof(value)) {
    case JSON_NULL:
        return memory_text("-");
    case JSON_TRUE:
        return memory_text("yes");
    case JSON_FALSE:
        return memory_text("no");
    case JSON_INTEGER:
        return memory_format("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_STRING:
        text = memory_text(json_string_value(value));
        if (is_time(text))
            text[SECOND_SIZE] = '\0';
        break;
    default:
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        break;
    }
    make_printable(text);
    return text;
}

/* Characters, not bytes: each UTF-8 character counts one place. */
static size_t width(const char *text)
{
    size_t places = 0;
    for (; *text; text++)
        places += ((unsigned char)*text & 0xC0) != 0x80;
    return places;
}

static void put_padded(const char *text, size_t places, bool right, bool last, FILE *out)
{
    size_t used = width(text);
    int padding = used < places ? (int)(places - used) : 0;
    if (right)
        fprintf(out, "%*s%s", padding, "", text);
    else
        fprintf(out, "%s%*s", text, last ? 0 : padding, "");
    fputs(last ? "\n" : "  ", out);
}

struct column {
    const char *name;
    size_t width;
    bool numbers;
};

static size_t columns_measure(const json_t *rows, struct column *ret_columns)
{
    size_t count = 0, index;
    const char *key;
    json_t *value, *row;
    json_object_foreach(json_array_get(rows, 0), key, value)
    {
        if (count == COLUMNS_MAX)
            break;
        ret_columns[count++] =
            (struct column){.name = key, .width = width(key), .numbers = json_is_integer(value)};
    }
    json_array_foreach(rows, index, row)
    {
        for (size_t i = 0; i < count; i++) {
            _cleanup_(memory_text_free) char *text =
                cell_text(json_object_get(row, ret_columns[i].name));
            size_t used = width(text);
            if (used > ret_columns[i].width)
                ret_columns[i].width = used;
        }
    }
    return count;
}

void table_print(const json_t *rows, FILE *out)
{
    if (json_array_size(rows) == 0) {
        fputs("(none)\n", out);
        return;
    }
    struct column columns[COLUMNS_MAX];
    size_t count = columns_measure(rows, columns), index;
    for (size_t i = 0; i < count; i++)
        put_padded(columns[i].name, columns[i].width, columns[i].numbers, i + 1 == count, out);
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        for (size_t i = 0; i < count; i++) {
            _cleanup_(memory_text_free) char *text =
                cell_text(json_object_get(row, columns[i].name));
            put_padded(text, columns[i].width, columns[i].numbers, i + 1 == count, out);
        }
    }
}

static void put_items(const json_t *items, FILE *out)
{
    size_t index;
    json_t *item, *value;
    const char *key;
    json_array_foreach(items, index, item)
    {
        fputs("   ", out);
        if (!json_is_object(item)) {
            _cleanup_(memory_text_free) char *text = cell_text(item);
            fprintf(out, " %s", text);
        }
        json_object_foreach(item, key, value)
        {
            _cleanup_(memory_text_free) char *text = cell_text(value);
            if (!json_is_null(value))
                fprintf(out, " %s=%s", key, text);
        }
        fputs("\n", out);
    }
}

void table_print_object(const json_t *object, FILE *out)
{
    size_t widest = 0;
    const char *key;
    json_t *value;
    void *iterator;
    for (iterator = json_object_iter((json_t *)(uintptr_t)object); iterator;
         iterator = json_object_iter_next((json_t *)(uintptr_t)object, iterator))
        if (width(json_object_iter_key(iterator)) > widest)
            widest = width(json_object_iter_key(iterator));
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        _cleanup_(memory_text_free) char *text =
            json_is_array(value) ? memory_text("") : cell_text(value);
        fprintf(out, "%s:%*s%s\n", key, (int)(widest - width(key)) + 1, "", text);
        put_items(value, out);
    }
}
