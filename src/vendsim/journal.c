#include "vendsim/journal.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMPACT_ABOVE = 4 << 20, ID_BYTES = 16, DUMP_FLAGS = JSON_COMPACT | JSON_PRESERVE_ORDER };

struct journal {
    char *directory, *vm_id;
    char *path, *goods_path;
    int64_t size, compact_above;
    struct ledger ledger;
};

static void give_up(const struct journal *journal, const char *what, int error)
{
    log_error("journal_unwritable", LOG_TEXT("vm", journal->vm_id), LOG_TEXT("what", what),
              LOG_TEXT("error", strerror(error)));
    abort();
}

static void write_all(const struct journal *journal, int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            give_up(journal, "write", errno);
        bytes += written;
        size -= (size_t)written;
    }
}

/* One line, one write(2): a reader sees it whole or not at all. */
static size_t write_line(const struct journal *journal, int fd, json_t *line)
{
    json_object_set_new(line, "t", json_integer(clock_unix_ms()));
    _cleanup_(memory_text_free) char *text = json_dumps(line, DUMP_FLAGS);
    if (!text)
        give_up(journal, "a line that is no JSON", EINVAL);
    size_t size = strlen(text);
    text[size] = '\n'; /* in the place of the NUL; the length is known */
    write_all(journal, fd, text, size + 1);
    return size + 1;
}

static void sync_file(const struct journal *journal, int fd)
{
    if (fdatasync(fd) != 0)
        give_up(journal, "fdatasync", errno);
}

