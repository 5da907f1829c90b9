#include "shop.h"

#include "base/macros.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BUYING_MAX 2 /* at once */

void shop_init(struct shop *shop, struct world *world, int number)
{
    *shop = (struct shop){.world = world, .id = number + 1};
}

static struct chance *chance_of(const struct shop *shop)
{
    return &shop->world->chance;
}

static bool mistake(const struct shop *shop, unsigned parts)
{
    return !shop->world->calm && world_hits(shop->world, parts);
}

static struct purchase *purchase_new(struct shop *shop)
{
    struct purchase *purchase = &shop->purchases[shop->next++ % SHOP_PURCHASES_MAX];
    if (purchase->pending)
        purchase->pending->purchase = NULL;
    *purchase = (struct purchase){.stage = PURCHASE_LOCKING, .balance = TXN_BALANCE_UNKNOWN};
    return purchase;
}

static struct purchase *purchase_find(struct shop *shop, const char *ref)
{
    for (size_t i = 0; i < SHOP_PURCHASES_MAX; i++)
        if (shop->purchases[i].stage && strcmp(shop->purchases[i].ref, ref) == 0)
            return &shop->purchases[i];
    return NULL;
}

/* --- callbacks --- */

/* A new ref for the same session: of a choice that was changed, or of one more purchase in it. */
static struct purchase *renamed(struct shop *shop, struct purchase *purchase, const char *new_ref)
{
    struct purchase *known = purchase_find(shop, new_ref);
    if (known)
        return known;
    if (purchase && (purchase->vended || purchase->stage == PURCHASE_OVER)) {
        int device = purchase->device;
        purchase = purchase_new(shop);
        purchase->device = device;
    }
    if (!purchase)
        return NULL;
    snprintf(purchase->old_ref, sizeof purchase->old_ref, "%s", purchase->ref);
    snprintf(purchase->ref, sizeof purchase->ref, "%s", new_ref);
    purchase->discount = purchase->surcharge = 0;
    purchase->lock_confirmed = true;
    if (purchase->pending) {
        purchase->pending->purchase = NULL;
        purchase->pending = NULL;
    }
    return purchase;
}

static void figures_choose(struct shop *shop, struct purchase *purchase)
{
    struct chance *chance = chance_of(shop);
    purchase->surcharge = chance_below(chance, 5) == 0 ? 50 : 0;
    purchase->discount = chance_below(chance, 5) == 0 ? purchase->price / 2 : 0;
}

static enum attempt_result on_request(struct shop *shop, const char *ref, const char *new_ref,
                                      int64_t price)
{
    struct purchase *purchase = purchase_find(shop, ref);
    if (new_ref[0])
        purchase = renamed(shop, purchase, new_ref);
    if (!purchase)
        return ATTEMPT_REFUSED;
    if (purchase->stage >= PURCHASE_PAYING && purchase->stage != PURCHASE_OVER && !new_ref[0])
        return ATTEMPT_DELIVERED;
    if (mistake(shop, shop->world->weather.refusals))
        return ATTEMPT_REFUSED;
    purchase->price = price;
    purchase->stage = PURCHASE_REQUESTED;
    figures_choose(shop, purchase);
    return ATTEMPT_DELIVERED;
}

static enum attempt_result on_ending(struct shop *shop, const char *ref, bool vend, bool vended)
{
    struct purchase *purchase = purchase_find(shop, ref);
    if (purchase && vend && vended)
        purchase->vended = true;
    else if (purchase && vend)
        purchase->failed = true;
    else if (purchase)
        purchase->unlocked = true;
    if (purchase)
        purchase->stage = PURCHASE_OVER;
    return mistake(shop, shop->world->weather.refusals / 4) ? ATTEMPT_REFUSED : ATTEMPT_DELIVERED;
}

static enum attempt_result callback_work(struct shop *shop,
                                         const struct outbound_callback *callback)
{
    json_t *body = json_loadb(callback->body, callback->body_size, 0, NULL);
    const char *ref = json_string_value(json_object_get(body, "txn_ref"));
    const char *new_ref = json_string_value(json_object_get(body, "new_txn_ref"));
    if (!ref)
        promise_broken(PROMISE_CALLBACK, "a body without txn_ref");
    enum attempt_result result = ATTEMPT_DELIVERED;
    if (callback->kind == CALLBACK_REQUEST)
        result = on_request(shop, ref, new_ref ? new_ref : "",
                            json_integer_value(json_object_get(body, "cents")));
    else
        result = on_ending(shop, ref, callback->kind == CALLBACK_VEND,
                           json_is_true(json_object_get(body, "success")));
    json_decref(body);
    return result;
}

