#include "sample_integrator/say.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void say(int64_t since_ms, const char *who, const char *format, ...)
{
    char clock[16];
    struct tm utc;
    va_list arguments;
    int64_t now = clock_unix_ms();
    time_t seconds = (time_t)(now / 1000);
    gmtime_r(&seconds, &utc);
    strftime(clock, sizeof(clock), "%H:%M:%S", &utc);
    printf("%s.%03d ", clock, (int)(now % 1000));
    if (since_ms > 0)
        printf("%+7lld ms  ", (long long)(clock_monotonic_ms() - since_ms));
    else
        printf("%10s  ", "");
    printf("%-24s  ", who);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void say_plain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}
