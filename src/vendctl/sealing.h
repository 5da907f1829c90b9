/* sealing.h - secrets on their way into the database: sealed under the master key that the command
 * line or the environment names. */
#ifndef VENDGATE_VENDCTL_SEALING_H
#define VENDGATE_VENDCTL_SEALING_H

#include "people/vault.h"
#include "vendctl/invocation.h"

/* The vault of --master-key or VENDGATE_MASTER_KEY_FILE, checked against the database: what is
 * sealed there must be under a key of it, so that nothing is stored that the daemon could not open.
 * 0 with NULL: none was given, nothing in the database is sealed, and the user was warned that
 * secrets are stored in the clear. Else the command's exit status, complained. */
MUST_CHECK int sealing_open(const struct invocation *invocation, struct vault **ret_vault);

/* The text for the database; the caller frees. `vault` NULL: the secret itself. NULL gives NULL. */
char *sealing_text(const struct vault *vault, int64_t integrator_id, enum vault_what what,
                   const char *secret);

#endif