enum attempt_result shop_receive(struct world *world, const struct outbound_callback *callback)
{
    struct shop *shop = &world->shops[callback->integrator_id - 1];
    trace_add("shop hears", callback->webhook_id + 24, callback->callback_id, callback->kind);
    promise_callback_arrived(&world->database, callback);
    for (size_t i = 0; i < SHOP_WEBHOOKS_MAX; i++)
        if (strcmp(shop->heard[i].webhook_id, callback->webhook_id) == 0)
            return shop->heard[i].result;
    if (mistake(shop, world->weather.attempt_lost / 2)) {
        static const enum attempt_result TROUBLE[] = {ATTEMPT_RETRY, ATTEMPT_RETRY,
                                                      ATTEMPT_PERMANENT};
        return TROUBLE[chance_below(&world->chance, ARRAY_SIZE(TROUBLE))];
    }
    if (mistake(shop, world->weather.gone))
        return ATTEMPT_GONE;
    size_t at = shop->heard_next++ % SHOP_WEBHOOKS_MAX;
    snprintf(shop->heard[at].webhook_id, sizeof shop->heard[at].webhook_id, "%s",
             callback->webhook_id);
    shop->heard[at].result = callback_work(shop, callback);
    return shop->heard[at].result;
}

/* --- answers --- */

/* What a careful integrator makes of a refusal. */
static void refused(struct purchase *purchase, const struct request *request,
                    const struct broker_answer *answer)
{
    switch (answer->action) {
    case ACTION_RETRY:
    case ACTION_WAIT:
        return; /* the same call later */
    case ACTION_REFUND:
        purchase->refund_told = true;
        purchase->stage = PURCHASE_OVER;
        return;
    case ACTION_FIX:
        if (request->kind == REQUEST_PAID && purchase->stage == PURCHASE_PAYING)
            purchase->stage = PURCHASE_REQUESTED;
        return;
    case ACTION_NEW:
    case ACTION_NONE:
        purchase->stage = PURCHASE_OVER;
        return;
    }
}

static void accepted(struct purchase *purchase, const struct request *request)
{
    switch (request->kind) {
    case REQUEST_LOCK:
        purchase->lock_confirmed = true;
        if (purchase->stage == PURCHASE_LOCKING)
            purchase->stage = PURCHASE_LOCKED;
        return;
    case REQUEST_PAID:
        purchase->paid_confirmed = true;
        if (purchase->stage < PURCHASE_OVER)
            purchase->stage = PURCHASE_BOOKED;
        return;
    case REQUEST_UNLOCK:
        purchase->unlock_confirmed = true;
        purchase->stage = PURCHASE_OVER;
        return;
    default:
        return;
    }
}

void shop_answered(struct shop *shop, struct purchase *purchase, const struct request *request,
                   const struct broker_answer *answer)
{
    purchase->idle_until_ms = shop->world->now_ms + chance_between(chance_of(shop), 0, 2000);
    if (!answer || strcmp(purchase->ref, request->ref) != 0)
        return;
    if (answer->success)
        accepted(purchase, request);
    else
        refused(purchase, request, answer);
}

/* --- calls --- */

static void calls(struct shop *shop, struct purchase *purchase, enum request_kind kind)
{
    struct request *request = request_new(shop->world, kind, shop, purchase);
    request->price = purchase->price;
    request->discount = purchase->discount;
    request->surcharge = purchase->surcharge;
    if (kind == REQUEST_PAID && mistake(shop, shop->world->weather.wrong_figures)) {
        static const int64_t WRONG[] = {1, -1, 99000000};
        int64_t by = WRONG[chance_below(chance_of(shop), ARRAY_SIZE(WRONG))];
        if (chance_below(chance_of(shop), 2) == 0)
            request->price += by;
        else
            request->surcharge += by;
    }
    if (kind == REQUEST_KEYS)
        request->price = chance_between(chance_of(shop), 0, 7);
    request_make(request);
}

static void locks(void *subject, int64_t argument)
{
    struct shop *shop = subject;
    calls(shop, &shop->purchases[argument], REQUEST_LOCK);
}

static void pays(void *subject, int64_t argument)
{
    struct shop *shop = subject;
    struct purchase *purchase = &shop->purchases[argument];
    if (purchase->stage == PURCHASE_REQUESTED)
        purchase->stage = PURCHASE_PAYING;
    calls(shop, purchase, REQUEST_PAID);
}

/* The customer is told that the machine cannot be had. */
static void gives_up(void *subject, int64_t argument)
{
    struct shop *shop = subject;
    shop->purchases[argument].stage = PURCHASE_OVER;
}

static void unlocks(void *subject, int64_t argument)
{
    struct shop *shop = subject;
    struct purchase *purchase = &shop->purchases[argument];
    if (purchase->stage < PURCHASE_PAYING)
        purchase->stage = PURCHASE_UNLOCKING;
    calls(shop, purchase, REQUEST_UNLOCK);
}

static void presses(void *subject, int64_t argument)
{
    struct shop *shop = subject;
    calls(shop, &shop->purchases[argument], REQUEST_KEYS);
}

/* It stops waiting for the answer; the call itself goes on. */
static void loses_patience(void *subject, int64_t argument)
{
    struct shop *shop = subject;
    struct purchase *purchase = &shop->purchases[argument];
    purchase->pending->purchase = NULL;
    purchase->pending = NULL;
}

static bool customer_free(const struct device *device)
{
    return device->welcome && device->session < 0;
}

static size_t customers_free(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->device_count; i++)
        count += customer_free(&world->devices[i]);
    return count;
}

