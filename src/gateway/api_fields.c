#include "gateway/api_fields.h"

#include <string.h>

enum reason api_vm_read(const struct api_vm *vm, const char **ret_vm_id, const char **ret_message)
{
    if (!vm->has_vm_id && !vm->has_id) {
        *ret_message = "field 'vm_id' is required and must be a string of 1 to 64 bytes";
        return REASON_MISSING_FIELD;
    }
    if (vm->has_vm_id && vm->has_id && strcmp(vm->vm_id, vm->id) != 0) {
        *ret_message = "fields 'vm_id' and 'id' (its older name) must not differ";
        return REASON_BAD_FIELD;
    }
    *ret_vm_id = vm->has_vm_id ? vm->vm_id : vm->id;
    return REASON_NONE;
}

bool api_keys_read(const json_t *array, int64_t ret_keys[static API_KEYS_MAX], size_t *ret_count)
{
    size_t count = json_array_size(array); /* 0 for anything but an array */
    if (count == 0 || count > API_KEYS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *key = json_array_get(array, i);
        int64_t value = json_integer_value(key);
        if (!json_is_integer(key) || value < 0 || value > API_INTEGER_MAX)
            return false;
        ret_keys[i] = value;
    }
    *ret_count = count;
    return true;
}

bool api_vm_id_valid(const char *text, size_t size)
{
    return size > 0 && size < VM_ID_SIZE && strspn(text, API_VM_ID_CHARACTERS) == size;
}
