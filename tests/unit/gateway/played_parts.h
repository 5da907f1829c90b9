/* played_parts.h - the gateway as clients see it, over real sockets; the broker and the database
 * behind it are played: the test gives their answers, or lets the store give its own.
 *
 * One program includes it once. */
#ifndef VENDGATE_TESTS_UNIT_GATEWAY_PLAYED_PARTS_H
#define VENDGATE_TESTS_UNIT_GATEWAY_PLAYED_PARTS_H

#include "base/memory.h"
#include "gateway/gateway.h"
#include "people/secret.h"
#include "store/answer.h"
#include "store/event.h"
#include "store/txn.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the database, played
 * -------------------------------------------------------------------------- */

static bool store_is_ready;

bool store_ready(const struct store *store UNUSED)
{
    return store_is_ready;
}

int64_t store_instance_id(const struct store *store UNUSED)
{
    return 7;
}

size_t store_pending(const struct store *store UNUSED)
{
    return 3;
}

/* Of "secret", with a cost that lets tests be fast. */
#define DIGEST_OF_SECRET \
    "scrypt$16$8$1$MDEyMzQ1Njc4OWFiY2RlZg==$gEeb/KeWbm5g+kBQOFr1yJbkjBxxxDOkhSmrSXFFwOg="

static int64_t requests_per_second;

void store_integrator_load(struct store *store UNUSED, int64_t integrator_id UNUSED,
                           store_integrator_row_cb *callback, void *arg)
{
    struct store_integrator_row ada = {.integrator_id = 1,
                                       .name = "ada",
                                       .enabled = true,
                                       .doubt_policy = "refund",
                                       .requests_per_second = requests_per_second};
    struct store_integrator_row bob = {
        .integrator_id = 2, .name = "bob", .enabled = true, .doubt_policy = "refund"};
    callback(arg, STORE_APPLIED, &ada);
    callback(arg, STORE_APPLIED, &bob);
    callback(arg, STORE_APPLIED, NULL);
}

void store_key_load(struct store *store UNUSED, store_key_row_cb *callback, void *arg)
{
    char digest[SECRET_SHA256_SIZE], digest_of_bob[SECRET_SHA256_SIZE];
    secret_sha256_hex("key-of-ada", strlen("key-of-ada"), digest);
    secret_sha256_hex("key-of-bob", strlen("key-of-bob"), digest_of_bob);
    struct store_key_row key = {1, 1, "api_key", NULL, digest};
    struct store_key_row key_of_bob = {3, 2, "api_key", NULL, digest_of_bob};
    struct store_key_row password = {2, 1, "basic", "ada", DIGEST_OF_SECRET};
    callback(arg, STORE_APPLIED, &key);
    callback(arg, STORE_APPLIED, &key_of_bob);
    callback(arg, STORE_APPLIED, &password);
    callback(arg, STORE_APPLIED, NULL);
}

void store_grant_load(struct store *store UNUSED, store_grant_row_cb *callback, void *arg)
{
    callback(arg, STORE_APPLIED, 1, "VM-1");
    callback(arg, STORE_APPLIED, 1, "VM-2");
    callback(arg, STORE_APPLIED, 0, NULL);
}

void store_machine_load(struct store *store UNUSED, const char *vm_id UNUSED,
                        store_machine_row_cb *callback, void *arg)
{
    static const char *const IDS[] = {"VM-1", "VM-2", "VM-OTHERS"};
    for (size_t i = 0; i < ARRAY_SIZE(IDS); i++) {
        struct store_machine_row row = {.vm_id = IDS[i], .enabled = true, .operator_name = "Ops"};
        callback(arg, STORE_APPLIED, &row);
    }
    callback(arg, STORE_APPLIED, NULL);
}

/* --- the store's answers, kept in memory
 * ------------------------------------------------------------- */

struct kept {
    int64_t integrator_id;
    char *key, *path, *body_sha256, *body;
    int status;
};

/* What the store was asked last and has not answered; it answers at the next turn. */
struct store_question {
    bool save; /* else: find */
    struct kept kept;
    store_answer_cb *callback;
    void *arg;
};

static struct {
    struct kept kept[8];
    size_t kept_count;
    struct store_question questions[8];
    size_t question_count;
    bool holds;                 /* it does not answer */
    enum store_outcome outcome; /* of every question, unless APPLIED */
    int saves;
} played_store;

static struct kept keep_copy(int64_t integrator_id, const char *key)
{
    return (struct kept){.integrator_id = integrator_id, .key = memory_text(key)};
}

static void free_kept(struct kept *kept)
{
    free(kept->key);
    free(kept->path);
    free(kept->body_sha256);
    free(kept->body);
}

