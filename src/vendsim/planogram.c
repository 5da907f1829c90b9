#include "vendsim/planogram.h"

#include "base/macros.h"

enum { COLUMNS = 3, ROWS = PLANOGRAM_ITEMS / COLUMNS, CAPACITY = 12 };

static const struct planogram_item ITEMS[] = {
    {1, 11, "A1", "Still water", 120},   {2, 12, "A2", "Sparkling water", 130},
    {3, 13, "A3", "Cola", 180},          {4, 21, "B1", "Orange juice", 210},
    {5, 22, "B2", "Iced tea", 190},      {6, 23, "B3", "Coffee", 150},
    {7, 31, "C1", "Salted crisps", 160}, {8, 32, "C2", "Peanuts", 170},
    {9, 33, "C3", "Chocolate bar", 140}, {10, 41, "D1", "Oat biscuits", 155},
    {11, 42, "D2", "Apple slices", 220}, {12, 43, "D3", "Safety gloves", 250},
};
static_assert(ARRAY_SIZE(ITEMS) == PLANOGRAM_ITEMS, "the keypad is full");

const struct planogram_item *planogram_item(uint64_t index)
{
    return &ITEMS[index % PLANOGRAM_ITEMS];
}

const struct planogram_item *planogram_by_key(int64_t key)
{
    return key >= 1 && key <= PLANOGRAM_ITEMS ? &ITEMS[key - 1] : NULL;
}

json_t *planogram_event(void)
{
    json_t *coils = json_array();
    for (size_t i = 0; i < PLANOGRAM_ITEMS; i++)
        json_array_append_new(coils,
                              json_pack("{s:I, s:s, s:s, s:I, s:i, s:i, s:i, s:b}", "code",
                                        (json_int_t)ITEMS[i].code, "formatted_code", ITEMS[i].label,
                                        "name", ITEMS[i].name, "price", (json_int_t)ITEMS[i].price,
                                        "capacity", CAPACITY, "restock_count", CAPACITY,
                                        "current_stock", CAPACITY, "placeholder", 0));
    return json_pack("{s:s, s:o}", "event", "planogram", "coils", coils);
}

json_t *planogram_keypad_event(void)
{
    json_t *items = json_array();
    for (int i = 0; i < PLANOGRAM_ITEMS; i++)
        json_array_append_new(items,
                              json_pack("{s:I, s:s, s:i, s:i, s:i, s:i}", "id",
                                        (json_int_t)ITEMS[i].key, "display_value", ITEMS[i].label,
                                        "x", i % COLUMNS, "y", i / COLUMNS, "w", 1, "h", 1));
    return json_pack("{s:s, s:b, s:i, s:i, s:i, s:o}", "event", "keypad", "virtual_keypad_enabled",
                     1, "total_action_needed", 1, "total_column_number", COLUMNS,
                     "total_row_number", ROWS, "keypad_items", items);
}
