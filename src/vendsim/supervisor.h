/* supervisor.h - the parent: forks one worker for each 5,000 machines, hands orders to them, ends
 * them.
 *
 * Orders come from standard input and from the control socket, a JSON object a line (order.h); each
 * is answered, on the socket, by {"success":true,"machines":N} when the machines have it, or
 * {"success":false,"message":".."}. */
#ifndef VENDGATE_VENDSIM_SUPERVISOR_H
#define VENDGATE_VENDSIM_SUPERVISOR_H

#include "vendsim/options.h"
#include "vendsim/roster.h"

/* Runs until SIGTERM or SIGINT (0), or until a worker ends by itself (1). The exit status. */
MUST_CHECK int supervisor_run(const struct options *options, const struct roster *roster);

#endif
