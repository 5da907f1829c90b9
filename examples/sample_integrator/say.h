/* say.h - the story on standard output: when, who to whom, what. */
#ifndef SAMPLE_INTEGRATOR_SAY_H
#define SAMPLE_INTEGRATOR_SAY_H

#include "base/macros.h"

#include <stdint.h>

/* One line, flushed: UTC time, milliseconds since `since_ms` (monotonic; 0: left out), who, what.
 */
void say(int64_t since_ms, const char *who, const char *format, ...) PRINTF_LIKE(3, 4);
/* A line to be copied: nothing before it. */
void say_plain(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
