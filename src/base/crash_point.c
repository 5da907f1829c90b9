#include "base/crash_point.h"

#ifdef VENDGATE_CRASH_POINTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Made by the linker: where the section of names begins and ends. */
extern const char __start_crash_points[], __stop_crash_points[];

/* The count outlives every object, as the process is what dies. */
void crash_point_passed(const char *name)
{
    static unsigned long passed;
    const char *wanted = getenv("VENDGATE_CRASH");
    size_t size = strlen(name);
    if (!wanted || strncmp(wanted, name, size) != 0 || wanted[size] != ':')
        return;
    if (++passed == strtoul(wanted + size + 1, NULL, 10))
        (void)raise(SIGKILL);
}

void crash_points_list(FILE *out)
{
    for (const char *at = __start_crash_points; at < __stop_crash_points; at += strlen(at) + 1)
        (void)fprintf(out, "%s\n", at);
}

#endif
