/* signature.h - checks the signature of a callback, Standard Webhooks 1.0.0 (symmetric, v1). Pure.
 */
#ifndef SAMPLE_INTEGRATOR_SIGNATURE_H
#define SAMPLE_INTEGRATOR_SIGNATURE_H

#include "base/macros.h"

#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_SECRET_MAX 64 /* bytes; the specification asks for 24 to 64 */

struct signature_secret {
    unsigned char bytes[SIGNATURE_SECRET_MAX];
    size_t size;
};

/* "whsec_" and base64. -EINVAL: it is none. */
MUST_CHECK int signature_secret_parse(const char *text, struct signature_secret *ret_secret);

enum signature_verdict {
    SIGNATURE_GOOD = 1,
    SIGNATURE_MISSING, /* one of the three headers is not there */
    SIGNATURE_STALE,   /* signed more than 300 s away from now, or no time at all */
    SIGNATURE_WRONG,
};

struct signature_claim {
    const char *id, *timestamp,
        *signature; /* the headers webhook-id, -timestamp, -signature; NULL: not there */
    const void *body;
    size_t body_size;
};

enum signature_verdict signature_check(const struct signature_secret *secret,
                                       const struct signature_claim *claim, int64_t now_s);
const char *signature_verdict_text(enum signature_verdict verdict);

#endif
