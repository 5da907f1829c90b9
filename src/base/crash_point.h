/* crash_point.h - named places at which a test build can be made to die, as a power cut would.
 *
 * VENDGATE_CRASH=name:k in the environment kills the process with SIGKILL when it passes
 * CRASH_POINT(name) for the k-th time. `vendgated --crash-points` lists the names that the program
 * contains. Those that begin with start_ are passed once per start. Without VENDGATE_CRASH_POINTS
 * (a release build) all of this compiles to nothing. */
#ifndef VENDGATE_BASE_CRASH_POINT_H
#define VENDGATE_BASE_CRASH_POINT_H

#ifdef VENDGATE_CRASH_POINTS

#include <stdio.h>

/* Each place leaves its name in a section of its own, one text after the other; so the list is what
 * was linked, and cannot be forgotten. */
#define CRASH_POINT(point)                                                       \
    do {                                                                         \
        static const char crash_point_name_[]                                    \
            __attribute__((section("crash_points"), used, aligned(1))) = #point; \
        crash_point_passed(crash_point_name_);                                   \
    } while (0)

void crash_point_passed(const char *name);

/* One name a line. */
void crash_points_list(FILE *out);

#else

#define CRASH_POINT(point) ((void)0)

#endif

#endif
