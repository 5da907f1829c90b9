#include "people/keyring.h"

#include "base/memory.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { DIGEST_SIZE = SECRET_SHA256_SIZE - 1 };

struct api_key {
    char digest[DIGEST_SIZE]; /* the key; no NUL */
    int64_t integrator_id;
    UT_hash_handle hh;
};

struct user {
    char *name; /* the key */
    struct keyring_password passwords[KEYRING_PASSWORDS_MAX];
    size_t password_count;
    UT_hash_handle hh;
};

struct keyring {
    struct api_key *api_keys;
    struct user *users;
};

struct keyring *keyring_new(void)
{
    return memory_zero(1, sizeof(struct keyring));
}

static bool is_digest(const char *text)
{
    return strlen(text) == DIGEST_SIZE && strspn(text, "0123456789abcdef") == DIGEST_SIZE;
}

static struct api_key *find_api_key(const struct keyring *keyring, const char *digest)
{
    struct api_key *key;
    HASH_FIND(hh, keyring->api_keys, digest, DIGEST_SIZE, key);
    return key;
}

int keyring_add_api_key(struct keyring *keyring, const char *digest, int64_t integrator_id)
{
    if (!is_digest(digest))
        return -EINVAL;
    if (find_api_key(keyring, digest))
        return 0;
    struct api_key *key = memory_zero(1, sizeof(*key));
    memcpy(key->digest, digest, DIGEST_SIZE);
    key->integrator_id = integrator_id;
    HASH_ADD(hh, keyring->api_keys, digest, DIGEST_SIZE, key);
    return 0;
}

static struct user *find_user(const struct keyring *keyring, const char *name)
{
    struct user *user;
    HASH_FIND(hh, keyring->users, name, strlen(name), user);
    return user;
}

int keyring_add_password(struct keyring *keyring, const char *user_name, const char *text,
                         int64_t integrator_id)
{
    struct user *user = find_user(keyring, user_name);
    if (!user) {
        user = memory_zero(1, sizeof(*user));
        user->name = memory_text(user_name);
        HASH_ADD_KEYPTR(hh, keyring->users, user->name, strlen(user->name), user);
    }
    if (user->password_count == KEYRING_PASSWORDS_MAX)
        return -ENOSPC;
    user->passwords[user->password_count++] =
        (struct keyring_password){.integrator_id = integrator_id, .text = memory_text(text)};
    return 0;
}

/* The table is asked with a digest, so what its lookup's timing may tell is no part of a key; the
 * verdict itself compares in constant time. */
int64_t keyring_find_api_key(const struct keyring *keyring,
                             const char digest[static SECRET_SHA256_SIZE])
{
    const struct api_key *key = find_api_key(keyring, digest);
    if (!key || CRYPTO_memcmp(key->digest, digest, DIGEST_SIZE) != 0)
        return 0;
    return key->integrator_id;
}

const struct keyring_password *keyring_find_user(const struct keyring *keyring, const char *name,
                                                 size_t *ret_count)
{
    const struct user *user = find_user(keyring, name);
    *ret_count = user ? user->password_count : 0;
    return user ? user->passwords : NULL;
}

static void free_users(struct keyring *keyring)
{
    struct user *user, *next;
    HASH_ITER (hh, keyring->users, user, next) {
        HASH_DEL(keyring->users, user);
        for (size_t i = 0; i < user->password_count; i++)
            free(user->passwords[i].text);
        free(user->name);
        free(user);
    }
}

void keyring_free(struct keyring **keyring)
{
    struct keyring *old = TAKE(*keyring);
    if (!old)
        return;
    struct api_key *key, *next;
    HASH_ITER (hh, old->api_keys, key, next) {
        HASH_DEL(old->api_keys, key);
        free(key);
    }
    free_users(old);
    free(old);
}
