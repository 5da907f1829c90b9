#include "people/password.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define REMEMBERED_MAX 4096

/* What an unknown user's password is compared with, so that the time tells nobody which users
 * exist. */
#define NOBODYS_DIGEST \
    "scrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

struct remembered {
    char digest[SECRET_SHA256_SIZE]; /* of salt, user and password: the key */
    int64_t integrator_id;           /* 0: wrong */
    int64_t until_ms;                /* monotonic */
    UT_hash_handle hh;               /* in order of remembering */
};

struct waiter {
    password_cb *callback;
    void *arg;
    struct waiter *next;
};

/* One check on the thread pool. The thread reads what stands above the line and writes `right`;
 * everything else belongs to the loop. */
struct check {
    char *password;
    char *texts[KEYRING_PASSWORDS_MAX];
    size_t text_count;
    int right; /* index of the text that the password proved; -1: none */
    /* ---- */
    int64_t integrator_ids[KEYRING_PASSWORDS_MAX];
    char digest[SECRET_SHA256_SIZE]; /* the key */
    struct passwords *passwords;     /* NULL: abandoned */
    uint64_t generation;
    struct waiter *waiters;
    uv_work_t work;
    UT_hash_handle hh;
};

struct passwords {
    uv_loop_t *loop;
    const struct keyring *keyring; /* borrowed */
    int64_t remember_ms;
    size_t checks_max;
    uint64_t generation; /* rises when the keyring changes */
    uint8_t salt[32];
    struct remembered *remembered;
    struct check *checks;
};

struct passwords *passwords_new(uv_loop_t *loop, const struct keyring *keyring, int64_t remember_ms,
                                int64_t checks_max)
{
    assert(remember_ms >= 0 && checks_max > 0);
    struct passwords *passwords = memory_zero(1, sizeof(*passwords));
    passwords->loop = loop;
    passwords->keyring = keyring;
    passwords->remember_ms = remember_ms;
    passwords->checks_max = (size_t)checks_max;
    random_bytes(passwords->salt, sizeof(passwords->salt));
    return passwords;
}

static void make_digest(const struct passwords *passwords, const struct password_claim *claim,
                        char ret_digest[static SECRET_SHA256_SIZE])
{
    size_t user_size = strlen(claim->user) + 1, password_size = strlen(claim->password) + 1;
    size_t size = sizeof(passwords->salt) + user_size + password_size;
    char *bytes = memory_zero(1, size);
    memcpy(bytes, passwords->salt, sizeof(passwords->salt));
    memcpy(bytes + sizeof(passwords->salt), claim->user, user_size);
    memcpy(bytes + sizeof(passwords->salt) + user_size, claim->password, password_size);
    secret_sha256_hex(bytes, size, ret_digest);
    explicit_bzero(bytes, size);
    free(bytes);
}

static void forget(struct passwords *passwords, struct remembered *entry)
{
    HASH_DEL(passwords->remembered, entry);
    free(entry);
}

static struct remembered *recall(struct passwords *passwords, const char *digest)
{
    struct remembered *entry;
    HASH_FIND_STR(passwords->remembered, digest, entry);
    if (!entry || clock_monotonic_ms() < entry->until_ms)
        return entry;
    forget(passwords, entry);
    return NULL;
}

static void remember(struct passwords *passwords, const char *digest, int64_t integrator_id)
{
    struct remembered *entry = recall(passwords, digest);
    if (entry)
        forget(passwords, entry);
    if (HASH_COUNT(passwords->remembered) >= REMEMBERED_MAX)
        forget(passwords, passwords->remembered); /* the oldest */
    entry = memory_zero(1, sizeof(*entry));
    memcpy(entry->digest, digest, sizeof(entry->digest));
    entry->integrator_id = integrator_id;
    entry->until_ms =
        clock_monotonic_ms() + (integrator_id ? passwords->remember_ms : PASSWORD_WRONG_MS);
    HASH_ADD_STR(passwords->remembered, digest, entry);
}

/* On a thread of the pool. */
static void run_check(uv_work_t *work)
{
    struct check *check = CONTAINER_OF(work, struct check, work);
    for (size_t i = 0; i < check->text_count && check->right < 0; i++)
        if (secret_check_password(check->password, check->texts[i]))
            check->right = (int)i;
}

