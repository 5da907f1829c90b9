/* callbacks.h - the HTTPS server that receives the gateway's callbacks.
 *
 * Each callback is verified, appended to the log, and only then answered; one whose webhook-id was
 * seen before is answered with success and has no effect. The log has one JSON object a line:
 *   {"time":unix s, "t_ms":unix ms, "path":"/txn/vend", "headers":{lower-case names},
 * "body":"<exact text>", "verified":true, "duplicate":false} */
#ifndef SAMPLE_INTEGRATOR_CALLBACKS_H
#define SAMPLE_INTEGRATOR_CALLBACKS_H

#include "sample_integrator/signature.h"

#include <jansson.h>
#include <stdbool.h>

struct callbacks;

/* A verified callback, the first with its webhook-id; called before it is answered. `body` is
 * borrowed. */
typedef void callbacks_received(void *arg, const char *path, const json_t *body);

/* Texts and the secret are borrowed for the call of callbacks_open() only. */
struct callbacks_config {
    const char *address; /* IPv4 to listen on */
    uint16_t port;
    const char *cert_file, *key_file;
    const char *log_path;
    const struct signature_secret *secret;
    callbacks_received *received;
    void *arg;
};

/* Negative errno when the log, the certificate or the port cannot be used; said on standard error.
 */
MUST_CHECK int callbacks_open(const struct callbacks_config *config,
                              struct callbacks **ret_callbacks);
void callbacks_close(struct callbacks **callbacks);

/* Serves what is ready. */
void callbacks_work(struct callbacks *callbacks);
/* A descriptor that becomes readable when there is work, and the longest wait even if it does not;
 * -1: any. */
int callbacks_fd(const struct callbacks *callbacks);
int callbacks_timeout_ms(const struct callbacks *callbacks);
/* No request is being answered: every answer has been handed to the network. */
bool callbacks_idle(const struct callbacks *callbacks);

#endif
