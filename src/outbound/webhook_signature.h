/* webhook_signature.h - Standard Webhooks 1.0.0, symmetric scheme `v1`: proves to an integrator
 * that a callback is ours, whole and recent.
 *
 * Signed text: `id.timestamp.body`. Every live key signs, newest first, so that a key is rotated
 * without an outage. Knows nothing of HTTP or time. Keys are wiped when freed. */
#ifndef VENDGATE_OUTBOUND_WEBHOOK_SIGNATURE_H
#define VENDGATE_OUTBOUND_WEBHOOK_SIGNATURE_H

#include "base/macros.h"
#include "outbound/outbound.h"

#include <stddef.h>
#include <stdint.h>

/* "v1," and 44 characters of base64 for each key, a blank between, a NUL at the end. */
#define WEBHOOK_SIGNATURE_SIZE (OUTBOUND_KEYS_MAX * (3 + 44 + 1))

struct webhook_signer;

struct webhook_message {
    const char *id;      /* no dot in it */
    int64_t timestamp_s; /* unix seconds of this attempt */
    const char *body;    /* exact bytes */
    size_t body_size;
};

/* `keys`: "whsec_" and base64 of 24 to 64 bytes, newest first, ended by NULL or after
 * OUTBOUND_KEYS_MAX. -EINVAL: none, or one that is not such a key. */
MUST_CHECK int webhook_signer_new(const char *const keys[OUTBOUND_KEYS_MAX],
                                  struct webhook_signer **ret_signer);
void webhook_signer_free(struct webhook_signer **signer);

/* The value of the header webhook-signature. */
void webhook_sign(const struct webhook_signer *signer, const struct webhook_message *message,
                  char ret_signature[static WEBHOOK_SIGNATURE_SIZE]);

#endif