static void ask_store(const struct store_question *question)
{
    ck_assert_uint_lt(played_store.question_count, ARRAY_SIZE(played_store.questions));
    played_store.questions[played_store.question_count++] = *question;
}

void store_answer_find(struct store *store UNUSED, int64_t integrator_id, const char *key,
                       store_answer_cb *callback, void *arg)
{
    struct store_question question = {
        .kept = keep_copy(integrator_id, key), .callback = callback, .arg = arg};
    ask_store(&question);
}

void store_answer_save(struct store *store UNUSED, const struct store_answer *answer,
                       store_answer_cb *callback, void *arg)
{
    struct kept kept = keep_copy(answer->integrator_id, answer->key);
    kept.path = memory_text(answer->path);
    kept.body_sha256 = memory_text(answer->body_sha256);
    kept.status = answer->status;
    kept.body = memory_bytes(answer->body, answer->body_size);
    struct store_question question = {.save = true, .kept = kept, .callback = callback, .arg = arg};
    ask_store(&question);
}

static const struct kept *find_kept(const struct kept *wanted)
{
    for (size_t i = 0; i < played_store.kept_count; i++) {
        const struct kept *kept = &played_store.kept[i];
        if (kept->integrator_id == wanted->integrator_id && !strcmp(kept->key, wanted->key))
            return kept;
    }
    return NULL;
}

static void keep(const struct kept *kept)
{
    ck_assert_uint_lt(played_store.kept_count, ARRAY_SIZE(played_store.kept));
    played_store.kept[played_store.kept_count++] = *kept;
}

static void tell_kept(const struct store_question *question, enum store_outcome outcome,
                      const struct kept *kept)
{
    if (!kept) {
        question->callback(question->arg, outcome, NULL);
        return;
    }
    struct store_answer answer = {.integrator_id = kept->integrator_id,
                                  .key = kept->key,
                                  .path = kept->path,
                                  .body_sha256 = kept->body_sha256,
                                  .status = kept->status,
                                  .body = kept->body,
                                  .body_size = strlen(kept->body)};
    question->callback(question->arg, outcome, &answer);
}

static void answer_question(struct store_question *question)
{
    const struct kept *kept = find_kept(&question->kept);
    bool works = played_store.outcome == STORE_APPLIED;
    if (!works)
        tell_kept(question, played_store.outcome, NULL);
    else if (!question->save)
        tell_kept(question, STORE_APPLIED, kept);
    else if (kept)
        tell_kept(question, STORE_CONFLICT, kept);
    else {
        keep(&question->kept);
        played_store.saves++;
        tell_kept(question, STORE_APPLIED, &question->kept);
        return;
    }
    free_kept(&question->kept);
}

/* The store has a moment: it answers what it was asked until now. */
static void play_store(void)
{
    size_t count = played_store.question_count;
    if (played_store.holds || count == 0)
        return;
    struct store_question questions[ARRAY_SIZE(played_store.questions)];
    memcpy(questions, played_store.questions, sizeof(questions));
    played_store.question_count = 0;
    for (size_t i = 0; i < count; i++)
        answer_question(&questions[i]);
}

static struct {
    int64_t integrator_id;
    char ref[TXN_REF_SIZE];
    store_txn_status_cb *callback; /* NULL: not asked */
    void *arg;
} status_asked;

void store_txn_status(struct store *store UNUSED, int64_t integrator_id, const char *ref,
                      store_txn_status_cb *callback, void *arg)
{
    status_asked.integrator_id = integrator_id;
    snprintf(status_asked.ref, sizeof(status_asked.ref), "%s", ref);
    status_asked.callback = callback;
    status_asked.arg = arg;
}

static struct {
    int64_t horizon, integrator_id, after, limit;
    store_events_cb *callback; /* NULL: not asked */
    void *arg;
} events_asked;

int64_t store_event_horizon(const struct store *store UNUSED)
{
    return events_asked.horizon;
}

void store_event_list(struct store *store UNUSED, int64_t integrator_id, int64_t after,
                      int64_t limit, store_events_cb *callback, void *arg)
{
    events_asked.integrator_id = integrator_id;
    events_asked.after = after;
    events_asked.limit = limit;
    events_asked.callback = callback;
    events_asked.arg = arg;
}

/* --- the broker, played
 * ---------------------------------------------------------------------------- */

static bool broker_is_ready;
static struct asked {
    int calls, answered;
    char what[16], vm_id[VM_ID_SIZE], ref[TXN_REF_SIZE];
    int64_t integrator_id, figures[4];
    bool vended;
    char operator_name[256], because[256];
    broker_answer_cb *callbacks[16];
    void *args[16];
} asked;

