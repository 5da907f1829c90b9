/* tool_audit.h - the promises that `vendctl audit` checks over everything that is stored.
 *
 * Each is one query, a file of sql/audit/. It knows nothing of the daemon and asks it nothing. All
 * run in one read-only snapshot, so a gateway may work on meanwhile: what is under way is under way
 * in every table alike. The first line of such a file says the promise. Its rows are the things
 * that were examined: integrator_id, txn_id, vm_id (each may be NULL), and `wrong`: what is wrong
 * with it, NULL if nothing. $1: only what has changed since; $2: no journal row of those purchases
 * is older. */
#ifndef VENDGATE_STORE_TOOL_AUDIT_H
#define VENDGATE_STORE_TOOL_AUDIT_H

#include "store/tool.h"

#include <stdbool.h>

#define AUDIT_OFFENDERS_MAX 20

struct audit_check {
    const char *name;    /* of the file */
    const char *promise; /* a sentence */
    const char *remedy;  /* what to do about an offence */
    bool warns;          /* an offence may be harmless: only told */
    const char *sql;
};

/* All of them, in the order in which they run and are told. */
const struct audit_check *audit_checks(size_t *ret_count);

/* Runs them all. `since` is a time that PostgreSQL reads, or "24h", "7d", "30m" before now; NULL:
 * everything. An array (caller owns) with an object for each check: check, promise, remedy, warning
 * (bool), examined, offences (numbers), offenders (at most AUDIT_OFFENDERS_MAX objects: integrator,
 * ref, vm_id, wrong). NULL and the reason: it could not be checked. */
json_t *store_tool_audit(struct store_tool *tool, const char *since,
                         char ret_error[static STORE_ERROR_SIZE]);

#endif
