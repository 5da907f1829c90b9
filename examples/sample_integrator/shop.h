/* shop.h - what an integrator does: starts purchases, pays for the ones it started, and tells the
 * story.
 *
 *   shop_buy() -> /api/lock ... /txn/request -> /api/paid ... /txn/vend
 *
 * A purchase that somebody else started (a person with curl) is only told, with the line by which
 * to pay for it. */
#ifndef SAMPLE_INTEGRATOR_SHOP_H
#define SAMPLE_INTEGRATOR_SHOP_H

#include "sample_integrator/api.h"

struct shop;

/* All borrowed while the shop lives. */
struct shop_config {
    struct api *api;
    const struct api_config *api_config; /* for the line that is printed */
};

struct shop *shop_new(const struct shop_config *config);
void shop_free(struct shop **shop);

void shop_buy(struct shop *shop, const char *vm_id, const char *ref);

/* A callback that was verified and is no repeat; `body` is borrowed. */
void shop_callback(struct shop *shop, const char *path, const json_t *body);

/* Does what is due, such as another try at /api/paid. The milliseconds until it wants to be called
 * again; -1: nothing waits. */
int shop_work(struct shop *shop);

enum shop_outcome { SHOP_OPEN = 0, SHOP_DISPENSED, SHOP_FAILED };
/* Of the latest purchase that has ended; OPEN: none has. */
enum shop_outcome shop_outcome(const struct shop *shop);

#endif
