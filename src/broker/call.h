/* call.h - a call of an integrator or an operator, from its arrival to its one answer. */
#ifndef VENDGATE_BROKER_CALL_H
#define VENDGATE_BROKER_CALL_H

#include "broker/broker.h"

#define CALL_KEYS_MAX 32 /* contract */

enum call_kind {
    CALL_LOCK = 1,
    CALL_PAID,
    CALL_UNLOCK,
    CALL_KEYS,
    CALL_VERDICT, /* an operator's, as is the next */
    CALL_RELEASE,
};

/* A call of an integrator or an operator until it is answered. */
struct call {
    enum call_kind kind;
    int64_t integrator_id;     /* 0: an operator's */
    char ref[TXN_REF_SIZE];    /* empty: an operator's */
    char vm_id[VM_ID_SIZE];    /* empty for CALL_PAID, CALL_VERDICT */
    int64_t txn_id;            /* VERDICT */
    bool vended;               /* VERDICT */
    char *operator, * because; /* VERDICT, RELEASE: owned */
    int64_t balance, price, discount, surcharge;
    int64_t keys[CALL_KEYS_MAX];
    size_t key_count;
    broker_answer_cb *callback; /* NULL: answered */
    void *arg;
    int64_t deadline_ms; /* monotonic */
    int tries;
    struct broker *broker;
    enum reason reason;                       /* refused later: why */
    struct call *due_next;                    /* broker->due_calls */
    struct call *prev, *next;                 /* broker->calls */
    struct call *waiting_prev, *waiting_next; /* live->lock_calls */
};

struct live;
struct machine;

/* Answers (once) and frees the call. ACTION_NONE with a reason: the reason's own action. */
void call_answer(struct call *call, enum reason reason, enum reason_action action);
void call_answer_full(struct call *call, const struct broker_answer *answer);
/* The ref is not live here: answers from the database. */
void call_settle_from_store(struct call *call);
void lock_calls_answer(struct live *live, enum reason reason);
void call_refuse_later(struct call *call, enum reason reason);
/* A call that the broker is to answer; without its own fields yet. `ref` empty: an operator's. */
struct call *call_new(struct broker *broker, enum call_kind kind, int64_t integrator_id,
                      const char *ref);
/* False: refused, because nothing can be promised now. */
bool call_admit(struct call *call);
/* Into the machine's mailbox, or refused when that is full. */
void call_post(struct machine *machine, struct call *call);
/* Answers those over their deadline. */
void calls_sweep(struct broker *broker);

#endif
