/* call_log.h - what the gateway answered to our calls, on disk: the other half of an integrator's
 * records, beside the callbacks. */
#ifndef SAMPLE_INTEGRATOR_CALL_LOG_H
#define SAMPLE_INTEGRATOR_CALL_LOG_H

#include "base/macros.h"

#include <jansson.h>

struct call_log;

/* Appends to the file, made if it is not there. Negative errno. */
MUST_CHECK int call_log_open(const char *path, struct call_log **ret_log);
void call_log_close(struct call_log **log); /* NULL inside is fine */

/* One line, one write(2): {"t_ms":.., "path":.., "body":{..}, "status":.., "answer":{..}}. All
 * borrowed. A log that cannot be written ends the process: what it would do next could not be
 * accounted for. NULL for `log` is fine: nobody keeps one. */
void call_log_append(struct call_log *log, const char *path, const char *body, long status,
                     const json_t *answer);

#endif