static void ask(const char *what, const char *vm_id, const char *ref, broker_answer_cb *callback,
                void *arg)
{
    ck_assert_int_lt(asked.calls, (int)ARRAY_SIZE(asked.callbacks));
    asked.callbacks[asked.calls] = callback;
    asked.args[asked.calls++] = arg;
    snprintf(asked.what, sizeof(asked.what), "%s", what);
    snprintf(asked.vm_id, sizeof(asked.vm_id), "%s", vm_id);
    snprintf(asked.ref, sizeof(asked.ref), "%s", ref);
}

void broker_lock(struct broker *broker UNUSED, const struct broker_lock_call *call,
                 broker_answer_cb *callback, void *arg)
{
    asked.integrator_id = call->integrator_id;
    asked.figures[0] = call->balance;
    ask("lock", call->vm_id, call->ref, callback, arg);
}

void broker_paid(struct broker *broker UNUSED, const struct broker_paid_call *call,
                 broker_answer_cb *callback, void *arg)
{
    asked.figures[0] = call->price;
    asked.figures[1] = call->discount;
    asked.figures[2] = call->surcharge;
    ask("paid", "", call->ref, callback, arg);
}

void broker_unlock(struct broker *broker UNUSED, const struct broker_unlock_call *call,
                   broker_answer_cb *callback, void *arg)
{
    ask("unlock", call->vm_id, call->ref, callback, arg);
}

void broker_keys(struct broker *broker UNUSED, const struct broker_keys_call *call,
                 broker_answer_cb *callback, void *arg)
{
    for (size_t i = 0; i < call->count && i < ARRAY_SIZE(asked.figures); i++)
        asked.figures[i] = call->keys[i];
    ask("keys", call->vm_id, call->ref, callback, arg);
}

static void ask_as_operator(const char *name, const char *because)
{
    snprintf(asked.operator_name, sizeof(asked.operator_name), "%s", name);
    snprintf(asked.because, sizeof(asked.because), "%s", because);
}

void broker_verdict(struct broker *broker UNUSED, const struct broker_verdict_call *call,
                    broker_answer_cb *callback, void *arg)
{
    asked.figures[0] = call->txn_id;
    asked.vended = call->vended;
    ask_as_operator(call->operator_name, call->because);
    ask("verdict", "", "", callback, arg);
}

void broker_release(struct broker *broker UNUSED, const struct broker_release_call *call,
                    broker_answer_cb *callback, void *arg)
{
    ask_as_operator(call->operator_name, call->because);
    ask("release", call->vm_id, "", callback, arg);
}

bool broker_machine_online(const struct broker *broker UNUSED, const char *vm_id)
{
    return strcmp(vm_id, "VM-1") == 0;
}

bool broker_machine_busy(const struct broker *broker UNUSED, const char *vm_id)
{
    return strcmp(vm_id, "VM-2") == 0;
}

bool broker_ready(const struct broker *broker UNUSED)
{
    return broker_is_ready;
}

void broker_count(const struct broker *broker UNUSED, struct broker_counts *ret_counts)
{
    *ret_counts = (struct broker_counts){.live = 2, .machines_online = 1};
    ret_counts->by_state[TXN_LOCKED] = 2;
}

/* The oldest call that was not answered. */
static UNUSED void answer(bool success, enum reason reason, int64_t timeout_s)
{
    ck_assert_int_lt(asked.answered, asked.calls);
    struct broker_answer given = {.success = success,
                                  .reason = reason,
                                  .action = reason_info(reason)->action,
                                  .timeout_s = timeout_s};
    int call = asked.answered++;
    asked.callbacks[call](asked.args[call], &given);
}

/* --- the gateway and its clients
 * ------------------------------------------------------------------- */

#define ADMIN_PATH_SIZE 64

static uv_loop_t loop;
static struct metrics *metrics;
static struct people *people;
static struct fleet_directory *directory;
static struct gateway *gateway;
static char admin_path[ADMIN_PATH_SIZE];

static void ignore(void *arg UNUSED)
{
}

static void ignore_integrator(void *arg UNUSED, int64_t integrator_id UNUSED)
{
}

static void ignore_machine(void *arg UNUSED, const struct fleet_machine *machine UNUSED)
{
}

static struct http_front_options front(const char *name, const char *address)
{
    return (struct http_front_options){
        .listener = {.name = name,
                     .address = address,
                     .fd = -1,
                     .connections_max = 50,
                     .connections_per_address_max = 50,
                     .handshakes_max = 10,
                     .handshake_ms = 5000,
                     .write_queue_max = 1 << 20},
        .head_max = 4096,
        .body_max = 2048,
        .head_ms = 5000,
        .body_ms = 5000,
        .idle_ms = 5000,
    };
}

