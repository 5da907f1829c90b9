/* jansson.h as cppcheck can read it: the loops only. For scripts/lint/cppcheck only. */
void *lint_next(const void *element);
#define json_array_foreach(array, index, value)                                                    \
    for ((index) = 0; ((value) = lint_next(array)); (index)++)
#define json_object_foreach(object, key, value)                                                    \
    for ((key) = lint_next(object); (key) && ((value) = lint_next(key)); (key) = lint_next(key))
#define json_object_foreach_safe(object, next, key, value) json_object_foreach(object, key, value)
