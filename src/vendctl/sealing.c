#include "vendctl/sealing.h"

#include "base/memory.h"

#include <string.h>

static int check_keyless(size_t seals)
{
    if (seals > 0) {
        complain("the secrets in this database are sealed: give --master-key FILE or set "
                 "VENDGATE_MASTER_KEY_FILE");
        return 1;
    }
    complain("warning: without a master key secrets are stored in the clear; `vendctl secret init` "
             "makes one, `vendctl secret seal` seals what is there");
    return 0;
}

/* One that opens something: then it is this database's. */
static int check_key(const struct invocation *invocation, const struct vault *vault,
                     const json_t *seals)
{
    size_t i;
    const json_t *row;
    json_array_foreach(
        seals, i,
        row) if (vault_has_key_of(vault, json_string_value(json_object_get(row, "seal")))) return 0;
    if (json_array_size(seals) == 0)
        return 0;
    complain("%s holds none of the keys that this database's secrets are sealed under (%s...)",
             invocation->master_key,
             json_string_value(json_object_get(json_array_get(seals, 0), "seal")));
    return 1;
}

int sealing_open(const struct invocation *invocation, struct vault **ret_vault)
{
    struct vault *vault = NULL;
    char error[MASTER_KEY_ERROR_SIZE];
    if (invocation->master_key && vault_open(invocation->master_key, &vault, error) < 0) {
        complain("%s", error);
        return 1;
    }
    json_t *seals = invocation_query(invocation, "secret_seals", NULL, 0);
    int status = !seals  ? 1
                 : vault ? check_key(invocation, vault, seals)
                         : check_keyless(json_array_size(seals));
    json_decref(seals);
    if (status == 0)
        *ret_vault = TAKE(vault);
    vault_free(&vault);
    return status;
}

char *sealing_text(const struct vault *vault, int64_t integrator_id, enum vault_what what,
                   const char *secret)
{
    const struct vault_place place = {integrator_id, what};
    return vault && secret ? vault_seal(vault, &place, secret) : memory_text(secret);
}
