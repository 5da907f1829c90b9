/* macros.h - the few language helpers that every file may use. Owns nothing. */
#ifndef VENDGATE_BASE_MACROS_H
#define VENDGATE_BASE_MACROS_H

#include <assert.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))
#define UNUSED __attribute__((unused))

/* Runs `function(&variable)` when the variable leaves its scope. */
#define _cleanup_(function) __attribute__((cleanup(function)))

/* Hands a pointer over: yields its value and leaves NULL behind. */
#define TAKE(pointer)                           \
    ({                                          \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that embeds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
