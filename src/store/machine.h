/* machine.h - machines, their credentials and their link state in PostgreSQL. */
#ifndef VENDGATE_STORE_MACHINE_H
#define VENDGATE_STORE_MACHINE_H

#include "store/store.h"
#include "store/txn.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_FINGERPRINTS_MAX 2 /* two certificates at once (rotation) */

/* A machine with what belongs to it; texts are borrowed for the call, NULL where the database has
 * NULL. */
struct store_machine_row {
    const char *vm_id;
    bool enabled, allow_tool, out_of_service;
    const char *address, *business_address, *company_external_name, *operator_name,
        *operator_contact_number, *photo_url;
    const char
        *fingerprints[STORE_FINGERPRINTS_MAX]; /* enabled certificates' public keys, SHA-256 hex */
    const char *token_sha256;                  /* hex; NULL: no token login */
    const char *keypad;                        /* JSON, as the machine told last; NULL: never */
    const char *firmware, *model, *currency;
    int64_t scale, decimals; /* MDB scale factor and decimal places; 1 and 2 until told */
    int64_t max_response_s;  /* the machine's patience with an open vend request; 0: not told */
    int64_t price_max;       /* operator's limit for one amount, smallest unit; 0: none */
    const char
        *doubt_policy;      /* of its group: "refund", "capture", "hold"; NULL: the integrator's */
    int64_t owner_instance; /* 0: nobody */
    int64_t owner_epoch;
};

/* `row` NULL: the end (or a failure, see outcome). */
typedef void store_machine_row_cb(void *arg, enum store_outcome outcome,
                                  const struct store_machine_row *row);
/* One machine, or all with vm_id NULL. */
void store_machine_load(struct store *store, const char *vm_id, store_machine_row_cb *callback,
                        void *arg);

/* What the process that takes a machine must know. */
struct store_machine_owned {
    int64_t owner_epoch;       /* the new one */
    int64_t state_epoch, mark; /* machine_link_state; 0, -1 for a new machine */
    int64_t above[64];
    size_t above_count;
    int64_t approval_n;         /* highest given out so far; 0: none */
    char journal[JOURNAL_SIZE]; /* as the machine told last; empty */
};
typedef void store_machine_owned_cb(void *arg, enum store_outcome outcome,
                                    const struct store_machine_owned *owned);
/* owner = this instance, owner_epoch + 1. CONFLICT: no such machine, or disabled. */
void store_machine_own(struct store *store, const char *vm_id, store_machine_owned_cb *callback,
                       void *arg);

/* What a machine's event changes in the machine's own data; NULL: nothing of that kind. */
struct store_machine_effects {
    const char *keypad;    /* JSON: replaces */
    const char *planogram; /* JSON array of coils: replaces the whole planogram */
    const char *firmware, *model, *currency;
    int64_t scale, decimals, max_response_s; /* -1: not told */
    const char *journal;                     /* machine_link_state.journal */
};

/* An event that moves no transaction. CONFLICT: the machine is not ours any more. */
void store_machine_event_save(struct store *store, const struct store_machine_event *event,
                              int64_t owner_epoch, const struct store_machine_effects *effects,
                              store_done_cb *callback, void *arg);
/* Whether the pair is stored, and with this body: APPLIED same, CONFLICT other body, FAILED not
 * found or error. */
void store_machine_event_compare(struct store *store, const struct store_machine_event *event,
                                 store_done_cb *callback, void *arg);
/* Remembers the journal id that the machine's hello told. */
void store_machine_journal_save(struct store *store, const char *vm_id, int64_t owner_epoch,
                                const char *journal, store_done_cb *callback, void *arg);
/* online / offline with its reason, for operators and searches; no guard but the owner epoch. */
void store_machine_presence_save(struct store *store, const char *vm_id, int64_t owner_epoch,
                                 bool online, const char *reason, store_done_cb *callback,
                                 void *arg);

#endif
