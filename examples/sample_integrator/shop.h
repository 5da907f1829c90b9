/* shop.h - what an integrator does: starts purchases, pays for the ones it started, and tells the
 * story.
 *
 *   shop_buy() -> /api/lock ... /txn/request -> /api/paid ... /txn/vend
 *
 * A call that is not answered is made again with the same figures: safe, and giving up is not.
 *
 * A purchase that somebody else started (a person with curl) is only told, with the line by which
 * to pay for it. */
#ifndef SAMPLE_INTEGRATOR_SHOP_H
#define SAMPLE_INTEGRATOR_SHOP_H

#include "sample_integrator/api.h"

#include <stdbool.h>

struct shop;

/* All borrowed while the shop lives. */
struct shop_config {
    struct api *api;
    const struct api_config *api_config; /* for the line that is printed */
    int64_t retry_ms;                    /* between the tries of a call that was not answered */
    int64_t patience_ms; /* a machine that tells no choice for so long is unlocked; 0: never */
    bool pay_all;        /* also what somebody else started, an earlier run for example */
    /* A purchase that shop_buy() began is over; NULL: nobody asks. */
    void (*ended)(void *arg, const char *vm_id, const char *ref);
    void *arg;
};

struct shop *shop_new(const struct shop_config *config);
void shop_free(struct shop **shop);

void shop_buy(struct shop *shop, const char *vm_id, const char *ref);

/* A callback that was verified and is no repeat; `body` is borrowed. */
void shop_callback(struct shop *shop, const char *path, const json_t *body);

/* Does what is due, such as another try at a call. The milliseconds until it wants to be called
 * again; -1: nothing waits. */
int shop_work(struct shop *shop);

enum shop_outcome { SHOP_OPEN = 0, SHOP_DISPENSED, SHOP_FAILED };
/* Of the latest purchase that has ended; OPEN: none has. */
enum shop_outcome shop_outcome(const struct shop *shop);

#endif
