/* webhook_signature.h - Standard Webhooks 1.0.0: proves to an integrator that a callback is ours,
 * whole and recent.
 *
 * Signed text: `id.timestamp.body`; by `v1` (HMAC-SHA256, "whsec_" keys) and `v1a` (ed25519,
 * "whsk_" keys). Every live key signs, newest first, so that a key is rotated without an outage;
 * which live is asked at each signature, so that an overlap ends without any event. Knows nothing
 * of HTTP and reads no clock. Keys are wiped when freed. */
#ifndef VENDGATE_OUTBOUND_WEBHOOK_SIGNATURE_H
#define VENDGATE_OUTBOUND_WEBHOOK_SIGNATURE_H

#include "base/macros.h"
#include "outbound/outbound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "v1a," and 88 characters of base64 for each key, a blank between, a NUL at the end. */
#define WEBHOOK_SIGNATURE_SIZE (OUTBOUND_KEYS_MAX * (4 + 88 + 1))

struct webhook_signer;

struct webhook_message {
    const char *id;      /* no dot in it */
    int64_t timestamp_s; /* unix seconds of this attempt, on our clock */
    int64_t now_ms;      /* unix ms on PostgreSQL's clock: which keys are over */
    const char *body;    /* exact bytes */
    size_t body_size;
};

/* `keys`: "whsec_" and base64 of 24 to 64 bytes, or "whsk_" and base64 of 32 (seed) or 64 bytes
 * (seed and public key); newest first, ended by a NULL secret or after OUTBOUND_KEYS_MAX.
 * `v1a_only`: v1 is left out while a v1a key is live. -EINVAL: one is not such a key, or there is
 * nothing to sign with: no v1 key, and not a v1a key of an endpoint that is v1a_only. */
MUST_CHECK int webhook_signer_new(const struct outbound_key keys[OUTBOUND_KEYS_MAX], bool v1a_only,
                                  struct webhook_signer **ret_signer);
void webhook_signer_free(struct webhook_signer **signer);

/* The value of the header webhook-signature, never empty: when all keys are over the newest v1 key
 * still signs (the newest of all, if there is no v1 key), and false is returned. */
bool webhook_sign(const struct webhook_signer *signer, const struct webhook_message *message,
                  char ret_signature[static WEBHOOK_SIGNATURE_SIZE]);

#endif
