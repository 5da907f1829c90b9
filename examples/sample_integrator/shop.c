#include "sample_integrator/shop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "sample_integrator/say.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { RETRY_MS = 1000, TRIES_MAX = 30, REF_SIZE = 129 };

struct purchase {
    struct shop *shop;
    char *vm_id;
    char ref[REF_SIZE]; /* renamed by new_txn_ref */
    int64_t started_ms;
    int64_t cents;
    int tries;          /* of /api/paid */
    int64_t pay_due_ms; /* 0: not */
    bool ended;         /* no callback is expected any more */
    unsigned calls;     /* under way; their callbacks hold this purchase */
    struct purchase *prev, *next;
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
    DL_DELETE(purchase->shop->purchases, purchase);
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
    DL_FOREACH (shop->purchases, purchase)
        if (!purchase->ended && strcmp(purchase->ref, ref) == 0)
            return purchase;
    return NULL;
}

static void end(struct purchase *purchase, enum shop_outcome outcome)
{
    purchase->ended = true;
    purchase->pay_due_ms = 0;
    purchase->shop->outcome = outcome;
    if (purchase->calls == 0)
        purchase_free(purchase);
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

static void on_locked(void *arg, const struct api_result *result)
{
    struct purchase *purchase = arg;
    say_answer(purchase, "/api/lock", result);
    if (!call_returned(purchase))
        return;
    if (!succeeded(result)) {
        end(purchase, SHOP_FAILED);
        return;
    }
    say(purchase->started_ms, "integrator", "machine %s is ours; the customer has %lld s to choose",
        purchase->vm_id, (long long)json_integer_value(json_object_get(result->answer, "timeout")));
}

void shop_buy(struct shop *shop, const char *vm_id, const char *ref)
{
    struct purchase *purchase = memory_zero(1, sizeof(*purchase));
    purchase->shop = shop;
    purchase->vm_id = memory_text(vm_id);
    snprintf(purchase->ref, sizeof(purchase->ref), "%s", ref);
    purchase->started_ms = clock_monotonic_ms();
    purchase->calls = 1;
    DL_APPEND(shop->purchases, purchase);
    say(purchase->started_ms, "integrator -> gateway", "POST /api/lock vm_id=%s txnRef=%s", vm_id,
        purchase->ref);
    api_post(shop->config.api, "/api/lock",
             json_pack("{s:s, s:s, s:i}", "vm_id", vm_id, "txnRef", purchase->ref, "balance",
                       UINT16_MAX),
             on_locked, purchase);
}

/* No answer may mean that it was booked: asking again with the same figures is safe, giving up is
 * not. */
static bool worth_another_try(const struct api_result *result)
{
    enum { UNAVAILABLE = 503, TOO_MANY = 429 };
    return !result->answer || result->http_status == UNAVAILABLE ||
           result->http_status == TOO_MANY ||
           strcmp(text_of(result->answer, "action"), "retry") == 0;
}

static void on_paid(void *arg, const struct api_result *result)
{
    struct purchase *purchase = arg;
    say_answer(purchase, "/api/paid", result);
    if (!call_returned(purchase) || succeeded(result))
        return;
    if (worth_another_try(result) && purchase->tries < TRIES_MAX)
        purchase->pay_due_ms = clock_monotonic_ms() + RETRY_MS;
    else if (strcmp(text_of(result->answer, "action"), "refund") == 0)
        end(purchase, SHOP_FAILED);
    /* Else the outcome follows by callback. */
}

static void pay(struct purchase *purchase)
{
    purchase->pay_due_ms = 0;
    purchase->tries++;
    purchase->calls++;
    say(purchase->started_ms, "integrator -> gateway", "POST /api/paid txnRef=%s price=%lld",
        purchase->ref, (long long)purchase->cents);
    api_post(purchase->shop->config.api, "/api/paid",
             json_pack("{s:s, s:I, s:i, s:i}", "txnRef", purchase->ref, "price",
                       (json_int_t)purchase->cents, "surcharge", 0, "discount", 0),
             on_paid, purchase);
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
    if (!purchase) {
        say_how_to_pay(shop, ref, cents);
        return;
    }
    if (new_ref[0])
        rename_purchase(purchase, new_ref);
    purchase->cents = cents;
    purchase->tries = 0;
    purchase->pay_due_ms = clock_monotonic_ms(); /* once the callback is answered */
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
    struct purchase *purchase;
    DL_FOREACH (shop->purchases, purchase) {
        if (purchase->pay_due_ms == 0)
            continue;
        int64_t left_ms = purchase->pay_due_ms - now;
        if (left_ms <= 0)
            pay(purchase);
        else if (wait_ms < 0 || left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return (int)wait_ms;
}

enum shop_outcome shop_outcome(const struct shop *shop)
{
    return shop->outcome;
}
