#include "sample_integrator/shop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "sample_integrator/say.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TRY_FOR_MS = 30 * 1000, REF_SIZE = 129 };

/* The call that is due at purchase.due_ms. */
enum next_call { NEXT_NONE = 0, NEXT_LOCK, NEXT_PAY, NEXT_UNLOCK };

struct purchase {
    struct shop *shop;
    char *vm_id;               /* NULL: somebody else started it */
    char started_as[REF_SIZE]; /* its first name */
    char ref[REF_SIZE];        /* renamed by new_txn_ref */
    int64_t started_ms;
    int64_t cents;
    bool locked; /* the machine is ours, as far as we know */
    enum next_call next;
    int64_t due_ms;
    int64_t try_until_ms; /* of the call that goes unanswered; 0: not yet */
    bool ended;           /* no callback is expected any more */
    unsigned calls;       /* under way; their callbacks hold this purchase */
    struct purchase *prev, *next_purchase;
};

struct shop {
    struct shop_config config;
    struct purchase *purchases;
    enum shop_outcome outcome;
};

struct shop *shop_new(const struct shop_config *config)
{
    struct shop *shop = memory_zero(1, sizeof(*shop));
    shop->config = *config;
    return shop;
}

static void purchase_free(struct purchase *purchase)
{
    DL_DELETE2(purchase->shop->purchases, purchase, prev, next_purchase);
    free(purchase->vm_id);
    free(purchase);
}

void shop_free(struct shop **shop)
{
    struct shop *old = TAKE(*shop);
    while (old && old->purchases)
        purchase_free(old->purchases);
    free(old);
}

static struct purchase *find(struct shop *shop, const char *ref)
{
    struct purchase *purchase;
    DL_FOREACH2 (shop->purchases, purchase, next_purchase)
        if (!purchase->ended && strcmp(purchase->ref, ref) == 0)
            return purchase;
    return NULL;
}

static void end(struct purchase *purchase, enum shop_outcome outcome)
{
    const struct shop_config *config = &purchase->shop->config;
    purchase->ended = true;
    purchase->next = NEXT_NONE;
    purchase->shop->outcome = outcome;
    if (config->ended && purchase->vm_id)
        config->ended(config->arg, purchase->vm_id, purchase->started_as);
    if (purchase->calls == 0)
        purchase_free(purchase);
}

static void call_later(struct purchase *purchase, enum next_call next, int64_t delay_ms)
{
    purchase->next = next;
    purchase->due_ms = clock_monotonic_ms() + delay_ms;
}

/* The customer may leave without a word; a machine is not held for ever. */
static void wait_for_choice(struct purchase *purchase)
{
    int64_t patience_ms = purchase->shop->config.patience_ms;
    if (patience_ms > 0 && purchase->vm_id)
        call_later(purchase, NEXT_UNLOCK, patience_ms);
}

/* False: the purchase had ended while the call was under way, and is gone now. */
static bool call_returned(struct purchase *purchase)
{
    purchase->calls--;
    if (!purchase->ended)
        return true;
    if (purchase->calls == 0)
        purchase_free(purchase);
    return false;
}

