/* shop.h - an integrator as they really behave: it locks, hears callbacks, pays, calls again when
 * no answer came, makes mistakes, and keeps its own books of what it was told. */
#ifndef VENDGATE_TESTS_SIMULATION_SHOP_H
#define VENDGATE_TESTS_SIMULATION_SHOP_H

#include "broker/broker.h"
#include "choices.h"

#include <stdbool.h>
#include <stdint.h>

#define SHOP_PURCHASES_MAX 12
#define SHOP_WEBHOOKS_MAX 64

struct world;
struct gateway;

enum purchase_stage {
    PURCHASE_UNUSED = 0,
    PURCHASE_LOCKING,   /* wants the machine */
    PURCHASE_LOCKED,    /* the customer is choosing */
    PURCHASE_REQUESTED, /* /txn/request came: to be paid */
    PURCHASE_PAYING,    /* /api/paid goes out until it is answered */
    PURCHASE_BOOKED,    /* paid: an outcome will follow */
    PURCHASE_UNLOCKING,
    PURCHASE_OVER,
};

struct purchase {
    enum purchase_stage stage;
    int device;
    char ref[TXN_REF_SIZE], old_ref[TXN_REF_SIZE];
    int64_t balance, price, discount, surcharge;
    struct request *pending; /* the call that was not answered */
    bool lock_confirmed, paid_confirmed, unlock_confirmed, refund_told;
    bool vended, failed, unlocked; /* as callbacks told */
    int64_t idle_until_ms;
};

struct shop {
    struct world *world;
    int64_t id;
    struct purchase purchases[SHOP_PURCHASES_MAX]; /* the oldest is forgotten */
    size_t next;
    int64_t refs;
    struct {
        char webhook_id[40];
        enum attempt_result result;
    } heard[SHOP_WEBHOOKS_MAX]; /* answered before, and how */
    size_t heard_next;
};

enum request_kind {
    REQUEST_LOCK = 1,
    REQUEST_PAID,
    REQUEST_UNLOCK,
    REQUEST_KEYS,
    REQUEST_VERDICT,
    REQUEST_RELEASE,
};

/* A call that is with the gateway. */
struct request {
    struct gateway *gateway;
    enum request_kind kind;
    int64_t number, integrator_id, txn_id;
    char ref[TXN_REF_SIZE];
    int64_t price, discount, surcharge;
    bool vended;
    int device;
    struct shop *shop;         /* NULL: an operator's */
    struct purchase *purchase; /* NULL: nobody waits for the answer */
    bool inside;               /* the call has not returned */
    struct request *prev, *next;
};

void shop_init(struct shop *shop, struct world *world, int number);
void shop_offer(struct shop *shop, struct choices *choices);
enum attempt_result shop_receive(struct world *world, const struct outbound_callback *callback);

/* request.c */
/* Makes the call; the answer goes to shop_answered(). */
void request_make(struct request *request);
struct request *request_new(struct world *world, enum request_kind kind, struct shop *shop,
                            struct purchase *purchase);
/* `answer` NULL: none came. */
void shop_answered(struct shop *shop, struct purchase *purchase, const struct request *request,
                   const struct broker_answer *answer);
/* After the process's death: nobody will answer them. */
void requests_forget(struct gateway *gateway);
void operators_offer(struct world *world, struct choices *choices);

#endif
