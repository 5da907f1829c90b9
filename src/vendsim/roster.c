#include "vendsim/roster.h"

#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VM_ID_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
enum { VM_ID_MAX = 64 };

/* It becomes part of a file name and of a topic. */
static bool is_vm_id(const char *id)
{
    size_t size = strlen(id);
    return size > 0 && size <= VM_ID_MAX && strspn(id, VM_ID_BYTES) == size;
}

static int read_entry(json_t *object, const struct behaviour *standard,
                      struct roster_entry *ret_entry, char error[static ROSTER_ERROR_SIZE])
{
    const char *vm_id;
    const char *cert_file;
    const char *key_file;
    const char *behaviour = NULL;
    if (json_unpack(object, "{s:s, s:s, s:s, s?s}", "vm_id", &vm_id, "cert_file", &cert_file,
                    "key_file", &key_file, "behaviour", &behaviour) != 0 ||
        !is_vm_id(vm_id)) {
        snprintf(error, ROSTER_ERROR_SIZE, "needs vm_id (A-Za-z0-9._-), cert_file and key_file");
        return -EINVAL;
    }
    ret_entry->behaviour = *standard;
    if (behaviour && !behaviour_parse(behaviour, &ret_entry->behaviour)) {
        snprintf(error, ROSTER_ERROR_SIZE, "unknown behaviour '%.64s'", behaviour);
        return -EINVAL;
    }
    ret_entry->vm_id = memory_text(vm_id);
    ret_entry->cert_file = memory_text(cert_file);
    ret_entry->key_file = memory_text(key_file);
    return 0;
}

static int read_entries(json_t *array, const struct behaviour *standard, struct roster *roster,
                        char error[static ROSTER_ERROR_SIZE])
{
    char reason[ROSTER_ERROR_SIZE];
    roster->entries = memory_zero(json_array_size(array) + 1, sizeof(roster->entries[0]));
    for (; roster->count < json_array_size(array); roster->count++) {
        int result = read_entry(json_array_get(array, roster->count), standard,
                                &roster->entries[roster->count], reason);
        if (result < 0) {
            snprintf(error, ROSTER_ERROR_SIZE, "machine %zu: %.200s", roster->count + 1, reason);
            return result;
        }
    }
    return 0;
}

int roster_read(const char *path, const struct behaviour *standard, struct roster *ret_roster,
                char ret_error[static ROSTER_ERROR_SIZE])
{
    json_error_t error;
    struct roster roster = {0};
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    json_t *array = json_is_object(document) ? json_object_get(document, "machines") : document;
    int result = -EINVAL;
    if (!document)
        snprintf(ret_error, ROSTER_ERROR_SIZE, "%.100s (line %d)", error.text, error.line);
    else if (!json_is_array(array))
        snprintf(ret_error, ROSTER_ERROR_SIZE, "is no array of machines");
    else
        result = read_entries(array, standard, &roster, ret_error);
    json_decref(document);
    if (result < 0)
        roster_done(&roster);
    else
        *ret_roster = roster;
    return result;
}

void roster_done(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++) {
        free(roster->entries[i].vm_id);
        free(roster->entries[i].cert_file);
        free(roster->entries[i].key_file);
    }
    free(roster->entries);
    *roster = (struct roster){0};
}