static void begins(void *subject, int64_t argument UNUSED)
{
    struct shop *shop = subject;
    struct chance *chance = chance_of(shop);
    struct purchase *purchase = purchase_new(shop);
    purchase->device = (int)chance_below(chance, shop->world->device_count);
    /* Customers mostly go where nobody stands. */
    if (!customer_free(&shop->world->devices[purchase->device]))
        purchase->device = (int)chance_below(chance, shop->world->device_count);
    if (chance_below(chance, 3) == 0)
        purchase->balance = chance_between(chance, 0, 100000);
    int64_t number = ++shop->refs;
    if (shop->refs > 2 && mistake(shop, shop->world->weather.rogue_calls))
        number = chance_between(chance, 1, shop->refs); /* a ref that was used */
    snprintf(purchase->ref, sizeof purchase->ref, "r%" PRId64, number);
    calls(shop, purchase, REQUEST_LOCK);
}

/* Any call about any ref that it has ever used, or never. */
static void raves(void *subject, int64_t argument UNUSED)
{
    static const enum request_kind KINDS[] = {REQUEST_LOCK, REQUEST_PAID, REQUEST_PAID,
                                              REQUEST_UNLOCK, REQUEST_KEYS};
    struct shop *shop = subject;
    struct chance *chance = chance_of(shop);
    enum request_kind kind = KINDS[chance_below(chance, ARRAY_SIZE(KINDS))];
    struct request *request = request_new(shop->world, kind, shop, NULL);
    const struct purchase *purchase = &shop->purchases[chance_below(chance, SHOP_PURCHASES_MAX)];
    request->device = (int)chance_below(chance, shop->world->device_count);
    bool known = purchase->stage && chance_below(chance, 6) != 0;
    const char *ref =
        purchase->old_ref[0] && chance_below(chance, 2) == 0 ? purchase->old_ref : purchase->ref;
    if (known && chance_below(chance, 8) != 0)
        request->device = purchase->device;
    snprintf(request->ref, sizeof request->ref, "%s", known ? ref : "");
    if (!known)
        snprintf(request->ref, sizeof request->ref, "x%" PRId64, chance_between(chance, 1, 30));
    request->price = kind == REQUEST_KEYS ? chance_between(chance, 0, 7) : purchase->price;
    request->discount = purchase->discount;
    request->surcharge = purchase->surcharge;
    request_make(request);
}

static bool may_call(const struct shop *shop)
{
    const struct gateway *gateway = &shop->world->gateway;
    return gateway->running && !gateway->dead;
}

static void purchase_offer(struct shop *shop, size_t n, struct choices *choices)
{
    struct world *world = shop->world;
    const struct purchase *purchase = &shop->purchases[n];
    const struct weather *weather = &world->weather;
    bool rest = world->now_ms < purchase->idle_until_ms;
    unsigned storm = world->calm ? 0 : 1;
    if (purchase->pending) {
        offer(choices, storm * weather->impatient, "impatient", loses_patience, shop, (int64_t)n);
        return;
    }
    switch (purchase->stage) {
    case PURCHASE_LOCKING:
        offer(choices, rest ? 2 : 60, "locks", locks, shop, (int64_t)n);
        offer(choices, world->calm ? 200 : 8, "gives up", gives_up, shop, (int64_t)n);
        break;
    case PURCHASE_LOCKED:
        offer(choices, 8, "unlocks", unlocks, shop, (int64_t)n);
        offer(choices, storm * 60, "keys", presses, shop, (int64_t)n);
        break;
    case PURCHASE_REQUESTED:
        offer(choices, 400, "pays", pays, shop, (int64_t)n);
        offer(choices, storm * 20, "unlocks", unlocks, shop, (int64_t)n);
        break;
    case PURCHASE_PAYING:
        offer(choices, rest ? 4 : 200, "pays", pays, shop, (int64_t)n);
        break;
    case PURCHASE_UNLOCKING:
        offer(choices, rest ? 4 : 60, "unlocks", unlocks, shop, (int64_t)n);
        break;
    case PURCHASE_BOOKED:
        offer(choices, storm * 20, "pays again", pays, shop, (int64_t)n);
        offer(choices, storm * 10, "unlocks", unlocks, shop, (int64_t)n);
        break;
    case PURCHASE_OVER:
        offer(choices, storm * weather->rogue_calls / 200000, "pays again", pays, shop, (int64_t)n);
        break;
    case PURCHASE_UNUSED:
        break;
    }
}

void shop_offer(struct shop *shop, struct choices *choices)
{
    const struct world *world = shop->world;
    size_t buying = 0;
    if (!may_call(shop))
        return;
    for (size_t i = 0; i < SHOP_PURCHASES_MAX; i++) {
        enum purchase_stage stage = shop->purchases[i].stage;
        buying += stage && stage != PURCHASE_OVER;
        purchase_offer(shop, i, choices);
    }
    if (world->calm)
        return;
    bool free = buying < BUYING_MAX && customers_free(world) > 0;
    offer(choices, free ? 150 : 3, "begins", begins, shop, 0);
    offer(choices, world->weather.rogue_calls / 10000, "raves", raves, shop, 0);
}
