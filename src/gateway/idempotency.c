#include "gateway/idempotency.h"

#include "base/memory.h"
#include "gateway/core.h"
#include "people/secret.h"
#include "store/answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>
#include <utlist.h>

#define HEADER "Idempotency-Key"

/* What a key stands for: one path, one body. */
struct content {
    const char *path; /* the route's: static */
    char body_sha256[SECRET_SHA256_SIZE];
};

/* A request that waits under a key. */
struct caller {
    struct ticket *ticket;
    struct content content;
    struct caller *prev, *next;
};

enum key_phase {
    KEY_LOOKING = 1, /* the store is asked for an answer */
    KEY_RUNNING,     /* the handler has the call */
    KEY_SAVING,      /* the store takes the answer */
};

/* A key under way. The store's callbacks find it by pointer, so it outlives the gateway while one
 * is out. */
struct key {
    char *name;       /* "integrator key": the key in the table */
    const char *text; /* the header's value, inside `name` */
    int64_t integrator_id;
    struct idempotency *idempotency; /* NULL: gone; the store's callback frees the key */
    struct store *store;             /* borrowed */
    enum key_phase phase;
    struct caller *callers; /* utlist, in order of arrival */
    struct caller *first;   /* from RUNNING on: whose call it is; NULL: no longer waiting */
    struct content content; /* from RUNNING on */
    struct request *run;    /* from RUNNING on */
    struct timer *ran;      /* fires at once: a run is not freed inside the call that answers it */
    UT_hash_handle hh;
};

struct idempotency {
    struct key *keys; /* uthash by name */
    size_t caller_count, callers_max;
    size_t runs;
};

struct idempotency *idempotency_new(size_t callers_max)
{
    struct idempotency *idempotency = memory_zero(1, sizeof(*idempotency));
    idempotency->callers_max = callers_max;
    return idempotency;
}

size_t idempotency_runs(const struct idempotency *idempotency)
{
    return idempotency->runs;
}

/* --- the header ----------------------------------------------------------------------------------
 */

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind UNUSED, const char *name,
                                 const char *value)
{
    struct request *request = arg;
    if (strcasecmp(name, HEADER) == 0)
        request->idempotency_key = request->idempotency_key || !value ? "" : value;
    return MHD_YES;
}

void idempotency_read_key(struct request *request, struct MHD_Connection *mhd)
{
    (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, on_header, request);
}

static bool is_key(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return size >= 1 && size <= STORE_IDEMPOTENCY_KEY_MAX;
}

/* --- keys and their callers ----------------------------------------------------------------------
 */

static struct content content_of(const struct request *request)
{
    struct content content = {.path = request->route->path};
    secret_sha256_hex(request->body.bytes, request->body.size, content.body_sha256);
    return content;
}

static bool is_same(const struct content *content, const char *path, const char *body_sha256)
{
    return strcmp(content->path, path) == 0 && strcmp(content->body_sha256, body_sha256) == 0;
}

static void add_caller(struct key *key, struct request *request, const struct content *content)
{
    struct caller *caller = memory_zero(1, sizeof(*caller));
    caller->ticket = request_wait(request, REASON_OUTCOME_UNKNOWN);
    caller->content = *content;
    DL_APPEND(key->callers, caller);
    key->idempotency->caller_count++;
}

/* Its request, to be answered; NULL: it does not wait any more. */
static struct request *take_caller(struct key *key, struct caller *caller)
{
    struct request *request = ticket_redeem(caller->ticket);
    if (caller == key->first)
        key->first = NULL;
    DL_DELETE(key->callers, caller);
    key->idempotency->caller_count--;
    free(caller);
    return request;
}

static void free_key(struct key *key)
{
    assert(!key->callers && !key->run && !key->ran);
    free(key->name);
    free(key);
}

static void end_run(struct key *key)
{
    timer_free(&key->ran);
    if (!key->run)
        return;
    request_free(TAKE(key->run));
    key->idempotency->runs--;
}

