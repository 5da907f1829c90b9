/* message_code.c - the code of a result, however the device's library writes numbers. */
#include "machine_link/message_json.h"

#include <string.h>

#define CODE_DIGITS_MAX 5
#define CODE_MAX 65535

static int64_t digits_read(const char *text)
{
    size_t size = strlen(text);
    int64_t value = 0;
    if (size == 0 || size > CODE_DIGITS_MAX || strspn(text, "0123456789") != size)
        return -1;
    for (size_t i = 0; i < size; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

int64_t machine_code_read(const json_t *object)
{
    const json_t *code = json_object_get(object, "code");
    int64_t value = -1;
    if (json_is_integer(code))
        value = json_integer_value(code);
    else if (json_is_string(code))
        value = digits_read(json_string_value(code));
    return value >= 0 && value <= CODE_MAX ? value : -1;
}
