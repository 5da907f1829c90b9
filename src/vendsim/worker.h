/* worker.h - one process full of machines. */
#ifndef VENDGATE_VENDSIM_WORKER_H
#define VENDGATE_VENDSIM_WORKER_H

#include "vendsim/options.h"
#include "vendsim/roster.h"

#define WORKER_MACHINES_MAX 5000

struct worker_share {
    const struct options *options;
    const struct roster *roster;
    size_t first, count; /* of the roster */
    int control_fd; /* taken; orders in, {"machines":N} or {"message":".."} out, a line each. Its
                       end ends us. */
};

/* Runs until SIGTERM, SIGINT or the end of control_fd. The exit status. */
MUST_CHECK int worker_run(const struct worker_share *share);

#endif
