/* password.h - passwords checked off the loop, and remembered for a short while. Used by people*.c
 * only.
 *
 * scrypt is slow by design, so each check runs on libuv's thread pool. Requests that come with the
 * same user and password meanwhile wait for the same check. What was proved is remembered under a
 * digest salted for this process: no password stays in memory. */
#ifndef VENDGATE_PEOPLE_PASSWORD_H
#define VENDGATE_PEOPLE_PASSWORD_H

#include "people/keyring.h"

#include <stdint.h>
#include <uv.h>

#define PASSWORD_WRONG_MS \
    2000 /* how long a wrong one is remembered, so that a stubborn client costs one check */

struct passwords;

enum password_outcome {
    PASSWORD_RIGHT = 1,
    PASSWORD_WRONG,      /* also: no such user; takes as long */
    PASSWORD_OVERLOADED, /* too many checks under way */
    PASSWORD_ABANDONED,  /* passwords_free() came first */
    PASSWORD_WAITING,    /* the callback will tell; never told to it */
};

struct password_claim {
    const char *user, *password;
};

/* `integrator_id` is 0 unless RIGHT. */
typedef void password_cb(void *arg, enum password_outcome outcome, int64_t integrator_id);

/* `remember_ms`: how long a right one is remembered. `checks_max`: checks under way or waiting for
 * a thread. */
struct passwords *passwords_new(uv_loop_t *loop, const struct keyring *keyring, int64_t remember_ms,
                                int64_t checks_max);
/* Texts are borrowed for the call. WAITING: the callback runs later, exactly once. Else that is the
 * answer, *ret_integrator_id is set, and it will not run. */
enum password_outcome passwords_check(struct passwords *passwords,
                                      const struct password_claim *claim,
                                      int64_t *ret_integrator_id, password_cb *callback, void *arg);
/* The keyring (borrowed until the next call) is new: nothing that was proved before counts. */
void passwords_use(struct passwords *passwords, const struct keyring *keyring);
/* Checks under way are answered ABANDONED when their thread is done. */
void passwords_free(struct passwords **passwords);

#endif
