#include "sample_integrator/call_log.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct call_log {
    int fd;
};

int call_log_open(const char *path, struct call_log **ret_log)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    *ret_log = memory_zero(1, sizeof(**ret_log));
    (*ret_log)->fd = fd;
    return 0;
}

void call_log_close(struct call_log **log)
{
    struct call_log *old = TAKE(*log);
    if (!old)
        return;
    close(old->fd);
    free(old);
}

void call_log_append(struct call_log *log, const char *path, const char *body, long status,
                     const json_t *answer)
{
    if (!log)
        return;
    _cleanup_(memory_text_free) char *told = json_dumps(answer, JSON_COMPACT | JSON_PRESERVE_ORDER);
    _cleanup_(memory_text_free) char *line =
        memory_format("{\"t_ms\":%lld,\"path\":\"%s\",\"body\":%s,\"status\":%ld,\"answer\":%s}\n",
                      (long long)clock_unix_ms(), path, body, status, told);
    size_t size = strlen(line);
    ssize_t written;
    do
        written = write(log->fd, line, size);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)size)
        return;
    fprintf(stderr, "sample_integrator: the call log cannot be written\n");
    exit(EXIT_FAILURE);
}