static bool succeeded(const struct api_result *result)
{
    return json_is_true(json_object_get(result->answer, "success"));
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void say_answer(const struct purchase *purchase, const char *path,
                       const struct api_result *result)
{
    if (!result->answer)
        say(purchase->started_ms, "gateway    -> integrator", "%s: no answer: %s", path,
            result->problem);
    else if (succeeded(result))
        say(purchase->started_ms, "gateway    -> integrator", "%s: success (took %lld ms)", path,
            (long long)result->took_ms);
    else
        say(purchase->started_ms, "gateway    -> integrator", "%s: refused: %s %s (%s)", path,
            text_of(result->answer, "code"), text_of(result->answer, "message"),
            text_of(result->answer, "action"));
}

/* No answer may mean that it was booked: asking again with the same figures is safe, giving up is
 * not. True: it will be asked again. */
static bool asked_again(struct purchase *purchase, enum next_call call,
                        const struct api_result *result)
{
    enum { UNAVAILABLE = 503, TOO_MANY = 429 };
    int64_t now = clock_monotonic_ms();
    bool worth_it = !result->answer || result->http_status == UNAVAILABLE ||
                    result->http_status == TOO_MANY ||
                    strcmp(text_of(result->answer, "action"), "retry") == 0;
    if (!worth_it || succeeded(result)) {
        purchase->try_until_ms = 0;
        return false;
    }
    if (purchase->try_until_ms == 0)
        purchase->try_until_ms = now + TRY_FOR_MS;
    if (now >= purchase->try_until_ms)
        return false;
    call_later(purchase, call, purchase->shop->config.retry_ms);
    return true;
}

static void on_locked(void *arg, const struct api_result *result)
{
    struct purchase *purchase = arg;
    say_answer(purchase, "/api/lock", result);
    /* The choice may be told before the lock is answered, and then the lock is out of question. */
    if (!call_returned(purchase) || purchase->locked || asked_again(purchase, NEXT_LOCK, result))
        return;
    if (!succeeded(result)) {
        end(purchase, SHOP_FAILED);
        return;
    }
    purchase->locked = true;
    say(purchase->started_ms, "integrator", "machine %s is ours; the customer has %lld s to choose",
        purchase->vm_id, (long long)json_integer_value(json_object_get(result->answer, "timeout")));
    wait_for_choice(purchase);
}

static void lock(struct purchase *purchase)
{
    say(purchase->started_ms, "integrator -> gateway", "POST /api/lock vm_id=%s txnRef=%s",
        purchase->vm_id, purchase->ref);
    api_post(purchase->shop->config.api, "/api/lock",
             json_pack("{s:s, s:s, s:i}", "vm_id", purchase->vm_id, "txnRef", purchase->ref,
                       "balance", UINT16_MAX),
             on_locked, purchase);
}

static void on_paid(void *arg, const struct api_result *result)
{
    struct purchase *purchase = arg;
    const char *action = text_of(result->answer, "action");
    say_answer(purchase, "/api/paid", result);
    if (!call_returned(purchase) || asked_again(purchase, NEXT_PAY, result) || succeeded(result))
        return;
    if (strcmp(action, "refund") == 0)
        end(purchase, SHOP_FAILED);
    else if (strcmp(action, "wait") == 0)
        wait_for_choice(purchase);
    /* Else the outcome follows by callback. */
}

static void pay(struct purchase *purchase)
{
    say(purchase->started_ms, "integrator -> gateway", "POST /api/paid txnRef=%s price=%lld",
        purchase->ref, (long long)purchase->cents);
    api_post(purchase->shop->config.api, "/api/paid",
             json_pack("{s:s, s:I, s:i, s:i}", "txnRef", purchase->ref, "price",
                       (json_int_t)purchase->cents, "surcharge", 0, "discount", 0),
             on_paid, purchase);
}

/* A refusal means that the purchase goes on, or that its end is on the way. */
static void on_unlocked(void *arg, const struct api_result *result)
{
    struct purchase *purchase = arg;
    say_answer(purchase, "/api/unlock", result);
    if (call_returned(purchase) && !asked_again(purchase, NEXT_UNLOCK, result) && succeeded(result))
        end(purchase, SHOP_FAILED);
}

static void unlock(struct purchase *purchase)
{
    say(purchase->started_ms, "integrator -> gateway", "POST /api/unlock vm_id=%s txnRef=%s",
        purchase->vm_id, purchase->ref);
    api_post(purchase->shop->config.api, "/api/unlock",
             json_pack("{s:s, s:s}", "vm_id", purchase->vm_id, "txnRef", purchase->ref),
             on_unlocked, purchase);
}

static void call_now(struct purchase *purchase)
{
    static void (*const CALLS[])(struct purchase * purchase) = {
        [NEXT_LOCK] = lock, [NEXT_PAY] = pay, [NEXT_UNLOCK] = unlock};
    enum next_call next = purchase->next;
    assert(next != NEXT_NONE);
    purchase->next = NEXT_NONE;
    purchase->calls++;
    CALLS[next](purchase);
}

static struct purchase *purchase_new(struct shop *shop, const char *vm_id, const char *ref)
{
    struct purchase *purchase = memory_zero(1, sizeof(*purchase));
    purchase->shop = shop;
    purchase->vm_id = vm_id ? memory_text(vm_id) : NULL;
    snprintf(purchase->started_as, sizeof(purchase->started_as), "%s", ref);
    snprintf(purchase->ref, sizeof(purchase->ref), "%s", ref);
    purchase->started_ms = clock_monotonic_ms();
    DL_APPEND2(shop->purchases, purchase, prev, next_purchase);
    return purchase;
}

void shop_buy(struct shop *shop, const char *vm_id, const char *ref)
{
    struct purchase *purchase = purchase_new(shop, vm_id, ref);
    purchase->next = NEXT_LOCK;
    call_now(purchase);
}

/* As JSON text in which no single quote stands, for a shell to take in single quotes. */
static char *quoted_json(const char *text)
{
    json_t *value = json_string(text);
    _cleanup_(memory_text_free) char *json = json_dumps(value, JSON_ENCODE_ANY);
    char *safe = memory_zero(strlen(json) * 6 + 1, 1);
    char *end = safe;
    json_decref(value);
    for (const char *at = json; *at; at++) {
        if (*at == '\'')
            end = stpcpy(end, "\\u0027");
        else
            *end++ = *at;
    }
    return safe;
}

static void say_how_to_pay(const struct shop *shop, const char *ref, int64_t cents)
{
    const struct api_config *config = shop->config.api_config;
    _cleanup_(memory_text_free) char *quoted = quoted_json(ref);
    say(0, "integrator", "not a purchase of mine; pay for it with");
    say_plain("curl --cacert '%s' -H 'X-API-Key: %s' -H 'Content-Type: application/json' -d "
              "'{\"txnRef\":%s,\"price\":%lld,\"surcharge\":0,\"discount\":0}' %s/api/paid",
              config->ca_file, config->key, quoted, (long long)cents, config->url);
}

static void rename_purchase(struct purchase *purchase, const char *ref)
{
    say(purchase->started_ms, "integrator", "%s is called %s from now on", purchase->ref, ref);
    snprintf(purchase->ref, sizeof(purchase->ref), "%s", ref);
}

static void on_request(struct shop *shop, struct purchase *purchase, const json_t *body)
{
    const char *new_ref = text_of(body, "new_txn_ref");
    const char *ref = new_ref[0] ? new_ref : text_of(body, "txn_ref");
    int64_t cents = json_integer_value(json_object_get(body, "cents"));
    say(purchase ? purchase->started_ms : 0, "gateway    -> integrator",
        "POST /txn/request txn_ref=%s selection=%s cents=%lld", text_of(body, "txn_ref"),
        text_of(body, "selection"), (long long)cents);
    if (!purchase && !shop->config.pay_all) {
        say_how_to_pay(shop, ref, cents);
        return;
    }
    if (!purchase)
        purchase = purchase_new(shop, NULL, ref);
    else if (new_ref[0])
        rename_purchase(purchase, new_ref);
    purchase->locked = true;
    purchase->cents = cents;
    purchase->try_until_ms = 0;
    call_later(purchase, NEXT_PAY, 0); /* once the callback is answered */
}

static void on_vend(struct shop *shop UNUSED, struct purchase *purchase, const json_t *body)
{
    bool dispensed = json_is_true(json_object_get(body, "success"));
    say(purchase ? purchase->started_ms : 0, "gateway    -> integrator",
        "POST /txn/vend txn_ref=%s success=%s code=%s", text_of(body, "txn_ref"),
        dispensed ? "true" : "false", text_of(body, "code"));
    if (!purchase)
        return;
    say(purchase->started_ms, "integrator",
        dispensed ? "%lld cents are due" : "the %lld cents are given back",
        (long long)purchase->cents);
    end(purchase, dispensed ? SHOP_DISPENSED : SHOP_FAILED);
}

static void on_unlock(struct shop *shop UNUSED, struct purchase *purchase, const json_t *body)
{
    say(purchase ? purchase->started_ms : 0, "gateway    -> integrator",
        "POST /txn/unlock txn_ref=%s code=%s", text_of(body, "txn_ref"), text_of(body, "code"));
    if (purchase)
        end(purchase, SHOP_FAILED);
}

static const struct {
    const char *path;
    void (*handle)(struct shop *shop, struct purchase *purchase, const json_t *body);
} CALLBACKS[] = {
    {"/txn/request", on_request},
    {"/txn/vend", on_vend},
    {"/txn/unlock", on_unlock},
};

void shop_callback(struct shop *shop, const char *path, const json_t *body)
{
    for (size_t i = 0; i < ARRAY_SIZE(CALLBACKS); i++)
        if (strcmp(CALLBACKS[i].path, path) == 0) {
            CALLBACKS[i].handle(shop, find(shop, text_of(body, "txn_ref")), body);
            return;
        }
    say(0, "gateway    -> integrator", "POST %s vm_id=%s", path, text_of(body, "vm_id"));
}

int shop_work(struct shop *shop)
{
    int64_t now = clock_monotonic_ms();
    int64_t wait_ms = -1;
    for (struct purchase *purchase = shop->purchases; purchase;
         purchase = purchase->next_purchase) {
        if (purchase->next == NEXT_NONE)
            continue;
        int64_t left_ms = purchase->due_ms - now;
        if (left_ms <= 0)
            call_now(purchase);
        else if (wait_ms < 0 || left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return (int)wait_ms;
}

enum shop_outcome shop_outcome(const struct shop *shop)
{
    return shop->outcome;
}