static void answer_waiters(struct check *check, enum password_outcome outcome,
                           int64_t integrator_id)
{
    struct waiter *waiter, *next;
    LL_FOREACH_SAFE (check->waiters, waiter, next) {
        waiter->callback(waiter->arg, outcome, integrator_id);
        free(waiter);
    }
}

static void check_free(struct check *check)
{
    explicit_bzero(check->password, strlen(check->password));
    free(check->password);
    for (size_t i = 0; i < check->text_count; i++)
        free(check->texts[i]);
    free(check);
}

static void on_checked(uv_work_t *work, int status UNUSED)
{
    struct check *check = CONTAINER_OF(work, struct check, work);
    struct passwords *passwords = check->passwords;
    if (!passwords) {
        answer_waiters(check, PASSWORD_ABANDONED, 0);
        check_free(check);
        return;
    }
    int64_t integrator_id = check->right < 0 ? 0 : check->integrator_ids[check->right];
    HASH_DEL(passwords->checks, check);
    if (check->generation == passwords->generation)
        remember(passwords, check->digest, integrator_id);
    answer_waiters(check, integrator_id ? PASSWORD_RIGHT : PASSWORD_WRONG, integrator_id);
    check_free(check);
}

static void add_waiter(struct check *check, password_cb *callback, void *arg)
{
    struct waiter *waiter = memory_zero(1, sizeof(*waiter));
    waiter->callback = callback;
    waiter->arg = arg;
    LL_PREPEND(check->waiters, waiter);
}

static struct check *check_new(struct passwords *passwords, const struct password_claim *claim)
{
    struct check *check = memory_zero(1, sizeof(*check));
    size_t count = 0;
    const struct keyring_password *known =
        keyring_find_user(passwords->keyring, claim->user, &count);
    for (size_t i = 0; i < count; i++) {
        check->texts[i] = memory_text(known[i].text);
        check->integrator_ids[i] = known[i].integrator_id;
    }
    if (count == 0)
        check->texts[count++] = memory_text(NOBODYS_DIGEST); /* of integrator 0 */
    check->text_count = count;
    check->right = -1;
    check->password = memory_text(claim->password);
    check->passwords = passwords;
    check->generation = passwords->generation;
    return check;
}

/* The check of this digest under way; NULL: none, and none can begin now. */
static struct check *find_or_begin(struct passwords *passwords, const struct password_claim *claim,
                                   const char *digest)
{
    struct check *check;
    HASH_FIND_STR(passwords->checks, digest, check);
    if (check && check->generation == passwords->generation)
        return check;
    if (check || HASH_COUNT(passwords->checks) >= passwords->checks_max)
        return NULL; /* one that began before the keyring changed proves nothing */
    check = check_new(passwords, claim);
    memcpy(check->digest, digest, sizeof(check->digest));
    HASH_ADD_STR(passwords->checks, digest, check);
    int result = uv_queue_work(passwords->loop, &check->work, run_check, on_checked);
    assert(result == 0); /* it fails only without a function to run */
    return check;
}

enum password_outcome passwords_check(struct passwords *passwords,
                                      const struct password_claim *claim,
                                      int64_t *ret_integrator_id, password_cb *callback, void *arg)
{
    char digest[SECRET_SHA256_SIZE];
    make_digest(passwords, claim, digest);
    const struct remembered *entry = recall(passwords, digest);
    *ret_integrator_id = entry ? entry->integrator_id : 0;
    if (entry)
        return entry->integrator_id ? PASSWORD_RIGHT : PASSWORD_WRONG;
    struct check *check = find_or_begin(passwords, claim, digest);
    if (!check)
        return PASSWORD_OVERLOADED;
    add_waiter(check, callback, arg);
    return PASSWORD_WAITING;
}

static void forget_all(struct passwords *passwords)
{
    struct remembered *entry, *next;
    HASH_ITER (hh, passwords->remembered, entry, next) {
        forget(passwords, entry);
    }
}

void passwords_use(struct passwords *passwords, const struct keyring *keyring)
{
    passwords->keyring = keyring;
    passwords->generation++;
    forget_all(passwords);
}

void passwords_free(struct passwords **passwords)
{
    struct passwords *old = TAKE(*passwords);
    if (!old)
        return;
    forget_all(old);
    struct check *check, *next;
    HASH_ITER (hh, old->checks, check, next) {
        HASH_DEL(old->checks, check);
        check->passwords = NULL;
    }
    explicit_bzero(old->salt, sizeof(old->salt));
    free(old);
}