/* Everybody was answered. */
static void end_key(struct key *key)
{
    HASH_DEL(key->idempotency->keys, key);
    end_run(key);
    free_key(key);
}

/* --- answers -------------------------------------------------------------------------------------
 */

/* An answer that reached the business, and that the same call would get again. */
static bool is_final(const struct answer *answer)
{
    return answer->status == MHD_HTTP_OK && answer->action != ACTION_RETRY &&
           answer->action != ACTION_WAIT;
}

static void refuse_all(struct key *key, enum reason reason)
{
    struct caller *caller, *next;
    DL_FOREACH_SAFE (key->callers, caller, next) {
        struct request *request = take_caller(key, caller);
        if (request)
            request_refuse(request, reason, NULL);
    }
}

static void give_run_to_all(struct key *key)
{
    struct caller *caller, *next;
    DL_FOREACH_SAFE (key->callers, caller, next) {
        bool replayed = caller != key->first;
        struct request *request = take_caller(key, caller);
        if (request)
            request_answer_again(request, &key->run->answer, replayed);
    }
}

/* Each call that is the one which was answered; the others are refused. */
static void give_kept_to_all(struct key *key, const struct store_answer *kept)
{
    struct answer answer = {.status = kept->status,
                            .reason = envelope_read_reason(kept->body, kept->body_size),
                            .body = (char *)(uintptr_t)kept->body,
                            .body_size = kept->body_size};
    struct caller *caller, *next;
    DL_FOREACH_SAFE (key->callers, caller, next) {
        bool same = is_same(&caller->content, kept->path, kept->body_sha256);
        struct request *request = take_caller(key, caller);
        if (request && same)
            request_answer_again(request, &answer, true);
        else if (request)
            request_refuse(request, REASON_IDEMPOTENCY_KEY_REUSED, NULL);
    }
}

/* --- the phases ----------------------------------------------------------------------------------
 */

/* A standing answer came from another process. If it is of another call, ours has been done all the
 * same, and saying otherwise would be wrong: it gets its own answer, which is not kept. */
static void on_saved(void *arg, enum store_outcome outcome, const struct store_answer *standing)
{
    struct key *key = arg;
    if (!key->idempotency) {
        free_key(key);
        return;
    }
    bool ours = outcome == STORE_APPLIED || outcome == STORE_CONFLICT;
    if (!ours)
        refuse_all(key, REASON_OUTCOME_UNKNOWN);
    else if (outcome == STORE_CONFLICT && standing &&
             is_same(&key->content, standing->path, standing->body_sha256))
        give_kept_to_all(key, standing);
    else
        give_run_to_all(key);
    end_key(key);
}

static void save(struct key *key)
{
    const struct answer *answer = &key->run->answer;
    struct store_answer kept = {.integrator_id = key->integrator_id,
                                .key = key->text,
                                .path = key->content.path,
                                .body_sha256 = key->content.body_sha256,
                                .status = answer->status,
                                .body = answer->body,
                                .body_size = answer->body_size};
    key->phase = KEY_SAVING;
    store_answer_save(key->store, &kept, on_saved, key);
}

static void on_ran(void *arg)
{
    struct key *key = arg;
    if (is_final(&key->run->answer)) {
        save(key);
        return;
    }
    give_run_to_all(key);
    end_key(key);
}

static void on_answered(void *arg)
{
    struct key *key = arg;
    timer_start(key->ran, 0);
}

/* The callers ask for something else than the call that runs. */
static void refuse_others(struct key *key)
{
    struct caller *caller, *next;
    DL_FOREACH_SAFE (key->callers, caller, next) {
        if (is_same(&key->content, caller->content.path, caller->content.body_sha256))
            continue;
        struct request *request = take_caller(key, caller);
        if (request)
            request_refuse(request, REASON_IDEMPOTENCY_KEY_REUSED, NULL);
    }
}