static void open_gateway(void)
{
    struct gateway_options options = {.api = front("api", "127.0.0.1"),
                                      .private_surface = front("private", "127.0.0.1"),
                                      .admin = front("admin", admin_path),
                                      .request_ms = 1000,
                                      .requests_max = 4,
                                      .bulk_max = 3,
                                      .version = "1.2.3"};
    struct gateway_parts parts = {.broker = (struct broker *)&asked,
                                  .people = people,
                                  .directory = directory,
                                  .store = (struct store *)&store_is_ready,
                                  .metrics = metrics};
    char error[NET_ERROR_SIZE];
    ck_assert_msg(gateway_open(&loop, &options, &parts, &gateway, error) == 0, "%s", error);
}

static void set_up(void)
{
    static const struct people_handlers PEOPLE = {ignore, ignore_integrator};
    static const struct fleet_directory_handlers DIRECTORY = {ignore, ignore_machine};
    struct people_options people_options = {.password_cache_ms = 60000, .checks_max = 4};
    asked = (struct asked){0};
    memset(&status_asked, 0, sizeof(status_asked));
    memset(&events_asked, 0, sizeof(events_asked));
    memset(&played_store, 0, sizeof(played_store));
    played_store.outcome = STORE_APPLIED;
    store_is_ready = broker_is_ready = true;
    requests_per_second = 0;
    uv_loop_init(&loop);
    metrics = metrics_new();
    people = people_new(&loop, NULL, &people_options, &PEOPLE, NULL, metrics);
    directory = fleet_directory_new(NULL, &DIRECTORY, NULL);
    people_refresh(people, NULL, NULL);
    fleet_directory_refresh(directory, NULL);
    snprintf(admin_path, sizeof(admin_path), "unix:/tmp/vendgate-test-%d.sock", getpid());
    open_gateway();
}

static void tear_down(void)
{
    gateway_free(&gateway);
    while (asked.answered < asked.calls) /* each call is answered, at the latest at the end */
        answer(false, REASON_STORE_UNAVAILABLE, -1);
    played_store.holds = false;
    play_store(); /* so is the store's */
    people_free(&people);
    fleet_directory_free(&directory);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    metrics_free(&metrics);
    for (size_t i = 0; i < played_store.kept_count; i++)
        free_kept(&played_store.kept[i]);
    unlink(admin_path + strlen("unix:"));
}

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static UNUSED int dial_admin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", admin_path + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

#define TURNS_MAX 3000 /* of a millisecond */

static void turn(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    uv_run(&loop, UV_RUN_NOWAIT);
    play_store();
    (void)poll(&poller, 1, 1);
}

static char heard[16384];
static size_t heard_size;

static bool is_whole(void)
{
    const char *end = strstr(heard, "\r\n\r\n"), *length = strstr(heard, "Content-Length: ");
    if (!end || !length)
        return false;
    size_t body = strtoul(length + strlen("Content-Length: "), NULL, 10);
    return heard_size >= (size_t)(end + 4 - heard) + body;
}

/* One answer; what follows it is not read. Its body, or NULL: the connection was closed. */
static UNUSED const char *hear(int fd)
{
    memset(heard, 0, sizeof(heard));
    heard_size = 0;
    for (int i = 0; i < TURNS_MAX && !is_whole(); i++) {
        turn(fd);
        ssize_t got = recv(fd, heard + heard_size, sizeof(heard) - 1 - heard_size, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return NULL;
        heard_size += got > 0 ? (size_t)got : 0;
    }
    ck_assert_msg(is_whole(), "no whole answer: %s", heard);
    return strstr(heard, "\r\n\r\n") + 4;
}

static UNUSED void hear_status(int fd, const char *status, const char *part)
{
    ck_assert_ptr_nonnull(hear(fd));
    ck_assert_msg(strncmp(heard, status, strlen(status)) == 0, "%s", heard);
    ck_assert_msg(strstr(heard, part) != NULL, "%s", heard);
}

#define WITH_KEY "X-API-Key: key-of-ada\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"

static UNUSED void post(int fd, const char *path, const char *headers, const char *body)
{
    char *text =
        memory_format("POST %s HTTP/1.1\r\nHost: gateway\r\n%sContent-Length: %zu\r\n\r\n%s", path,
                      headers, strlen(body), body);
    say(fd, text);
    free(text);
}

/* Until the broker was asked once more. */
static UNUSED void wait_for_call(int fd)
{
    int before = asked.calls;
    for (int i = 0; i < TURNS_MAX && asked.calls == before; i++)
        turn(fd);
    ck_assert_int_eq(asked.calls, before + 1);
}

#define LOCK "{\"vm_id\":\"VM-1\",\"txnRef\":\"r-1\",\"balance\":65535}"

static UNUSED int begin_lock(void)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/api/lock", WITH_KEY JSON_TYPE, LOCK);
    wait_for_call(fd);
    return fd;
}

#endif