/* A new or renamed file is there after a crash only when its directory was synced, too. */
static void sync_directory(const struct journal *journal)
{
    int fd = open(journal->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        give_up(journal, "sync the directory", errno);
    close(fd);
}

/* For each use: writes are rare, and of thousands of machines none holds a descriptor for its file.
 */
static int open_file(const struct journal *journal)
{
    int fd = open(journal->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -errno : fd;
}

static void begin_new(struct journal *journal)
{
    char id[2 * ID_BYTES + 1];
    random_hex(id, ID_BYTES);
    journal_write(journal, json_pack("{s:s, s:I, s:I}", "journal", id, "epoch", (json_int_t)0,
                                     "seq", (json_int_t)LEDGER_NONE));
    sync_directory(journal);
}

static int read_file(int fd, struct buffer *ret_bytes)
{
    uint8_t *room;
    for (off_t at = 0;;) {
        int result = buffer_reserve(ret_bytes, 1 << 16, &room);
        if (result < 0)
            return result;
        ssize_t got = pread(fd, room, 1 << 16, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        buffer_commit(ret_bytes, (size_t)got);
        at += got;
    }
}

/* -EINVAL: a whole line that makes no sense. *ret_good: the bytes of whole lines. */
static int apply_lines(struct ledger *ledger, const char *bytes, size_t size, size_t *ret_good)
{
    const char *end;
    *ret_good = 0;
    while (*ret_good < size && (end = memchr(bytes + *ret_good, '\n', size - *ret_good))) {
        size_t length = (size_t)(end - bytes) - *ret_good;
        json_t *line = json_loadb(bytes + *ret_good, length, JSON_REJECT_DUPLICATES, NULL);
        int result = ledger_apply(ledger, line);
        json_decref(line);
        if (result < 0)
            return result;
        *ret_good += length + 1;
    }
    return 0;
}

/* -EINVAL: the file makes no sense. -ENODATA: it is empty, or nothing in it is whole. */
static int load(struct journal *journal)
{
    struct buffer bytes;
    size_t good = 0;
    int fd = open_file(journal);
    if (fd < 0)
        return fd;
    buffer_init(&bytes, (size_t)1 << 30);
    ledger_done(&journal->ledger);
    int result = read_file(fd, &bytes);
    if (result == 0)
        result = apply_lines(&journal->ledger, (const char *)bytes.bytes, bytes.size, &good);
    if (result == 0 && good < bytes.size && ftruncate(fd, (off_t)good) != 0)
        result = -errno;
    close(fd);
    buffer_done(&bytes);
    journal->size = (int64_t)good;
    if (result == 0 && journal->ledger.journal[0] == '\0')
        return good == 0 ? -ENODATA : -EINVAL;
    return result;
}

static void put_aside(struct journal *journal)
{
    _cleanup_(memory_text_free) char *lost =
        memory_format("%s.lost-%lld", journal->path, (long long)clock_unix_ms());
    if (rename(journal->path, lost) != 0 && errno != ENOENT)
        give_up(journal, "put aside", errno);
}

int journal_open(const char *directory, const char *vm_id, struct journal **ret_journal)
{
    struct journal *journal = memory_zero(1, sizeof(*journal));
    journal->directory = memory_text(directory);
    journal->vm_id = memory_text(vm_id);
    journal->path = memory_format("%s/%s.journal", directory, vm_id);
    journal->goods_path = memory_format("%s/%s.goods", directory, vm_id);
    journal->compact_above = COMPACT_ABOVE;
    ledger_init(&journal->ledger);
    int result = load(journal);
    if (result == -EINVAL) {
        log_warning("journal_senseless", LOG_TEXT("vm", vm_id));
        journal_lose(journal);
        result = 0;
    } else if (result == -ENODATA) {
        begin_new(journal);
        result = 0;
    }
    if (result < 0)
        journal_close(&journal);
    *ret_journal = journal;
    return result;
}

void journal_close(struct journal **journal)
{
    struct journal *old = TAKE(*journal);
    if (!old)
        return;
    ledger_done(&old->ledger);
    free(old->directory);
    free(old->vm_id);
    free(old->path);
    free(old->goods_path);
    free(old);
}

struct ledger *journal_ledger(struct journal *journal)
{
    return &journal->ledger;
}

static void write_snapshot(struct journal *journal, int fd)
{
    size_t i;
    json_t *line;
    json_t *lines = ledger_snapshot(&journal->ledger);
    journal->size = 0;
    json_array_foreach(lines, i, line) journal->size += (int64_t)write_line(journal, fd, line);
    json_decref(lines);
    sync_file(journal, fd);
}

/* The next compaction waits until the file has doubled, should the memory itself be large. */
static void compact(struct journal *journal)
{
    _cleanup_(memory_text_free) char *next = memory_format("%s.new", journal->path);
    int fd = open(next, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        give_up(journal, "compact", errno);
    write_snapshot(journal, fd);
    close(fd);
    if (rename(next, journal->path) != 0)
        give_up(journal, "compact", errno);
    sync_directory(journal);
    journal->compact_above =
        journal->size * 2 > COMPACT_ABOVE ? journal->size * 2 : (int64_t)COMPACT_ABOVE;
}

static void append(struct journal *journal, json_t *line, bool sync)
{
    int fd = open_file(journal);
    if (fd < 0)
        give_up(journal, "open", -fd);
    journal->size += (int64_t)write_line(journal, fd, line);
    if (sync)
        sync_file(journal, fd);
    close(fd);
    int result = ledger_apply(&journal->ledger, line);
    assert(result == 0); /* our own line */
    json_decref(line);
    if (journal->size > journal->compact_above)
        compact(journal);
}

void journal_write(struct journal *journal, json_t *line)
{
    assert(line);
    append(journal, line, true);
}

void journal_note(struct journal *journal, json_t *line)
{
    assert(line);
    append(journal, line, false);
}

void journal_goods_fell(struct journal *journal, json_t *line)
{
    int fd = open(journal->goods_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        give_up(journal, "goods", errno);
    (void)write_line(journal, fd, line);
    sync_file(journal, fd);
    close(fd);
    json_decref(line);
}

void journal_reload(struct journal *journal)
{
    int result = load(journal);
    if (result < 0)
        give_up(journal, "reload", -result);
}

void journal_lose(struct journal *journal)
{
    put_aside(journal);
    ledger_done(&journal->ledger);
    journal->size = 0;
    begin_new(journal);
}
