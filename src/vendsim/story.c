#include "vendsim/story.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct story {
    int fd; /* -1: nobody listens */
};

int story_open(const char *path, struct story **ret_story)
{
    int fd = -1;
    if (path) {
        fd = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return -errno;
    }
    struct story *story = memory_zero(1, sizeof(*story));
    story->fd = fd;
    *ret_story = story;
    return 0;
}

void story_close(struct story **story)
{
    struct story *old = TAKE(*story);
    if (!old)
        return;
    if (old->fd >= 0)
        close(old->fd);
    free(old);
}

void story_tell(struct story *story, const char *vm_id, const char *what, json_t *detail)
{
    if (story->fd < 0) {
        json_decref(detail);
        return;
    }
    json_t *line = json_pack("{s:I, s:s, s:s}", "t_ms", (json_int_t)clock_unix_ms(), "vm", vm_id,
                             "what", what);
    if (detail)
        json_object_update_missing(line, detail);
    json_decref(detail);
    char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(line);
    size_t size = strlen(text);
    text[size] = '\n'; /* in the place of the NUL; the length is known */
    ssize_t written;
    do
        written = write(story->fd, text, size + 1);
    while (written < 0 && errno == EINTR);
    /* A listener that went away does not stop the machines. */
    free(text);
}
