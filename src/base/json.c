#include "base/json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void json_release(json_t **json)
{
    json_decref(TAKE(*json));
}

/* jansson itself only stops at 2048, deep enough to hurt its recursion. Strings are skipped;
 * whether the text is well-formed is for jansson to say. */
static bool is_too_deep(const char *bytes, size_t size)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < size; i++) {
        char byte = bytes[i];
        if (in_text && byte == '\\')
            i++; /* whatever is escaped does not end the string */
        else if (byte == '"')
            in_text = !in_text;
        else if (!in_text && (byte == '{' || byte == '[') && ++depth > JSON_DEPTH_MAX)
            return true;
        else if (!in_text && (byte == '}' || byte == ']') && depth > 0)
            depth--;
    }
    return false;
}

/* jansson's text quotes what it read and may cut a character in two; ours goes into an answer and
 * into a log. */
static void copy_printable(char *text, size_t size, const char *from)
{
    size_t used = 0;
    for (size_t left = strlen(from), step; left; from += step, left -= step) {
        step = utf8_printable(from, left);
        if (used + (step ? step : 1) >= size)
            break;
        if (step)
            memcpy(text + used, from, step);
        else
            text[used] = '?';
        used += step ? step : 1;
        if (step == 0)
            step = 1;
    }
    text[used] = '\0';
}

static void describe(const json_error_t *error, char ret_error[static JSON_ERROR_SIZE])
{
    char whole[sizeof(error->text) + 64];
    snprintf(whole, sizeof(whole), "malformed JSON (line %d, column %d): %s", error->line,
             error->column, error->text);
    copy_printable(ret_error, JSON_ERROR_SIZE, whole);
}

json_t *json_read_object(const char *bytes, size_t size, char ret_error[static JSON_ERROR_SIZE])
{
    json_error_t error;
    if (is_too_deep(bytes, size)) {
        snprintf(ret_error, JSON_ERROR_SIZE, "JSON nested deeper than %d levels", JSON_DEPTH_MAX);
        return NULL;
    }
    json_t *json = json_loadb(size ? bytes : "", size, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        describe(&error, ret_error);
        return NULL;
    }
    if (!json_is_object(json)) {
        snprintf(ret_error, JSON_ERROR_SIZE, "the document must be one JSON object");
        json_release(&json);
    }
    return json;
}

static bool is_in_range(const struct json_field *field, int64_t value)
{
    return field->min <= value && value <= field->max;
}

/* Whether every character is one that the field allows. */
static bool is_text_allowed(const struct json_field *field, const char *text, size_t size)
{
    for (size_t i = 0, step; i < size; i += step) {
        step = field->allowed ? strchr(field->allowed, text[i]) != NULL
                              : utf8_printable(text + i, size - i);
        if (step == 0)
            return false;
    }
    return true;
}

static enum json_verdict read_text(const json_t *value, const struct json_field *field,
                                   void *ret_value)
{
    if (!json_is_string(value))
        return JSON_BAD_TYPE;
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (!is_in_range(field, (int64_t)size) || !is_text_allowed(field, text, size))
        return JSON_BAD_VALUE;
    memcpy(ret_value, text, size + 1);
    return JSON_OK;
}

static enum json_verdict read_integer(const json_t *value, const struct json_field *field,
                                      void *ret_value)
{
    if (!json_is_integer(value))
        return JSON_BAD_TYPE;
    int64_t number = json_integer_value(value);
    if (!is_in_range(field, number))
        return JSON_BAD_VALUE;
    memcpy(ret_value, &number, sizeof(number));
    return JSON_OK;
}

static enum json_verdict read_bool(const json_t *value, const struct json_field *field UNUSED,
                                   void *ret_value)
{
    if (!json_is_boolean(value))
        return JSON_BAD_TYPE;
    bool answer = json_is_true(value);
    memcpy(ret_value, &answer, sizeof(answer));
    return JSON_OK;
}

static enum json_verdict read_json(const json_t *value, const struct json_field *field,
                                   void *ret_value)
{
    if (!json_is_array(value) && !json_is_object(value))
        return JSON_BAD_TYPE;
    size_t size = json_is_array(value) ? json_array_size(value) : json_object_size(value);
    if (!is_in_range(field, (int64_t)size))
        return JSON_BAD_VALUE;
    *(const json_t **)ret_value = value;
    return JSON_OK;
}

static const struct {
    enum json_verdict (*read)(const json_t *value, const struct json_field *field, void *ret_value);
    const char *type; /* "must be ..." */
    const char *range,
        *unit; /* what stands before and behind "min to max"; NULL: there is no range */
} KINDS[] = {
    [JSON_FIELD_TEXT] = {read_text, "a string", " of ", " bytes"},
    [JSON_FIELD_INTEGER] = {read_integer, "an integer", " from ", ""},
    [JSON_FIELD_BOOL] = {read_bool, "true or false", NULL, NULL},
    [JSON_FIELD_JSON] = {read_json, "an array or object", " of ", " entries"},
};

static enum json_verdict read_field(const json_t *object, const struct json_field *field,
                                    void *ret_struct)
{
    const json_t *value = json_object_get(object, field->name);
    bool present = value && !json_is_null(value);
    if (field->present_offset != SIZE_MAX)
        memcpy((char *)ret_struct + field->present_offset, &present, sizeof(present));
    if (!present)
        return field->required ? JSON_MISSING : JSON_OK;
    return KINDS[field->kind].read(value, field, (char *)ret_struct + field->offset);
}

static const char *characters_of(const struct json_field *field)
{
    if (field->kind != JSON_FIELD_TEXT)
        return "";
    return field->allowed ? " of the allowed characters" : " without control characters";
}

static void explain(enum json_verdict verdict, const struct json_field *field,
                    char ret_error[static JSON_ERROR_SIZE])
{
    char range[64] = "";
    if (KINDS[field->kind].range)
        snprintf(range, sizeof(range), "%s%" PRId64 " to %" PRId64 "%s", KINDS[field->kind].range,
                 field->min, field->max, KINDS[field->kind].unit);
    snprintf(ret_error, JSON_ERROR_SIZE, "field '%s' %s %s%s%s", field->name,
             verdict == JSON_MISSING ? "is required and must be" : "must be",
             KINDS[field->kind].type, range, characters_of(field));
}

enum json_verdict json_fields_read(const json_t *object, const struct json_field *fields,
                                   size_t count, void *ret_struct,
                                   char ret_error[static JSON_ERROR_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        enum json_verdict verdict = read_field(object, &fields[i], ret_struct);
        if (verdict == JSON_OK)
            continue;
        explain(verdict, &fields[i], ret_error);
        return verdict;
    }
    return JSON_OK;
}
