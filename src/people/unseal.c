#include "people/unseal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static const char *fault_of(const struct vault *vault, int result)
{
    if (!vault)
        return "there is no master key: set [secrets] master_key_file and start again";
    if (result == -ENOKEY)
        return "sealed under another master key: put that one's line back below the newest, then "
               "`vendctl secret seal`";
    return "altered, or sealed for another row: restore the row from a backup, or replace a "
           "signing key with `vendctl integrator key rotate --overlap 0s`";
}

/* `text` becomes the opened secret, which `slot` keeps. */
static void open_text(struct unsealed *unsealed, const struct vault *vault, enum vault_what what,
                      const char **text, char **slot)
{
    if (!*text)
        return;
    if (!vault_is_sealed(*text)) {
        unsealed->in_the_clear++;
        return;
    }
    const struct vault_place place = {unsealed->row.integrator_id, what};
    int result = vault_unseal(vault, &place, *text, slot);
    if (result < 0 && !unsealed->fault)
        unsealed->fault = fault_of(vault, result);
    *text = *slot;
}

/* Half of the credentials would be refused at the other end; so none is used. */
static void leave_out(struct unsealed *unsealed)
{
    unsealed->row.present_api_key = unsealed->row.present_password = NULL;
    memset(unsealed->row.signing_keys, 0, sizeof(unsealed->row.signing_keys));
}

void unsealed_init(struct unsealed *unsealed, const struct vault *vault,
                   const struct store_integrator_row *row)
{
    *unsealed = (struct unsealed){.row = *row};
    char **slot = unsealed->texts;
    open_text(unsealed, vault, VAULT_API_KEY, &unsealed->row.present_api_key, slot++);
    open_text(unsealed, vault, VAULT_PASSWORD, &unsealed->row.present_password, slot++);
    for (size_t i = 0; i < STORE_SIGNING_KEYS_MAX; i++)
        open_text(unsealed, vault, VAULT_SIGNING, &unsealed->row.signing_keys[i].secret, slot++);
    if (unsealed->fault)
        leave_out(unsealed);
}

void unsealed_done(struct unsealed *unsealed)
{
    for (size_t i = 0; i < UNSEALED_TEXTS; i++) {
        if (unsealed->texts[i])
            OPENSSL_cleanse(unsealed->texts[i], strlen(unsealed->texts[i]));
        free(unsealed->texts[i]);
        unsealed->texts[i] = NULL;
    }
}
