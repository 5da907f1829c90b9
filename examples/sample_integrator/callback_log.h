/* callback_log.h - what was received, on disk and in memory: the log file and the ids seen in this
 * run. */
#ifndef SAMPLE_INTEGRATOR_CALLBACK_LOG_H
#define SAMPLE_INTEGRATOR_CALLBACK_LOG_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct callback_log;
struct MHD_Connection;

/* Appends to the file, made if it is not there. Negative errno. */
MUST_CHECK int callback_log_open(const char *path, struct callback_log **ret_log);
void callback_log_close(struct callback_log **log);

struct callback_entry { /* all borrowed */
    const char *path;
    struct MHD_Connection *connection; /* its headers */
    const char *body;
    size_t body_size;
    bool verified, duplicate;
};

/* One line, one write(2). Negative errno: it is not in the file. */
MUST_CHECK int callback_log_append(struct callback_log *log, const struct callback_entry *entry);

/* The last 100,000 webhook-ids are remembered. */
bool callback_log_seen(const struct callback_log *log, const char *id);
void callback_log_remember(struct callback_log *log, const char *id);

#endif
