#include "world.h"

#include "base/macros.h"
#include "base/memory.h"
#include "base/random.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 30000

static void on_ready(void *arg)
{
    ((struct world *)arg)->readies++;
}

static void on_lost(void *arg)
{
    ((struct world *)arg)->losses++;
}

static void on_changed(void *arg, const char *what, const char *key)
{
    struct world *world = arg;
    snprintf(world->changed, sizeof(world->changed), "%s %s", what, key);
}

static void on_alive(void *arg, int64_t until_ms)
{
    ((struct world *)arg)->alive_until_ms = until_ms;
}

static void on_dispossessed(void *arg)
{
    ((struct world *)arg)->dispossessions++;
}

static void on_adopted(void *arg)
{
    ((struct world *)arg)->adoptions++;
}

bool is_ready(const struct world *world)
{
    return store_ready(world->store);
}

static bool is_closed(const struct world *world)
{
    return world->closed;
}

static bool is_answered(const struct world *world)
{
    return world->waiting == 0;
}

static void on_watchdog(uv_timer_t *watchdog)
{
    (void)watchdog;
    ck_abort_msg("what was waited for did not come");
}

void world_until(struct world *world, bool (*done)(const struct world *world))
{
    uv_timer_t watchdog;
    uv_timer_init(world->loop, &watchdog);
    uv_timer_start(&watchdog, on_watchdog, WAIT_MAX_MS, 0);
    while (!done(world))
        uv_run(world->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&watchdog, NULL);
    uv_run(world->loop, UV_RUN_NOWAIT);
}

void world_wait(struct world *world)
{
    world_until(world, is_answered);
}

static const char *database_url(void)
{
    const char *url = getenv("VENDGATE_TEST_DATABASE_URL");
    ck_assert_msg(url, "VENDGATE_TEST_DATABASE_URL is not set");
    return url;
}

static void store_start(struct world *world)
{
    static const struct store_handlers HANDLERS = {on_ready, on_lost,         on_changed,
                                                   on_alive, on_dispossessed, on_adopted};
    const struct store_options options = {
        .conninfo = database_url(),
        .instance = world->instance,
        .batch_max = 128,
        .queue_max = 20000,
        .statement_timeout_ms = 10000,
        .connect_timeout_ms = 5000,
        .heartbeat_ms = world->heartbeat_ms,
        .lease_ms = 3 * world->heartbeat_ms,
    };
    char error[STORE_ERROR_SIZE];
    world->metrics = metrics_new();
    int result =
        store_open(world->loop, &options, &HANDLERS, world, world->metrics, &world->store, error);
    ck_assert_msg(result == 0, "%s", error);
    world_until(world, is_ready);
}

static void world_begin(struct world *world)
{
    world->admin = PQconnectdb(database_url());
    ck_assert_msg(PQstatus(world->admin) == CONNECTION_OK, "%s", PQerrorMessage(world->admin));
    world->integrator_id =
        admin(world,
              "INSERT INTO integrator (name) VALUES ('%s') ON CONFLICT (name) DO UPDATE SET name ="
              " excluded.name RETURNING integrator_id",
              world->instance);
    store_start(world);
}

void world_open(struct world *world, struct world *shared)
{
    *world = (struct world){.loop = shared ? shared->loop : memory_zero(1, sizeof(uv_loop_t)),
                            .own_loop = !shared,
                            .heartbeat_ms = 60000};
    if (!shared)
        uv_loop_init(world->loop);
    if (shared)
        snprintf(world->instance, sizeof(world->instance), "%s", shared->instance);
    else
        random_hex(world->instance, 6);
    world_begin(world);
}

void world_open_as(struct world *world, const struct world *beside, const char *instance,
                   int64_t heartbeat_ms)
{
    *world = (struct world){.loop = beside->loop, .heartbeat_ms = heartbeat_ms};
    snprintf(world->instance, sizeof(world->instance), "%s", instance);
    world_begin(world);
}

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

void world_close(struct world *world)
{
    if (!world->closed && world->store)
        store_close(world->store, 5000, on_closed, world);
    world_until(world, is_closed);
    PQfinish(world->admin);
    metrics_free(&world->metrics);
    if (!world->own_loop)
        return;
    uv_run(world->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(world->loop), 0); /* nothing is left behind */
    free(world->loop);
}

