/* people.h - integrators, their credentials and what they were granted: caches of the database,
 * answered from memory.
 *
 * Secrets that are sealed in the database are opened here; an integrator with one that cannot be
 * opened is held until it can, and everybody else is served. API keys are kept and compared as
 * SHA-256 digests; passwords as scrypt texts, checked on libuv's thread pool and remembered for a
 * short while. */
#ifndef VENDGATE_PEOPLE_H
#define VENDGATE_PEOPLE_H

#include "base/metrics.h"
#include "people/vault.h"
#include "store/people.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct people;

struct integrator {
    int64_t id;
    char *name;
    bool enabled;
    char *callback_url, *callback_ca_file; /* NULL: none */
    bool allow_http;
    char *allow_cidr; /* as in store/people.h, like all below */
    char *client_cert_file, *client_key_file, *public_key_pins;
    int64_t rate_per_second;
    bool v1a_only;
    bool held;       /* nothing is sent to it */
    bool unreadable; /* a secret of it cannot be opened: it is held, and has none here */
    char *present_api_key, *present_user, *present_password;
    char *signing_keys[STORE_SIGNING_KEYS_MAX];       /* unsealed, newest first; NULL ends */
    int64_t signing_until_ms[STORE_SIGNING_KEYS_MAX]; /* 0: no end */
    int64_t amount_max;
    bool allow_rename, allow_multi_vend, strict_codes;
    char *doubt_policy;
    int64_t requests_per_second;
};

struct people_handlers {
    void (*loaded)(void *arg); /* the first complete load is done */
    void (*integrator_changed)(void *arg, int64_t integrator_id); /* not during the first load */
};

struct people_options {
    int64_t password_cache_ms; /* how long a checked password is remembered, 60 s */
    int64_t checks_max;  /* password checks under way or waiting; beyond: refused as overloaded */
    struct vault *vault; /* opens the secrets; borrowed, and reread with the table of integrators;
                            NULL: there is no master key */
};

struct people *people_new(uv_loop_t *loop, struct store *store,
                          const struct people_options *options,
                          const struct people_handlers *handlers, void *arg,
                          struct metrics *metrics);
/* Rereads what `what` names ("integrator", "integrator_key", "grant"); NULL: everything. */
void people_refresh(struct people *people, const char *what, const char *key);
bool people_loaded(const struct people *people);

enum people_verdict {
    PEOPLE_KNOWN = 1,
    PEOPLE_NO_CREDENTIALS,
    PEOPLE_WRONG,      /* one of those sent is wrong, or they name different integrators */
    PEOPLE_OVERLOADED, /* too many password checks under way */
};

/* What came with a request; texts are copied. Either kind alone suffices; both sent and one wrong
 * is WRONG (contract). */
struct people_credentials {
    const char *api_key;         /* NULL: header absent */
    const char *user, *password; /* NULL: no Basic */
    bool malformed;              /* an Authorization header that is no valid Basic */
};
typedef void people_authenticated_cb(void *arg, enum people_verdict verdict, int64_t integrator_id);
/* True: answered at once, through the outputs, and the callback will not run. False: the callback
 * runs later, exactly once. */
bool people_authenticate(struct people *people, const struct people_credentials *credentials,
                         enum people_verdict *ret_verdict, int64_t *ret_integrator_id,
                         people_authenticated_cb *callback, void *arg);

/* Borrowed until the next turn of the loop; NULL: unknown. */
const struct integrator *people_integrator(const struct people *people, int64_t integrator_id);
bool people_granted(const struct people *people, int64_t integrator_id, const char *vm_id);
void people_free(struct people **people);

#endif
