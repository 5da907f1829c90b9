#include "gateway/operator_name.h"

#include "base/macros.h"
#include "base/memory.h"

#include <pwd.h>
#include <stdlib.h>

#define ENTRY_SIZE 16384 /* of the user's line, far beyond sysconf(_SC_GETPW_R_SIZE_MAX) */

struct lookup {
    uv_work_t work;
    uid_t uid;
    char *name; /* written by the thread */
    operator_name_cb *callback;
    void *arg;
};

/* On the pool's thread. */
static void look_up(uv_work_t *work)
{
    struct lookup *lookup = CONTAINER_OF(work, struct lookup, work);
    char *entry = memory_zero(1, ENTRY_SIZE);
    struct passwd user, *found = NULL;
    if (getpwuid_r(lookup->uid, &user, entry, ENTRY_SIZE, &found) == 0 && found)
        lookup->name = memory_text(found->pw_name);
    else
        lookup->name = memory_format("%u", lookup->uid);
    free(entry);
}

static void on_looked_up(uv_work_t *work, int status UNUSED)
{
    struct lookup *lookup = CONTAINER_OF(work, struct lookup, work);
    assert(status == 0); /* nobody cancels it */
    lookup->callback(lookup->arg, lookup->name);
    free(lookup->name);
    free(lookup);
}

void operator_name_find(uv_loop_t *loop, uid_t uid, operator_name_cb *callback, void *arg)
{
    struct lookup *lookup = memory_zero(1, sizeof(*lookup));
    lookup->uid = uid;
    lookup->callback = callback;
    lookup->arg = arg;
    int result = uv_queue_work(loop, &lookup->work, look_up, on_looked_up);
    assert(result == 0); /* it fails only without a function to run */
    (void)result;
}
