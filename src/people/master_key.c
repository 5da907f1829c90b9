#include "people/master_key.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"
#include "people/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4096, OTHERS = 077, OTHERS_BUT_GROUP_READ = 037 };

static void descriptor_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static void key_name(struct master_key *key)
{
    char digest[SECRET_SHA256_SIZE];
    secret_sha256_hex(key->bytes, sizeof(key->bytes), digest);
    memcpy(key->id, digest, sizeof(key->id) - 1);
    key->id[sizeof(key->id) - 1] = '\0';
}

static bool is_credential(const char *path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t size = folder ? strlen(folder) : 0;
    return size > 0 && strncmp(path, folder, size) == 0 && path[size] == '/';
}

static int check_file(const char *path, int descriptor,
                      char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    struct stat status;
    if (fstat(descriptor, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAX) {
        (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE,
                       "master key %s: is no file of at most %d bytes", path, FILE_MAX);
        return -EINVAL;
    }
    if (status.st_mode & (is_credential(path) ? OTHERS_BUT_GROUP_READ : OTHERS)) {
        (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE,
                       "master key %s: others may use it (mode %04o): chmod 0400 it, owned by the "
                       "user who reads it",
                       path, status.st_mode & 07777);
        return -EACCES;
    }
    return 0;
}

/* The bytes of the file with a NUL behind them. */
static int file_read(const char *path, char ret_text[static FILE_MAX + 1],
                     char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    int descriptor _cleanup_(descriptor_close) = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        int error = errno;
        (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE,
                       "master key %s: %s (`vendctl secret init` makes one)", path,
                       strerror(error));
        return -error;
    }
    int result = check_file(path, descriptor, ret_error);
    if (result < 0)
        return result;
    ssize_t size, have = 0;
    while ((size = read(descriptor, ret_text + have, (size_t)(FILE_MAX - have))) > 0)
        have += size;
    if (size < 0) {
        result = -errno;
        (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE, "master key %s: %s", path,
                       strerror(-result));
        return result;
    }
    ret_text[have] = '\0';
    return 0;
}

static bool line_take(const char *line, struct master_keys *keys)
{
    struct master_key *key = &keys->keys[keys->count];
    size_t size = 0;
    if (keys->count == MASTER_KEYS_MAX ||
        base64_read(line, key->bytes, sizeof(key->bytes), &size) < 0 || size != MASTER_KEY_SIZE)
        return false;
    key_name(key);
    keys->count++;
    return true;
}

/* `text` is taken apart. */
static int text_take(const char *path, char *text, struct master_keys *keys,
                     char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    int number = 0;
    for (char *line; (line = strsep(&text, "\n"));) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (line[0] == '\0' || line[0] == '#' || line_take(line, keys))
            continue;
        (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE,
                       "master key %s: line %d is not the base64 of %d bytes, or the %dth key",
                       path, number, MASTER_KEY_SIZE, MASTER_KEYS_MAX + 1);
        return -EINVAL;
    }
    if (keys->count > 0)
        return 0;
    (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE,
                   "master key %s: holds no key (`vendctl secret init` makes one)", path);
    return -EINVAL;
}

int master_keys_read(const char *path, struct master_keys *ret_keys,
                     char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    char text[FILE_MAX + 1];
    struct master_keys keys = {0};
    int result = file_read(path, text, ret_error);
    if (result == 0)
        result = text_take(path, text, &keys, ret_error);
    if (result == 0)
        *ret_keys = keys;
    OPENSSL_cleanse(text, sizeof(text));
    master_keys_done(&keys);
    return result;
}

void master_keys_done(struct master_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}

/* One line for each key. */
static void text_write(const struct master_keys *keys, char ret_text[static FILE_MAX])
{
    static_assert(MASTER_KEYS_MAX * BASE64_TEXT_SIZE(MASTER_KEY_SIZE) < FILE_MAX, "they fit");
    char *at = ret_text;
    for (size_t i = 0; i < keys->count; i++) {
        base64_write(keys->keys[i].bytes, MASTER_KEY_SIZE, at);
        at += BASE64_TEXT_SIZE(MASTER_KEY_SIZE) - 1;
        *at++ = '\n';
    }
    *at = '\0';
}

/* Beside it first, so that a crash leaves the old or the new one. */
static int file_write(const char *path, const struct master_keys *keys, bool renew)
{
    char *beside _cleanup_(memory_text_free) = memory_format("%s.new", path);
    int descriptor _cleanup_(descriptor_close) =
        open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    char text[FILE_MAX];
    text_write(keys, text);
    size_t size = strlen(text);
    bool written = write(descriptor, text, size) == (ssize_t)size && fsync(descriptor) == 0;
    OPENSSL_cleanse(text, sizeof(text));
    /* link() fails where rename() would write over a key that somebody else has just made. */
    int result = !written                                                  ? -EIO
                 : (renew ? rename(beside, path) : link(beside, path)) < 0 ? -errno
                                                                           : 0;
    if (!renew || result < 0)
        (void)unlink(beside);
    return result;
}

/* The keys that a new one is put above. */
static int keys_before(const char *path, bool renew, struct master_keys *ret_keys,
                       char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    *ret_keys = (struct master_keys){0};
    int result = renew ? master_keys_read(path, ret_keys, ret_error) : 0;
    if (result < 0 || ret_keys->count < MASTER_KEYS_MAX)
        return result;
    (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE,
                   "master key %s: holds %d keys already: seal with `vendctl secret seal`, then "
                   "remove the lowest lines",
                   path, MASTER_KEYS_MAX);
    return -ENOSPC;
}

int master_key_make(const char *path, bool renew, struct master_key *ret_key,
                    char ret_error[static MASTER_KEY_ERROR_SIZE])
{
    struct master_keys keys;
    int result = keys_before(path, renew, &keys, ret_error);
    if (result < 0)
        return result;
    memmove(&keys.keys[1], &keys.keys[0], keys.count * sizeof(keys.keys[0]));
    random_bytes(keys.keys[0].bytes, MASTER_KEY_SIZE);
    key_name(&keys.keys[0]);
    keys.count++;
    result = file_write(path, &keys, renew);
    if (result == 0)
        *ret_key = keys.keys[0];
    else
        (void)snprintf(ret_error, MASTER_KEY_ERROR_SIZE, "master key %s: %s", path,
                       strerror(-result));
    master_keys_done(&keys);
    return result;
}

char *master_key_credential(void)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (!folder || folder[0] == '\0')
        return NULL;
    char *path = memory_format("%s/master_key", folder);
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}
