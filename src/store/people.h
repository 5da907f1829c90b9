/* people.h - integrators, their keys, endpoints and grants, as the daemon's caches read them. */
#ifndef VENDGATE_STORE_PEOPLE_H
#define VENDGATE_STORE_PEOPLE_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_SIGNING_KEYS_MAX 4

/* Texts are borrowed for the call; NULL where the database has NULL. */
struct store_integrator_row {
    int64_t integrator_id;
    const char *name;
    bool enabled;
    const char *callback_url, *callback_ca_file;
    bool allow_http;
    const char *allow_cidr; /* networks, "10.0.0.0/8,..."; NULL or empty: none */
    const char *client_cert_file, *client_key_file; /* NULL: none */
    const char *public_key_pins;                    /* "sha256//...;..."; NULL or empty: none */
    int64_t rate_per_second;                        /* of attempts; 0: no limit */
    bool v1a_only;
    bool held; /* nothing is sent to it */
    const char *present_api_key, *present_user, *present_password;
    /* Those that sign, newest first; secret NULL ends. */
    struct store_signing_key {
        const char *secret; /* as it is kept: sealed, "whsec_..." or "whsk_..." */
        int64_t until_ms;   /* unix ms; it signs no more from then on; 0: no end */
    } signing_keys[STORE_SIGNING_KEYS_MAX];
    int64_t amount_max; /* limit of one purchase, smallest unit; 0: none */
    bool allow_rename, allow_multi_vend, strict_codes;
    const char *doubt_policy;    /* "refund", "capture", "hold" */
    int64_t requests_per_second; /* 0: no limit */
};
typedef void store_integrator_row_cb(void *arg, enum store_outcome outcome,
                                     const struct store_integrator_row *row);
/* One, or all with 0; then once with NULL. */
void store_integrator_load(struct store *store, int64_t integrator_id,
                           store_integrator_row_cb *callback, void *arg);

struct store_key_row {
    int64_t key_id, integrator_id;
    const char
        *kind; /* "api_key": digest is SHA-256 hex of the key; "basic": digest is a scrypt text */
    const char *user_name; /* basic */
    const char *digest;
};
typedef void store_key_row_cb(void *arg, enum store_outcome outcome,
                              const struct store_key_row *row);
/* Live keys of enabled integrators; then once with NULL. */
void store_key_load(struct store *store, store_key_row_cb *callback, void *arg);

typedef void store_grant_row_cb(void *arg, enum store_outcome outcome, int64_t integrator_id,
                                const char *vm_id);
/* All grants; then once with vm_id NULL. */
void store_grant_load(struct store *store, store_grant_row_cb *callback, void *arg);

#endif
