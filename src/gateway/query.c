#include "gateway/query.h"

#include "base/macros.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18

static bool is_number(const char *text)
{
    const char *digits = text + (*text == '-');
    size_t count = strspn(digits, "0123456789");
    return count >= 1 && count <= DIGITS_MAX && digits[count] == '\0';
}

json_t *query_value(const char *text)
{
    json_t *value = NULL;
    if (text && is_number(text))
        value = json_integer(strtoll(text, NULL, 10));
    else if (text)
        value = json_string(text);
    return value ? value : json_false();
}

static enum MHD_Result on_argument(void *arg, enum MHD_ValueKind kind UNUSED, const char *name,
                                   const char *text)
{
    json_t *query = arg;
    bool again = json_object_get(query, name) != NULL;
    (void)json_object_set_new(query, name, again ? json_false() : query_value(text));
    return MHD_YES;
}

json_t *query_read(struct MHD_Connection *mhd)
{
    json_t *query = json_object();
    (void)MHD_get_connection_values(mhd, MHD_GET_ARGUMENT_KIND, on_argument, query);
    return query;
}
