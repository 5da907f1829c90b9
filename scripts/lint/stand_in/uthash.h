/* uthash.h as cppcheck can read it: the same loops without typeof. For scripts/lint/cppcheck only. */
void *lint_next(const void *element);
#define HASH_ITER(hh, head, element, next)                                                         \
    for ((element) = (head), (next) = lint_next(element); (element);                               \
         (element) = (next), (next) = lint_next(element))
