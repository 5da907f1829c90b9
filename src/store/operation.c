#include "store/operation.h"

#include "base/macros.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct operation *operation_new(enum statement statement, operation_finish *finish, void *arg)
{
    struct operation *operation = memory_zero(1, sizeof(*operation));
    operation->statement = statement;
    operation->finish = finish;
    operation->arg = arg;
    buffer_init(&operation->parameters.bytes, SIZE_MAX);
    return operation;
}

void operation_free(struct operation **operation)
{
    struct operation *old = TAKE(*operation);
    if (!old)
        return;
    PQclear(old->rows);
    buffer_done(&old->parameters.bytes);
    free(old);
}

static void put(struct operation *operation, const void *bytes, size_t size)
{
    int result = buffer_add(&operation->parameters.bytes, bytes, size);
    assert(result == 0); /* the buffer has no limit */
}

static void value_open(struct operation *operation, bool null, bool binary)
{
    struct parameters *parameters = &operation->parameters;
    assert(parameters->count + 2 < PARAMETERS_MAX);
    parameters->values[parameters->count].offset = parameters->bytes.size;
    parameters->values[parameters->count].null = null;
    parameters->values[parameters->count].binary = binary;
    parameters->count++;
}

static void value_close(struct operation *operation)
{
    struct parameters *parameters = &operation->parameters;
    size_t offset = parameters->values[parameters->count - 1].offset;
    parameters->values[parameters->count - 1].size = parameters->bytes.size - offset;
    put(operation, "", 1);
}

static void put_integer(struct operation *operation, int64_t value)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%" PRId64, value);
    put(operation, digits, (size_t)size);
}

void operation_add_null(struct operation *operation)
{
    value_open(operation, true, false);
}

void operation_add_integer(struct operation *operation, int64_t value)
{
    value_open(operation, false, false);
    put_integer(operation, value);
    value_close(operation);
}

void operation_add_integer_or_null(struct operation *operation, int64_t value, int64_t null_value)
{
    if (value == null_value)
        operation_add_null(operation);
    else
        operation_add_integer(operation, value);
}

void operation_add_time(struct operation *operation, int64_t time_ms)
{
    operation_add_integer_or_null(operation, time_ms == 0 ? 0 : time_ms + operation->shift_ms, 0);
}

void operation_add_bool(struct operation *operation, bool value)
{
    operation_add_text(operation, value ? "t" : "f");
}

void operation_add_text(struct operation *operation, const char *text)
{
    if (text)
        operation_add_sized_text(operation, text, strlen(text));
    else
        operation_add_null(operation);
}

void operation_add_sized_text(struct operation *operation, const char *text, size_t size)
{
    value_open(operation, false, false);
    put(operation, text, size);
    value_close(operation);
}

void operation_add_foreign_text(struct operation *operation, const char *text)
{
    if (!text || !text[0]) {
        operation_add_null(operation);
        return;
    }
    value_open(operation, false, false);
    for (size_t left = strlen(text), size; left; text += size, left -= size) {
        size = utf8_printable(text, left);
        if (size)
            put(operation, text, size);
        else
            put(operation, text[0] == '\n' ? "\n" : "?", size = 1);
    }
    value_close(operation);
}

void operation_add_bytes(struct operation *operation, const void *bytes, size_t size)
{
    value_open(operation, false, true);
    put(operation, bytes, size);
    value_close(operation);
}

void operation_array_open(struct operation *operation)
{
    value_open(operation, false, false);
    put(operation, "{", 1);
}

static void item_separate(struct operation *operation)
{
    const struct buffer *bytes = &operation->parameters.bytes;
    if (bytes->bytes[bytes->size - 1] != '{')
        put(operation, ",", 1);
}

void operation_array_integer(struct operation *operation, int64_t value)
{
    item_separate(operation);
    put_integer(operation, value);
}

void operation_array_bool(struct operation *operation, bool value)
{
    item_separate(operation);
    put(operation, value ? "t" : "f", 1);
}

/* In quotes always, which makes every byte but these two literal. An item ends in a quote, so
 * item_separate() never takes a brace of the text for the array's. */
void operation_array_text(struct operation *operation, const char *text, size_t size)
{
    item_separate(operation);
    put(operation, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            put(operation, "\\", 1);
        put(operation, &text[i], 1);
    }
    put(operation, "\"", 1);
}

void operation_array_close(struct operation *operation)
{
    put(operation, "}", 1);
    value_close(operation);
}

const char *row_text(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

int64_t row_integer(const PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

int64_t row_time(const struct operation *operation, const PGresult *rows, int row, int column)
{
    int64_t time_ms = row_integer(rows, row, column);
    return time_ms == 0 ? 0 : time_ms - operation->shift_ms;
}

bool row_bool(const PGresult *rows, int row, int column)
{
    return PQgetvalue(rows, row, column)[0] == 't';
}

size_t row_integers(const PGresult *rows, int row, int column, int64_t *ret_values, size_t max)
{
    size_t count = 0;
    const char *text = PQgetvalue(rows, row, column);
    while (count < max && (*text == '{' || *text == ',') && text[1] != '}') {
        char *end;
        ret_values[count++] = strtoll(text + 1, &end, 10);
        text = end;
    }
    return count;
}
