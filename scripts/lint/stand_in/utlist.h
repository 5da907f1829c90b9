/* utlist.h as cppcheck can read it: the same loops without typeof. For scripts/lint/cppcheck only. */
void *lint_next(const void *element);
#define LL_FOREACH(head, element)                                                                  \
    for ((element) = (head); (element); (element) = lint_next(element))
#define LL_FOREACH_SAFE(head, element, next)                                                       \
    for ((element) = (head), (next) = lint_next(element); (element);                               \
         (element) = (next), (next) = lint_next(element))
#define DL_FOREACH LL_FOREACH
#define DL_FOREACH_SAFE LL_FOREACH_SAFE
#define DL_FOREACH_SAFE2(head, element, next_one, field) LL_FOREACH_SAFE(head, element, next_one)
#define CDL_FOREACH LL_FOREACH