int64_t admin(struct world *world, const char *format, ...)
{
    char *sql = NULL;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&sql, format, arguments);
    va_end(arguments);
    ck_assert_int_gt(size, 0);
    PGresult *result = PQexec(world->admin, sql);
    ExecStatusType status = PQresultStatus(result);
    ck_assert_msg(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", sql,
                  PQresultErrorMessage(result));
    bool any = PQntuples(result) > 0 && !PQgetisnull(result, 0, 0);
    int64_t value = any ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : -1;
    PQclear(result);
    free(sql);
    return value;
}

double metric(struct world *world, const char *sample)
{
    char *text = metrics_render(world->metrics, NULL);
    const char *found = strstr(text, sample);
    double value = found ? strtod(found + strlen(sample), NULL) : 0;
    free(text);
    return value;
}

void vm_id_of(const struct world *world, int number, char ret_vm_id[static VM_ID_SIZE])
{
    snprintf(ret_vm_id, VM_ID_SIZE, "%s-%d", world->instance, number);
}

static void count_owned(void *arg, enum store_outcome outcome,
                        const struct store_machine_owned *owned)
{
    (void)owned;
    count_done(arg, outcome);
}

void machines_add(struct world *world, int from, int to)
{
    admin(world, "INSERT INTO machine (vm_id) SELECT '%s-' || n FROM generate_series(%d, %d) n",
          world->instance, from, to);
    for (int number = from; number <= to; number++) {
        char vm_id[VM_ID_SIZE];
        vm_id_of(world, number, vm_id);
        world->waiting++;
        store_machine_own(world->store, vm_id, count_owned, world);
    }
    world_wait(world);
    ck_assert_int_eq(world->outcomes[STORE_APPLIED], to - from + 1);
    memset(world->outcomes, 0, sizeof(world->outcomes));
}

struct txn_record locking(const struct world *world, int number, int round)
{
    struct txn_record txn = {
        .integrator_id = world->integrator_id,
        .state = TXN_LOCKING,
        .version = 1,
        .balance = 500,
        .request = -1,
        .item = -1,
        .timer = TXN_TIMER_LOCK_ACK,
        .deadline_ms = store_now_ms(world->store) + 5000,
    };
    snprintf(txn.ref, sizeof(txn.ref), "ref-%d-%d", number, round);
    vm_id_of(world, number, txn.vm_id);
    return txn;
}

struct store_txn_step begin_step(const struct txn_record *txn)
{
    return (struct store_txn_step){
        .txn = txn, .event = TXN_LOCK, .actor = "integrator", .owner_epoch = 1};
}

struct store_txn_step next_step(struct txn_record *txn, enum txn_state state, enum txn_event event)
{
    struct store_txn_step step = {
        .txn = txn, .from = txn->state, .event = event, .actor = "machine", .owner_epoch = 1};
    txn->state = state;
    txn->version++;
    return step;
}

void count_recorded(void *arg, int64_t callback_id, enum store_recorded recorded, int64_t lane)
{
    struct world *world = arg;
    (void)callback_id;
    world->recorded[recorded]++;
    world->lane = lane;
}

void count_done(void *arg, enum store_outcome outcome)
{
    struct world *world = arg;
    world->outcomes[outcome]++;
    world->outcome = outcome;
    world->waiting--;
}

void count_step(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct world *world = arg;
    world->result = *result;
    count_done(arg, outcome);
}

enum store_outcome begin(struct world *world, struct txn_record *txn)
{
    const struct store_txn_step step = begin_step(txn);
    world->waiting++;
    store_txn_begin(world->store, &step, count_step, world);
    world_wait(world);
    if (world->outcome == STORE_APPLIED)
        txn->id = txn->session = world->result.txn_id;
    return world->outcome;
}

enum store_outcome advance(struct world *world, const struct store_txn_step *step)
{
    world->waiting++;
    store_txn_advance(world->store, step, count_step, world);
    world_wait(world);
    return world->outcome;
}

struct store_machine_event selection_event(const struct txn_record *txn, int64_t seq)
{
    static const char BODY[] = "{\"event\":\"selection\"}";
    return (struct store_machine_event){
        .vm_id = txn->vm_id,
        .event_epoch = 1,
        .seq = seq,
        .time_s = 1700000000,
        .name = "selection",
        .raw = BODY,
        .raw_size = sizeof(BODY) - 1,
        .state_epoch = 1,
        .mark = seq,
    };
}

struct store_new_callback *put_callback(struct world *world, struct store_txn_step *step,
                                        const char *kind, const char *body)
{
    struct store_new_callback *callback = &step->callbacks[step->callback_count++];
    *callback = (struct store_new_callback){
        .kind = kind,
        .webhook_id = "msg_1",
        .lane = step->txn->session,
        .lane_sequence = step->txn->lane_sequence,
        .body = body,
        .body_size = strlen(body),
        .expires_ms = store_now_ms(world->store) + 30000,
    };
    return callback;
}

