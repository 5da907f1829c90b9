#include "vendctl/operator.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define BECAUSE_MAX 200

const char *operator_because(const struct invocation *invocation)
{
    const char *because = invocation_option(invocation, "because");
    size_t size = strlen(because), used = 0, step;
    while (used < size && (step = utf8_printable(because + used, size - used)) > 0)
        used += step;
    if (size >= 1 && size <= BECAUSE_MAX && used == size)
        return because;
    complain("--because is 1 to %d bytes of printable text", BECAUSE_MAX);
    return NULL;
}

bool operator_because_if_given(const struct invocation *invocation, const char **ret_because)
{
    bool given = invocation_flag(invocation, "because");
    *ret_because = given ? operator_because(invocation) : NULL;
    return !given || *ret_because;
}

char *operator_name(void)
{
    const struct passwd *user = getpwuid(getuid());
    return user ? memory_text(user->pw_name) : memory_format("%u", (unsigned int)getuid());
}
