#include "fleet/directory.h"

#include "base/log.h"
#include "base/memory.h"
#include "fleet/keypad.h"
#include "fleet/machines.h"

#include <stdio.h>
#include <stdlib.h>

/* PostgreSQL answers in the order of asking, so a row read later is never overwritten by an older
 * one: a full reread fills `incoming` and is put in force at its end, before any answer to what was
 * asked after it. */
struct fleet_directory {
    struct store *store; /* borrowed */
    struct fleet_directory_handlers handlers;
    void *arg;
    struct machines *machines; /* in force; never NULL */
    struct machines *incoming; /* being filled by a full reread; NULL: none is under way */
    bool loaded;
    bool again;    /* a full reread was asked for while one was under way */
    bool stale;    /* a reading failed: what is here may be old */
    bool freed;    /* the owner let go; the last answer frees */
    size_t asking; /* answers still to come */
};

/* One machine that is being reread. */
struct reread {
    struct fleet_directory *directory;
    char vm_id[VM_ID_SIZE];
    bool found;
};

struct fleet_directory *
fleet_directory_new(struct store *store, const struct fleet_directory_handlers *handlers, void *arg)
{
    struct fleet_directory *directory = memory_zero(1, sizeof(*directory));
    directory->store = store;
    directory->handlers = *handlers;
    directory->arg = arg;
    directory->machines = machines_new();
    return directory;
}

static void free_whole(struct fleet_directory *directory)
{
    machines_free(&directory->machines);
    machines_free(&directory->incoming);
    free(directory);
}

/* An answer has come to its end. True: the owner let the directory go; do not touch it. */
static bool end_asking(struct fleet_directory *directory)
{
    assert(directory->asking > 0);
    directory->asking--;
    bool freed = directory->freed;
    if (freed && directory->asking == 0)
        free_whole(directory);
    return freed;
}

static void tell_changed(void *arg, const struct fleet_machine *machine)
{
    struct fleet_directory *directory = arg;
    directory->handlers.changed(directory->arg, machine);
}

static void put_in_force(struct fleet_directory *directory)
{
    _cleanup_(machines_free) struct machines *before = directory->machines;
    directory->machines = TAKE(directory->incoming);
    if (directory->loaded) {
        machines_compare(before, directory->machines, tell_changed, directory);
        return;
    }
    directory->loaded = true;
    log_info("directory_loaded", LOG_INT("machines", machines_count(directory->machines)));
    directory->handlers.loaded(directory->arg);
}

static void refresh_all(struct fleet_directory *directory);

static void on_all_row(void *arg, enum store_outcome outcome, const struct store_machine_row *row)
{
    struct fleet_directory *directory = arg;
    if (row) {
        if (!directory->freed)
            (void)machines_put(directory->incoming, row);
        return;
    }
    if (end_asking(directory))
        return;
    if (outcome == STORE_APPLIED) {
        put_in_force(directory);
    } else {
        /* What was known stays in force. The store tells when it is ready again, and then
         * everything is asked for anew. */
        machines_free(&directory->incoming);
        directory->stale = true;
        log_warning("directory_not_read", LOG_INT("outcome", outcome));
    }
    if (directory->again && outcome != STORE_UNAVAILABLE)
        refresh_all(directory);
    directory->again = false;
}

static void refresh_all(struct fleet_directory *directory)
{
    if (directory->incoming) {
        directory->again = true;
        return;
    }
    directory->incoming = machines_new();
    directory->stale = false;
    directory->asking++;
    store_machine_load(directory->store, NULL, on_all_row, directory);
}

/* The first full load will bring what is not in force yet, so only then is nobody told. */
static void take_row(struct reread *reread, const struct store_machine_row *row)
{
    struct fleet_directory *directory = reread->directory;
    reread->found = true;
    if (directory->freed)
        return;
    if (!machines_put(directory->machines, row) && directory->loaded)
        tell_changed(directory, machines_find(directory->machines, reread->vm_id));
}

static void on_one_row(void *arg, enum store_outcome outcome, const struct store_machine_row *row)
{
    struct reread *reread = arg;
    if (row) {
        take_row(reread, row);
        return;
    }
    struct fleet_directory *directory = reread->directory;
    if (outcome != STORE_APPLIED) {
        directory->stale = true;
        log_warning("machine_not_read", LOG_TEXT("vm", reread->vm_id), LOG_INT("outcome", outcome));
    }
    if (!end_asking(directory) && outcome == STORE_APPLIED && !reread->found)
        machines_drop(directory->machines, reread->vm_id);
    free(reread);
}

static void refresh_one(struct fleet_directory *directory, const char *vm_id)
{
    struct reread *reread = memory_zero(1, sizeof(*reread));
    reread->directory = directory;
    snprintf(reread->vm_id, sizeof(reread->vm_id), "%s", vm_id);
    directory->asking++;
    store_machine_load(directory->store, reread->vm_id, on_one_row, reread);
}

void fleet_directory_refresh(struct fleet_directory *directory, const char *vm_id)
{
    if (vm_id)
        refresh_one(directory, vm_id);
    else
        refresh_all(directory);
}

bool fleet_directory_stale(const struct fleet_directory *directory)
{
    return directory->stale;
}

bool fleet_directory_loaded(const struct fleet_directory *directory)
{
    return directory->loaded;
}

const struct fleet_machine *fleet_directory_find(const struct fleet_directory *directory,
                                                 const char *vm_id)
{
    return machines_find(directory->machines, vm_id);
}

size_t fleet_directory_count(const struct fleet_directory *directory)
{
    return machines_count(directory->machines);
}

bool fleet_keypad_has_key(const struct fleet_machine *machine, int64_t key)
{
    return keypad_has_key(machine->keypad, key);
}

int64_t fleet_keypad_action_count(const struct fleet_machine *machine)
{
    return keypad_action_count(machine->keypad);
}

void fleet_directory_free(struct fleet_directory **directory)
{
    struct fleet_directory *old = TAKE(*directory);
    if (!old)
        return;
    old->freed = true;
    if (old->asking == 0)
        free_whole(old);
}