struct txn_record requested(struct world *world, int number, int round)
{
    struct txn_record txn = locking(world, number, round);
    ck_assert_int_eq(begin(world, &txn), STORE_APPLIED);
    struct store_txn_step accepted = next_step(&txn, TXN_LOCKED, TXN_LOCK_ACCEPTED);
    ck_assert_int_eq(advance(world, &accepted), STORE_APPLIED);
    txn.request = 7;
    txn.item = 12;
    snprintf(txn.selection, sizeof(txn.selection), "A\"1\\,{}");
    txn.price = 150;
    txn.lane_sequence = 1;
    struct store_txn_step selected = next_step(&txn, TXN_REQUESTED, TXN_SELECTION);
    const struct store_machine_event event = selection_event(&txn, round);
    selected.machine_event = &event;
    put_callback(world, &selected, "/txn/request", "{\"txn_ref\":\"quote \\\" brace {\"}");
    ck_assert_int_eq(advance(world, &selected), STORE_APPLIED);
    return txn;
}

void pay(struct world *world, struct txn_record *txn)
{
    random_hex(txn->approval, 16);
    txn->amount = txn->price;
    txn->approval_n = 4;
    snprintf(txn->journal, sizeof(txn->journal), "j-1");
    txn->paid_ms = store_now_ms(world->store);
}

struct txn_record vended(struct world *world, int number, int round)
{
    struct txn_record txn = requested(world, number, round);
    pay(world, &txn);
    const struct {
        enum txn_state state;
        enum txn_event event;
    } STEPS[] = {{TXN_PAID, TXN_PAID_ACCEPTABLE},
                 {TXN_VENDING, TXN_APPROVAL_TAKEN},
                 {TXN_VENDED, TXN_DISPENSED}};
    for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++) {
        struct store_txn_step step = next_step(&txn, STEPS[i].state, STEPS[i].event);
        if (STEPS[i].state == TXN_VENDED) {
            txn.closed_by = TXN_DISPENSED;
            txn.timer = TXN_TIMER_NONE;
            txn.deadline_ms = 0;
        }
        ck_assert_int_eq(advance(world, &step), STORE_APPLIED);
    }
    return txn;
}

struct txn_record successor(const struct txn_record *old, const char *ref)
{
    struct txn_record txn = *old;
    memset(txn.ref, 0, sizeof(txn.ref));
    memset(txn.approval, 0, sizeof(txn.approval));
    memset(txn.journal, 0, sizeof(txn.journal));
    txn.id = 0;
    txn.state = TXN_REQUESTED;
    txn.version = 1;
    txn.request = old->request + 1;
    txn.predecessor_id = old->id;
    txn.lane_sequence = old->lane_sequence + 1;
    txn.lock_answered = true;
    txn.surcharge = txn.discount = txn.amount = txn.approval_n = txn.paid_ms = txn.created_ms = 0;
    txn.closed_by = TXN_EVENT_NONE;
    txn.timer = TXN_TIMER_PAYMENT;
    txn.deadline_ms = 1900000000000;
    snprintf(txn.ref, sizeof(txn.ref), "%s", ref);
    snprintf(txn.predecessor_ref, sizeof(txn.predecessor_ref), "%s", old->ref);
    return txn;
}

enum txn_state give_way(struct txn_record *old)
{
    enum txn_state from = old->state;
    old->version++;
    old->timer = TXN_TIMER_NONE;
    old->deadline_ms = 0;
    if (from == TXN_VENDED)
        return from;
    old->state = TXN_CLOSED;
    old->closed_by = TXN_SELECTION_RENAMING;
    return from;
}

struct store_txn_step succeed_step(struct world *world, const struct txn_record *txn)
{
    struct store_txn_step step = {
        .txn = txn, .event = TXN_SELECTION_RENAMING, .actor = "machine", .owner_epoch = 1};
    put_callback(world, &step, "/txn/request", "{\"new_txn_ref\":\"x\"}")->renames = true;
    return step;
}

enum store_outcome succeed(struct world *world, const struct store_txn_step *step,
                           const struct txn_record *old, enum txn_state from)
{
    world->waiting++;
    store_txn_succeed(world->store, step, old, from, count_step, world);
    world_wait(world);
    return world->outcome;
}
