#include "sample_integrator/callback_log.h"

#include "base/clock.h"
#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum { IDS_MAX = 100 * 1000, MS_PER_S = 1000 };

struct seen {
    char *id;
    UT_hash_handle hh;
};

struct callback_log {
    int fd;
    struct seen *ids; /* a hash, in the order of arrival */
};

int callback_log_open(const char *path, struct callback_log **ret_log)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    struct callback_log *log = memory_zero(1, sizeof(*log));
    log->fd = fd;
    *ret_log = log;
    return 0;
}

static void forget(struct callback_log *log, struct seen *seen)
{
    HASH_DEL(log->ids, seen);
    free(seen->id);
    free(seen);
}

void callback_log_close(struct callback_log **log)
{
    struct callback_log *old = TAKE(*log);
    if (!old)
        return;
    while (old->ids)
        forget(old, old->ids);
    close(old->fd);
    free(old);
}

/* A header that comes twice is one list, as HTTP has it. */
static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind UNUSED, const char *name,
                                  const char *value)
{
    json_t *headers = arg;
    _cleanup_(memory_text_free) char *lower = memory_text(name);
    for (char *at = lower; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    const char *before = json_string_value(json_object_get(headers, lower));
    _cleanup_(memory_text_free) char *list =
        before ? memory_format("%s, %s", before, value) : memory_text(value ? value : "");
    json_object_set_new(headers, lower, json_string(list));
    return MHD_YES;
}

static char *line_of(const struct callback_entry *entry)
{
    int64_t now_ms = clock_unix_ms();
    json_t *headers = json_object();
    (void)MHD_get_connection_values(entry->connection, MHD_HEADER_KIND, add_header, headers);
    json_t *line =
        json_pack("{s:I, s:I, s:s, s:o, s:o?, s:b, s:b}", "time", (json_int_t)(now_ms / MS_PER_S),
                  "t_ms", (json_int_t)now_ms, "path", entry->path, "headers", headers, "body",
                  json_stringn(entry->body ? entry->body : "", entry->body_size), "verified",
                  (int)entry->verified, "duplicate", (int)entry->duplicate);
    char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(line);
    return text;
}

int callback_log_append(struct callback_log *log, const struct callback_entry *entry)
{
    _cleanup_(memory_text_free) char *line = line_of(entry);
    size_t size = strlen(line);
    ssize_t written;
    line[size] = '\n'; /* in the place of the NUL; the length is known */
    do
        written = write(log->fd, line, size + 1);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        return -errno;
    return (size_t)written == size + 1 ? 0 : -EIO;
}

bool callback_log_seen(const struct callback_log *log, const char *id)
{
    struct seen *seen;
    HASH_FIND_STR(log->ids, id, seen);
    return seen != NULL;
}

void callback_log_remember(struct callback_log *log, const char *id)
{
    struct seen *seen = memory_zero(1, sizeof(*seen));
    seen->id = memory_text(id);
    HASH_ADD_KEYPTR(hh, log->ids, seen->id, strlen(seen->id), seen);
    if (HASH_COUNT(log->ids) > IDS_MAX)
        forget(log, log->ids);
}
