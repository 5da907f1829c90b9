#include "fleet/machines.h"

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "fleet/keypad.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
    struct fleet_machine machine; /* its vm_id is the key */
    UT_hash_handle hh;
};

struct machines {
    struct entry *entries;
};

/* The texts of a machine, for copying, comparing and freeing alike. */
static const size_t TEXTS[] = {
    offsetof(struct fleet_machine, address),
    offsetof(struct fleet_machine, business_address),
    offsetof(struct fleet_machine, company_external_name),
    offsetof(struct fleet_machine, operator_name),
    offsetof(struct fleet_machine, operator_contact_number),
    offsetof(struct fleet_machine, photo_url),
    offsetof(struct fleet_machine, doubt_policy),
};

static char **text_of(struct fleet_machine *machine, size_t i)
{
    return (char **)((char *)machine + TEXTS[i]);
}

struct machines *machines_new(void)
{
    return memory_zero(1, sizeof(struct machines));
}

static struct entry *find_entry(const struct machines *machines, const char *vm_id)
{
    struct entry *entry;
    HASH_FIND(hh, machines->entries, vm_id, strlen(vm_id), entry);
    return entry;
}

static void entry_free(struct entry *entry)
{
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
        free(*text_of(&entry->machine, i));
    json_release(&entry->machine.keypad);
    free(entry);
}

/* The text comes from the database, where it stands as the machine told it. */
static json_t *parse_keypad(const struct store_machine_row *row)
{
    if (!row->keypad)
        return NULL;
    char error[JSON_ERROR_SIZE] = "not a keypad of the contract";
    _cleanup_(json_release) json_t *told =
        json_read_object(row->keypad, strlen(row->keypad), error);
    json_t *keypad = keypad_read(told);
    if (!keypad)
        log_warning("keypad_unreadable", LOG_TEXT("vm", row->vm_id), LOG_TEXT("error", error));
    return keypad;
}

static void copy_texts(struct fleet_machine *machine, const struct store_machine_row *row)
{
    machine->address = memory_text(row->address);
    machine->business_address = memory_text(row->business_address);
    machine->company_external_name = memory_text(row->company_external_name);
    machine->operator_name = memory_text(row->operator_name);
    machine->operator_contact_number = memory_text(row->operator_contact_number);
    machine->photo_url = memory_text(row->photo_url);
    machine->doubt_policy = memory_text(row->doubt_policy);
}

static void copy_credentials(struct fleet_machine *machine, const struct store_machine_row *row)
{
    for (size_t i = 0; i < STORE_FINGERPRINTS_MAX && row->fingerprints[i]; i++)
        snprintf(machine->fingerprints[i], sizeof(machine->fingerprints[i]), "%s",
                 row->fingerprints[i]);
    if (row->token_sha256)
        snprintf(machine->token_sha256, sizeof(machine->token_sha256), "%s", row->token_sha256);
}

static struct entry *entry_new(const struct store_machine_row *row)
{
    struct entry *entry = memory_zero(1, sizeof(*entry));
    entry->machine = (struct fleet_machine){
        .enabled = row->enabled,
        .allow_tool = row->allow_tool,
        .out_of_service = row->out_of_service,
        .keypad = parse_keypad(row),
        .scale = row->scale,
        .decimals = row->decimals,
        .max_response_s = row->max_response_s,
        .price_max = row->price_max,
        .owner_instance = row->owner_instance,
        .owner_epoch = row->owner_epoch,
    };
    snprintf(entry->machine.vm_id, sizeof(entry->machine.vm_id), "%s", row->vm_id);
    copy_texts(&entry->machine, row);
    copy_credentials(&entry->machine, row);
    return entry;
}

static bool is_same_text(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

static bool is_same_credentials(const struct fleet_machine *left, const struct fleet_machine *right)
{
    for (size_t i = 0; i < STORE_FINGERPRINTS_MAX; i++)
        if (strcmp(left->fingerprints[i], right->fingerprints[i]) != 0)
            return false;
    return strcmp(left->token_sha256, right->token_sha256) == 0;
}

static bool is_same(struct fleet_machine *left, struct fleet_machine *right)
{
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
        if (!is_same_text(*text_of(left, i), *text_of(right, i)))
            return false;
    bool same_keypad = left->keypad && right->keypad ? json_equal(left->keypad, right->keypad)
                                                     : left->keypad == right->keypad;
    return same_keypad && is_same_credentials(left, right) && left->enabled == right->enabled &&
           left->allow_tool == right->allow_tool && left->out_of_service == right->out_of_service &&
           left->scale == right->scale && left->decimals == right->decimals &&
           left->max_response_s == right->max_response_s && left->price_max == right->price_max &&
           left->owner_instance == right->owner_instance && left->owner_epoch == right->owner_epoch;
}

bool machines_put(struct machines *machines, const struct store_machine_row *row)
{
    struct entry *entry = entry_new(row);
    struct entry *old = find_entry(machines, entry->machine.vm_id);
    bool same = old && is_same(&old->machine, &entry->machine);
    if (old) {
        HASH_DEL(machines->entries, old);
        entry_free(old);
    }
    HASH_ADD_KEYPTR(hh, machines->entries, entry->machine.vm_id, strlen(entry->machine.vm_id),
                    entry);
    return same;
}

void machines_drop(struct machines *machines, const char *vm_id)
{
    struct entry *entry = find_entry(machines, vm_id);
    if (!entry)
        return;
    HASH_DEL(machines->entries, entry);
    entry_free(entry);
}

const struct fleet_machine *machines_find(const struct machines *machines, const char *vm_id)
{
    const struct entry *entry = find_entry(machines, vm_id);
    return entry ? &entry->machine : NULL;
}

size_t machines_count(const struct machines *machines)
{
    return HASH_COUNT(machines->entries);
}

void machines_compare(const struct machines *before, const struct machines *after,
                      machines_differs_cb *differs, void *arg)
{
    struct entry *entry, *next;
    HASH_ITER (hh, after->entries, entry, next) {
        struct entry *old = find_entry(before, entry->machine.vm_id);
        if (!old || !is_same(&old->machine, &entry->machine))
            differs(arg, &entry->machine);
    }
}

void machines_free(struct machines **machines)
{
    struct machines *old = TAKE(*machines);
    if (!old)
        return;
    struct entry *entry, *next;
    HASH_ITER (hh, old->entries, entry, next) {
        HASH_DEL(old->entries, entry);
        entry_free(entry);
    }
    free(old);
}
