#include "fleet/keypad.h"

#include "base/json.h"
#include "base/macros.h"

#include <stddef.h>

static const char *const GRID_FIELDS[] = {"x", "y", "w", "h"};

static int64_t integer_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name)); /* 0 unless an integer is there */
}

/* NULL: not an item. */
static json_t *read_item(const json_t *told)
{
    const json_t *id = json_object_get(told, "id");
    if (!json_is_integer(id))
        return NULL;
    const char *value = json_string_value(json_object_get(told, "display_value"));
    json_t *item =
        json_pack("{s:I, s:s}", "id", json_integer_value(id), "display_value", value ? value : "");
    for (size_t i = 0; item && i < ARRAY_SIZE(GRID_FIELDS); i++)
        if (json_object_set_new(item, GRID_FIELDS[i],
                                json_integer(integer_of(told, GRID_FIELDS[i]))) < 0)
            json_release(&item);
    return item;
}

/* NULL: one of them is no item, or they are too many. */
static json_t *read_items(const json_t *told)
{
    size_t count = json_array_size(told); /* 0 unless it is an array */
    if (count > KEYPAD_ITEMS_MAX)
        return NULL;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *item = read_item(json_array_get(told, i));
        if (!item || json_array_append_new(items, item) < 0) {
            json_release(&items);
            return NULL;
        }
    }
    return items;
}

static json_t *make_keypad(bool enabled, const json_t *told, json_t *items)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:o}", "virtual_keypad_enabled", enabled,
                     "total_action_needed", integer_of(told, "total_action_needed"),
                     "total_column_number", integer_of(told, "total_column_number"),
                     "total_row_number", integer_of(told, "total_row_number"), "keypad_items",
                     items);
}

json_t *keypad_read(const json_t *told)
{
    if (!json_is_object(told))
        return NULL;
    json_t *items = read_items(json_object_get(told, "keypad_items"));
    if (!items)
        return NULL;
    return make_keypad(json_is_true(json_object_get(told, "virtual_keypad_enabled")), told, items);
}

json_t *keypad_none(void)
{
    return make_keypad(false, NULL, json_array());
}

bool keypad_has_key(const json_t *keypad, int64_t key)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(keypad, "keypad_items"), i, item)
    {
        if (integer_of(item, "id") == key)
            return true;
    }
    return false;
}

int64_t keypad_action_count(const json_t *keypad)
{
    if (!json_is_true(json_object_get(keypad, "virtual_keypad_enabled")))
        return 0;
    int64_t count = integer_of(keypad, "total_action_needed");
    return count > 0 ? count : 0;
}
