#include "people/people.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"
#include "people/grants.h"
#include "people/keyring.h"
#include "people/password.h"
#include "people/roster.h"
#include "people/secret.h"
#include "people/unseal.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000 /* a table that PostgreSQL did not give is asked for again */

enum table { TABLE_INTEGRATORS, TABLE_KEYS, TABLE_GRANTS, TABLE_COUNT };

/* A table is reread whole: `incoming` fills beside what is in force, then they are swapped. */
struct reading {
    bool under_way, again, loaded;
};

struct people {
    struct store *store; /* borrowed */
    struct people_handlers handlers;
    void *arg;
    struct reading readings[TABLE_COUNT];
    struct roster *roster, *roster_incoming;
    struct keyring *keyring, *keyring_incoming;
    struct grants *grants, *grants_incoming;
    struct passwords *passwords;
    struct vault *vault;    /* borrowed; NULL: no master key */
    int in_the_clear;       /* integrators of this reading with a secret that is not sealed */
    bool in_the_clear_told; /* once in this process's life */
    struct timer *retry;
    struct metrics *metrics;
    bool freed;    /* the owner let go; the last answer frees */
    size_t asking; /* answers still to come from the store */
};

static const struct metric_def AUTHENTICATIONS = {
    .name = "vendgate_authentications_total",
    .kind = METRIC_COUNTER,
    .help = "Requests by what became of their credentials.",
    .labels = {"verdict"},
};

static const char *const VERDICTS[] = {
    [PEOPLE_KNOWN] = "known",
    [PEOPLE_NO_CREDENTIALS] = "none",
    [PEOPLE_WRONG] = "wrong",
    [PEOPLE_OVERLOADED] = "overloaded",
};

static void read_table(struct people *people, enum table table);

static void on_retry(void *arg)
{
    people_refresh(arg, NULL, NULL);
}

struct people *people_new(uv_loop_t *loop, struct store *store,
                          const struct people_options *options,
                          const struct people_handlers *handlers, void *arg,
                          struct metrics *metrics)
{
    struct people *people = memory_zero(1, sizeof(*people));
    people->store = store;
    people->handlers = *handlers;
    people->arg = arg;
    people->metrics = metrics;
    people->vault = options->vault;
    people->roster = roster_new();
    people->keyring = keyring_new();
    people->grants = grants_new();
    people->passwords =
        passwords_new(loop, people->keyring, options->password_cache_ms, options->checks_max);
    people->retry = timer_new(loop, on_retry, people);
    metrics_declare(metrics, &AUTHENTICATIONS, 1);
    return people;
}