/* The oldest call whose client still waits is the one that counts; without any nothing is done. */
static void run(struct key *key)
{
    struct caller *first = key->callers;
    while (first && !ticket_look(first->ticket))
        first = first->next;
    if (!first) {
        refuse_all(key, REASON_OUTCOME_UNKNOWN); /* nobody hears it */
        end_key(key);
        return;
    }
    struct request *request = ticket_look(first->ticket);
    key->first = first;
    key->content = first->content;
    refuse_others(key);
    key->phase = KEY_RUNNING;
    key->ran = timer_new(request->gateway->loop, on_ran, key);
    key->run = request_new_run(request, on_answered, key);
    key->idempotency->runs++;
    key->run->route->handle(key->run);
}

static void on_found(void *arg, enum store_outcome outcome, const struct store_answer *kept)
{
    struct key *key = arg;
    if (!key->idempotency) {
        free_key(key);
        return;
    }
    if (outcome == STORE_APPLIED && !kept) {
        run(key);
        return;
    }
    if (outcome == STORE_APPLIED)
        give_kept_to_all(key, kept);
    else
        refuse_all(key, outcome == STORE_UNAVAILABLE ? REASON_STORE_UNAVAILABLE : REASON_INTERNAL);
    end_key(key);
}

/* --- requests ------------------------------------------------------------------------------------
 */

static struct key *find_or_begin(struct request *request)
{
    struct idempotency *idempotency = request->gateway->idempotency;
    struct key *key;
    char *name = memory_format("%" PRId64 " %s", request->integrator_id, request->idempotency_key);
    HASH_FIND_STR(idempotency->keys, name, key);
    if (key) {
        free(name);
        return key;
    }
    key = memory_zero(1, sizeof(*key));
    key->name = name;
    key->text = strchr(name, ' ') + 1;
    key->integrator_id = request->integrator_id;
    key->idempotency = idempotency;
    key->store = request->gateway->parts.store;
    key->phase = KEY_LOOKING;
    HASH_ADD_KEYPTR(hh, idempotency->keys, key->name, strlen(key->name), key);
    store_answer_find(key->store, key->integrator_id, key->text, on_found, key);
    return key;
}

static void wait_under_key(struct request *request)
{
    struct key *key = find_or_begin(request);
    struct content content = content_of(request);
    if (key->phase == KEY_LOOKING || is_same(&key->content, content.path, content.body_sha256))
        add_caller(key, request, &content);
    else
        request_refuse(request, REASON_IDEMPOTENCY_KEY_REUSED, NULL);
}

void idempotency_admit(struct request *request)
{
    const struct idempotency *idempotency = request->gateway->idempotency;
    if (!request->idempotency_key)
        request->route->handle(request);
    else if (!is_key(request->idempotency_key))
        request_refuse(request, REASON_BAD_FIELD,
                       "header " HEADER " must be 1 to 255 bytes of printable ASCII, given once");
    else if (idempotency->caller_count >= idempotency->callers_max)
        request_refuse(request, REASON_RATE_LIMITED, "too many calls with " HEADER " under way");
    else
        wait_under_key(request);
}

/* --- the end -------------------------------------------------------------------------------------
 */

/* The store's callback, if one is out, finds nobody and frees the key. */
static void abandon(struct key *key)
{
    refuse_all(key, REASON_SHUTTING_DOWN); /* nobody hears it: all clients have gone */
    end_run(key);
    key->idempotency = NULL;
    if (key->phase == KEY_RUNNING)
        free_key(key);
}

void idempotency_free(struct idempotency **idempotency)
{
    struct idempotency *old = TAKE(*idempotency);
    if (!old)
        return;
    struct key *key, *next;
    HASH_ITER (hh, old->keys, key, next) {
        HASH_DEL(old->keys, key);
        abandon(key);
    }
    free(old);
}
