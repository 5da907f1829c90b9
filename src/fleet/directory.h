/* directory.h - the machines as this process knows them: a cache of table `machine`.
 *
 * Loaded when the store becomes ready, reread row by row when a tool or a machine changes
 * something. Answers from memory. */
#ifndef VENDGATE_FLEET_DIRECTORY_H
#define VENDGATE_FLEET_DIRECTORY_H

#include "store/machine.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fleet_directory;

struct fleet_machine {
    char vm_id[VM_ID_SIZE];
    bool enabled, allow_tool, out_of_service;
    char *address, *business_address, *company_external_name, *operator_name,
        *operator_contact_number, *photo_url;      /* NULL: not known */
    char fingerprints[STORE_FINGERPRINTS_MAX][65]; /* empty: none */
    char token_sha256[65];                         /* empty: no token login */
    json_t *keypad;                                /* keypad_configuration; NULL: never told */
    int64_t scale, decimals, max_response_s, price_max;
    char *doubt_policy; /* of its group: "refund", "capture", "hold"; NULL: the integrator's */
    int64_t owner_instance, owner_epoch; /* as read last */
};

struct fleet_directory_handlers {
    /* The first complete load is done. */
    void (*loaded)(void *arg);
    /* A machine was added or changed (not during the first load). */
    void (*changed)(void *arg, const struct fleet_machine *machine);
};

struct fleet_directory *fleet_directory_new(struct store *store,
                                            const struct fleet_directory_handlers *handlers,
                                            void *arg);
/* Reads all machines (vm_id NULL) or one again. */
void fleet_directory_refresh(struct fleet_directory *directory, const char *vm_id);
/* A reading failed, and none has begun since: whoever looks after it refreshes it. */
bool fleet_directory_stale(const struct fleet_directory *directory);
bool fleet_directory_loaded(const struct fleet_directory *directory);
/* Borrowed until the next turn of the loop; NULL: no such machine. */
const struct fleet_machine *fleet_directory_find(const struct fleet_directory *directory,
                                                 const char *vm_id);
size_t fleet_directory_count(const struct fleet_directory *directory);
/* Whether `key` is an item id of the machine's virtual keypad, and how many keys a selection takes
 * (0: no keypad or switched off). */
bool fleet_keypad_has_key(const struct fleet_machine *machine, int64_t key);
int64_t fleet_keypad_action_count(const struct fleet_machine *machine);
void fleet_directory_free(struct fleet_directory **directory);

#endif