static void free_whole(struct people *people)
{
    roster_free(&people->roster);
    roster_free(&people->roster_incoming);
    keyring_free(&people->keyring);
    keyring_free(&people->keyring_incoming);
    grants_free(&people->grants);
    grants_free(&people->grants_incoming);
    free(people);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static void tell_changed(void *arg, int64_t integrator_id)
{
    struct people *people = arg;
    people->handlers.integrator_changed(people->arg, integrator_id);
}

static void warn_in_the_clear(struct people *people)
{
    if (people->in_the_clear == 0 || people->in_the_clear_told)
        return;
    people->in_the_clear_told = true;
    log_warning("secrets_in_the_clear", LOG_INT("integrators", people->in_the_clear),
                LOG_TEXT("remedy", people->vault ? "vendctl secret seal"
                                                 : "make a master key with `vendctl secret init`, "
                                                   "then `vendctl secret seal`"));
}

static void integrators_in_force(struct people *people)
{
    _cleanup_(roster_free) struct roster *before = people->roster;
    people->roster = TAKE(people->roster_incoming);
    warn_in_the_clear(people);
    if (people_loaded(people))
        roster_compare(before, people->roster, tell_changed, people);
}

static void keys_in_force(struct people *people)
{
    struct keyring *before = people->keyring;
    people->keyring = TAKE(people->keyring_incoming);
    passwords_use(people->passwords, people->keyring);
    keyring_free(&before);
}

static void grants_in_force(struct people *people)
{
    grants_free(&people->grants);
    people->grants = TAKE(people->grants_incoming);
}

static void put_in_force(struct people *people, enum table table)
{
    static void (*const SWAPS[])(struct people *) = {
        [TABLE_INTEGRATORS] = integrators_in_force,
        [TABLE_KEYS] = keys_in_force,
        [TABLE_GRANTS] = grants_in_force,
    };
    bool was_loaded = people_loaded(people);
    SWAPS[table](people);
    people->readings[table].loaded = true;
    if (was_loaded || !people_loaded(people))
        return;
    log_info("people_loaded", LOG_INT("integrators", roster_count(people->roster)),
             LOG_INT("grants", grants_count(people->grants)));
    people->handlers.loaded(people->arg);
}

static void drop_incoming(struct people *people, enum table table)
{
    if (table == TABLE_INTEGRATORS)
        roster_free(&people->roster_incoming);
    else if (table == TABLE_KEYS)
        keyring_free(&people->keyring_incoming);
    else
        grants_free(&people->grants_incoming);
}

/* The last answer of one reading. On a failure what was known stays in force; when the store was
 * lost it tells that it is ready again, and everything is asked for anew. */
static void end_reading(struct people *people, enum table table, enum store_outcome outcome)
{
    assert(people->asking > 0);
    people->asking--;
    if (people->freed) {
        if (people->asking == 0)
            free_whole(people);
        return;
    }
    struct reading *reading = &people->readings[table];
    reading->under_way = false;
    if (outcome == STORE_APPLIED) {
        put_in_force(people, table);
    } else {
        drop_incoming(people, table);
        log_warning("people_not_read", LOG_INT("table", table), LOG_INT("outcome", outcome));
        timer_start(people->retry, RETRY_MS);
    }
    bool again = reading->again;
    reading->again = false;
    if (again && outcome == STORE_APPLIED)
        read_table(people, table);
}

/* Told when it begins and when it ends, not at each reading. */
static void tell_readable(const struct people *people, const struct unsealed *unsealed)
{
    const struct integrator *known = roster_find(people->roster, unsealed->row.integrator_id);
    bool was = known && known->unreadable;
    if (unsealed->fault && !was)
        log_error("secrets_unreadable", LOG_TEXT("name", unsealed->row.name),
                  LOG_INT("integrator", unsealed->row.integrator_id),
                  LOG_TEXT("effect", "its callbacks are held, none is lost"),
                  LOG_TEXT("remedy", unsealed->fault));
    else if (!unsealed->fault && was)
        log_notice("secrets_readable", LOG_TEXT("name", unsealed->row.name),
                   LOG_INT("integrator", unsealed->row.integrator_id));
}

static void add_integrator(struct people *people, const struct store_integrator_row *row)
{
    struct unsealed unsealed;
    unsealed_init(&unsealed, people->vault, row);
    people->in_the_clear += unsealed.in_the_clear > 0;
    tell_readable(people, &unsealed);
    roster_add(people->roster_incoming, &unsealed.row, unsealed.fault != NULL);
    unsealed_done(&unsealed);
}

static void on_integrator(void *arg, enum store_outcome outcome,
                          const struct store_integrator_row *row)
{
    struct people *people = arg;
    if (row)
        add_integrator(people, row);
    else
        end_reading(people, TABLE_INTEGRATORS, outcome);
}

static void add_key(struct people *people, const struct store_key_row *row)
{
    int result = -1;
    if (strcmp(row->kind, "api_key") == 0)
        result = keyring_add_api_key(people->keyring_incoming, row->digest, row->integrator_id);
    else if (strcmp(row->kind, "basic") == 0 && row->user_name)
        result = keyring_add_password(people->keyring_incoming, row->user_name, row->digest,
                                      row->integrator_id);
    if (result < 0)
        log_warning("key_unusable", LOG_INT("key", row->key_id),
                    LOG_INT("integrator", row->integrator_id), LOG_TEXT("kind", row->kind));
}

static void on_key(void *arg, enum store_outcome outcome, const struct store_key_row *row)
{
    struct people *people = arg;
    if (row)
        add_key(people, row);
    else
        end_reading(people, TABLE_KEYS, outcome);
}

static void on_grant(void *arg, enum store_outcome outcome, int64_t integrator_id,
                     const char *vm_id)
{
    struct people *people = arg;
    if (vm_id)
        grants_add(people->grants_incoming, integrator_id, vm_id);
    else
        end_reading(people, TABLE_GRANTS, outcome);
}

/* What is to be read may be sealed under a key that has come since. */
static void reread_vault(struct people *people)
{
    char error[MASTER_KEY_ERROR_SIZE];
    if (people->vault && vault_reread(people->vault, error) < 0)
        log_warning("master_key_not_reread", LOG_TEXT("error", error),
                    LOG_TEXT("effect", "the keys that were read before stay in force"));
}

static void begin_reading(struct people *people, enum table table)
{
    if (table == TABLE_INTEGRATORS) {
        people->roster_incoming = roster_new();
        people->in_the_clear = 0;
        reread_vault(people);
        store_integrator_load(people->store, 0, on_integrator, people);
    } else if (table == TABLE_KEYS) {
        people->keyring_incoming = keyring_new();
        store_key_load(people->store, on_key, people);
    } else {
        people->grants_incoming = grants_new();
        store_grant_load(people->store, on_grant, people);
    }
}

static void read_table(struct people *people, enum table table)
{
    struct reading *reading = &people->readings[table];
    if (reading->under_way) {
        reading->again = true;
        return;
    }
    reading->under_way = true;
    people->asking++;
    begin_reading(people, table);
}

/* Few rows, rarely changed: what is named is reread as a whole table, `key` is not needed. Keys
 * hang on their integrator's being enabled, so they follow it. */
void people_refresh(struct people *people, const char *what, const char *key UNUSED)
{
    static const struct {
        const char *what;
        enum table table;
    } NAMES[] = {
        {"integrator", TABLE_INTEGRATORS},
        {"integrator", TABLE_KEYS},
        {"integrator_key", TABLE_KEYS},
        {"grant", TABLE_GRANTS},
    };
    if (!what) {
        for (int table = 0; table < TABLE_COUNT; table++)
            read_table(people, (enum table)table);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        if (strcmp(NAMES[i].what, what) == 0)
            read_table(people, NAMES[i].table);
}

bool people_loaded(const struct people *people)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (!people->readings[i].loaded)
            return false;
    return true;
}

/* --- authentication ------------------------------------------------------------------------------
 */

/* A request whose password is being checked. */
struct pending {
    struct people *people;
    int64_t key_owner; /* whom the API key that came along named; 0: none came */
    people_authenticated_cb *callback;
    void *arg;
};

static enum people_verdict count_verdict(struct people *people, enum people_verdict verdict)
{
    metric_add(metrics_cell(people->metrics, &AUTHENTICATIONS, VERDICTS[verdict]), 1);
    return verdict;
}

/* Both kinds were judged; 0 stands for one that did not come. */
static enum people_verdict conclude(const struct people *people, int64_t key_owner,
                                    int64_t password_owner, int64_t *ret_integrator_id)
{
    int64_t id = key_owner ? key_owner : password_owner;
    if (key_owner && password_owner && key_owner != password_owner)
        return PEOPLE_WRONG;
    const struct integrator *integrator = people_integrator(people, id);
    if (!integrator || !integrator->enabled)
        return PEOPLE_WRONG;
    *ret_integrator_id = id;
    return PEOPLE_KNOWN;
}

static enum people_verdict judge_password(const struct people *people, int64_t key_owner,
                                          enum password_outcome outcome, int64_t password_owner,
                                          int64_t *ret_integrator_id)
{
    if (outcome == PASSWORD_RIGHT)
        return conclude(people, key_owner, password_owner, ret_integrator_id);
    return outcome == PASSWORD_WRONG ? PEOPLE_WRONG : PEOPLE_OVERLOADED;
}

static void on_password(void *arg, enum password_outcome outcome, int64_t integrator_id)
{
    struct pending *pending = arg;
    int64_t id = 0;
    enum people_verdict verdict = PEOPLE_OVERLOADED;
    if (outcome != PASSWORD_ABANDONED) /* else `people` is no more */
        verdict = count_verdict(pending->people, judge_password(pending->people, pending->key_owner,
                                                                outcome, integrator_id, &id));
    pending->callback(pending->arg, verdict, id);
    free(pending);
}

/* True: judged at once, and `pending` is gone. */
static bool check_password(struct pending *pending, const struct people_credentials *credentials,
                           enum people_verdict *ret_verdict, int64_t *ret_integrator_id)
{
    struct people *people = pending->people;
    struct password_claim claim = {.user = credentials->user, .password = credentials->password};
    int64_t owner = 0;
    enum password_outcome outcome =
        passwords_check(people->passwords, &claim, &owner, on_password, pending);
    if (outcome == PASSWORD_WAITING)
        return false;
    *ret_verdict = judge_password(people, pending->key_owner, outcome, owner, ret_integrator_id);
    free(pending);
    return true;
}

static int64_t find_key_owner(const struct people *people, const char *api_key)
{
    char digest[SECRET_SHA256_SIZE];
    secret_sha256_hex(api_key, strlen(api_key), digest);
    return keyring_find_api_key(people->keyring, digest);
}

bool people_authenticate(struct people *people, const struct people_credentials *credentials,
                         enum people_verdict *ret_verdict, int64_t *ret_integrator_id,
                         people_authenticated_cb *callback, void *arg)
{
    bool basic = credentials->user && credentials->password;
    int64_t key_owner = credentials->api_key ? find_key_owner(people, credentials->api_key) : 0;
    *ret_integrator_id = 0;
    if (credentials->malformed || (credentials->api_key && !key_owner)) {
        *ret_verdict = PEOPLE_WRONG;
    } else if (basic) {
        struct pending *pending = memory_zero(1, sizeof(*pending));
        *pending = (struct pending){people, key_owner, callback, arg};
        if (!check_password(pending, credentials, ret_verdict, ret_integrator_id))
            return false;
    } else {
        *ret_verdict = credentials->api_key ? conclude(people, key_owner, 0, ret_integrator_id)
                                            : PEOPLE_NO_CREDENTIALS;
    }
    (void)count_verdict(people, *ret_verdict);
    return true;
}

const struct integrator *people_integrator(const struct people *people, int64_t integrator_id)
{
    return roster_find(people->roster, integrator_id);
}

bool people_granted(const struct people *people, int64_t integrator_id, const char *vm_id)
{
    return grants_has(people->grants, integrator_id, vm_id);
}

void people_free(struct people **people)
{
    struct people *old = TAKE(*people);
    if (!old)
        return;
    timer_free(&old->retry);
    passwords_free(&old->passwords);
    old->freed = true;
    if (old->asking == 0)
        free_whole(old);
}
