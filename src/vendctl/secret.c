/* secret.c - the master key, and sealing under it what the database holds. */
#include "base/memory.h"
#include "people/vault.h"
#include "vendctl/commands.h"
#include "vendctl/sealing.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int command_secret_init(struct invocation *invocation)
{
    const char *path = invocation_option(invocation, "key");
    struct master_key key;
    char error[MASTER_KEY_ERROR_SIZE];
    if (master_key_make(path, invocation_flag(invocation, "renew"), &key, error) < 0) {
        complain("%s", error);
        return 1;
    }
    json_t *made = json_pack("{s:s, s:s}", "master_key", path, "key_id", key.id);
    OPENSSL_cleanse(&key, sizeof(key));
    invocation_print_object(invocation, made);
    json_decref(made);
    return 0;
}

/* What became of one secret. */
enum seal_result {
    SEAL_NEW,        /* it was in the clear */
    SEAL_RENEWED,    /* it was sealed under an older key */
    SEAL_AS_IT_WAS,  /* sealed under the newest key already */
    SEAL_UNREADABLE, /* under a key that the file does not hold, or altered */
    SEAL_CHANGED,    /* somebody wrote another one meanwhile */
    SEAL_RESULT_COUNT
};

static const char *const RESULTS[] = {
    [SEAL_NEW] = "sealed",
    [SEAL_RENEWED] = "resealed",
    [SEAL_AS_IT_WAS] = "as_it_was",
    [SEAL_UNREADABLE] = "unreadable",
    [SEAL_CHANGED] = "changed_meanwhile",
};
static_assert(ARRAY_SIZE(RESULTS) == SEAL_RESULT_COUNT, "each result has a name");

static const char *const STATEMENTS[] = {
    [VAULT_SIGNING] = "secret_put_signing",
    [VAULT_API_KEY] = "secret_put_api_key",
    [VAULT_PASSWORD] = "secret_put_password",
};
static_assert(ARRAY_SIZE(STATEMENTS) == VAULT_WHAT_COUNT, "each place has a statement");

static void secret_free(char **secret)
{
    if (*secret)
        OPENSSL_cleanse(*secret, strlen(*secret));
    free(*secret);
}

/* In the clear; NULL: complained. */
static char *read_secret(const struct vault *vault, const struct vault_place *place,
                         const char *text, const json_t *row)
{
    char *secret = NULL;
    const char *fault = NULL;
    if (vault_is_sealed(text)) {
        int result = vault_unseal(vault, place, text, &secret);
        fault = result == -ENOKEY ? "it is sealed under a key that is not in the file"
                : result < 0      ? "it was altered, or sealed for another row"
                                  : NULL;
    } else if (strlen(text) <= VAULT_SECRET_MAX) {
        secret = memory_text(text);
    } else {
        fault = "it is too long";
    }
    if (fault)
        complain("the %s of %s: %s", json_string_value(json_object_get(row, "what")),
                 json_string_value(json_object_get(row, "integrator")), fault);
    return secret;
}

/* Only if it is still as it was read. */
static enum seal_result write_text(const struct invocation *invocation, enum vault_what what,
                                   const json_t *row, const char *text)
{
    const char *old = json_string_value(json_object_get(row, "text"));
    _cleanup_(memory_text_free) char *number =
        memory_format("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(row, "row")));
    const char *const parameters[] = {number, old, text};
    json_t *rows =
        invocation_query(invocation, STATEMENTS[what], parameters, ARRAY_SIZE(parameters));
    bool written = json_array_size(rows) == 1;
    json_decref(rows);
    return !written ? SEAL_CHANGED : vault_is_sealed(old) ? SEAL_RENEWED : SEAL_NEW;
}

static enum seal_result seal_row(const struct invocation *invocation, const struct vault *vault,
                                 const json_t *row)
{
    struct vault_place place = {.integrator_id =
                                    json_integer_value(json_object_get(row, "integrator_id"))};
    const char *text = json_string_value(json_object_get(row, "text"));
    bool known = vault_what_parse(json_string_value(json_object_get(row, "what")), &place.what);
    assert(known);
    char *secret _cleanup_(secret_free) = read_secret(vault, &place, text, row);
    if (!secret)
        return SEAL_UNREADABLE;
    if (vault_is_newest(vault, text))
        return SEAL_AS_IT_WAS;
    _cleanup_(memory_text_free) char *sealed = vault_seal(vault, &place, secret);
    return write_text(invocation, place.what, row, sealed);
}

static int seal_rows(const struct invocation *invocation, const struct vault *vault,
                     const json_t *rows)
{
    json_int_t counts[SEAL_RESULT_COUNT] = {0};
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) counts[seal_row(invocation, vault, row)]++;
    json_t *told = json_pack("{s:s}", "key_id", vault_key_id(vault));
    for (i = 0; i < SEAL_RESULT_COUNT; i++)
        json_object_set_new(told, RESULTS[i], json_integer(counts[i]));
    invocation_print_object(invocation, told);
    json_decref(told);
    return counts[SEAL_UNREADABLE] + counts[SEAL_CHANGED] > 0;
}

int command_secret_seal(struct invocation *invocation)
{
    if (!invocation->master_key) {
        complain("no master key: give --master-key FILE or set VENDGATE_MASTER_KEY_FILE");
        return 2;
    }
    struct vault *vault = NULL;
    int status = sealing_open(invocation, &vault);
    if (status != 0)
        return status;
    json_t *rows = invocation_query(invocation, "secret_list", NULL, 0);
    status = rows ? seal_rows(invocation, vault, rows) : 1;
    json_decref(rows);
    vault_free(&vault);
    return status;
}
