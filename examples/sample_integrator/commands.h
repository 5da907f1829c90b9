/* commands.h - lines that tell the integrator to buy, from standard input or a UNIX socket:
 *
 *   buy VM_ID REF        one purchase
 *   come VM_ID PREFIX    one after another, as PREFIX-1, PREFIX-2, ... (regulars.h)
 *   stay_away            no more of those
 *
 * A client of the socket is answered `ok` or `error: ...` per line. At most 16 clients at a time.
 */
#ifndef SAMPLE_INTEGRATOR_COMMANDS_H
#define SAMPLE_INTEGRATOR_COMMANDS_H

#include "base/macros.h"

#include <curl/curl.h>

#define COMMANDS_FDS_MAX 18

struct commands;

struct commands_hooks {
    void (*buy)(void *arg, const char *vm_id, const char *ref);
    void (*come)(void *arg, const char *vm_id, const char *prefix);
    void (*stay_away)(void *arg);
};

/* `path` NULL: no socket. Negative errno: it cannot be served. */
MUST_CHECK int commands_open(const char *path, const struct commands_hooks *hooks, void *arg,
                             struct commands **ret_commands);
void commands_close(struct commands **commands);

/* Fills in what to wait for; how many. */
unsigned commands_wait_for(const struct commands *commands,
                           struct curl_waitfd ret_fds[static COMMANDS_FDS_MAX]);
/* Reads what has come; returns at once if nothing has. */
void commands_work(struct commands *commands);

#endif
