/* signing.c - the keys that sign an integrator's callbacks: rotated, listed, retired. */
#include "vendctl/signing.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/random.h"
#include "vendctl/commands.h"
#include "vendctl/sealing.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V1_SIZE = 24, SEED_SIZE = 32, OVERLAP_DIGITS_MAX = 6 };

static void text_make(const char *prefix, const unsigned char *bytes, size_t size,
                      char ret_text[static SIGNING_TEXT_SIZE])
{
    assert(strlen(prefix) + BASE64_TEXT_SIZE(size) <= SIGNING_TEXT_SIZE);
    memcpy(ret_text, prefix, strlen(prefix));
    base64_write(bytes, size, ret_text + strlen(prefix));
}

/* Seed and public key behind it, as most libraries want a private key. */
static void pair_make(struct signing_key *ret_key)
{
    unsigned char bytes[2 * SEED_SIZE];
    size_t size = SEED_SIZE;
    random_bytes(bytes, SEED_SIZE);
    EVP_PKEY *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, SEED_SIZE);
    bool made = pair && EVP_PKEY_get_raw_public_key(pair, bytes + SEED_SIZE, &size) == 1;
    assert(made && size == SEED_SIZE);
    EVP_PKEY_free(pair);
    text_make("whsk_", bytes, sizeof(bytes), ret_key->secret);
    text_make("whpk_", bytes + SEED_SIZE, SEED_SIZE, ret_key->public_key);
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

void signing_key_make(bool v1a, struct signing_key *ret_key)
{
    if (v1a) {
        pair_make(ret_key);
        return;
    }
    unsigned char bytes[V1_SIZE];
    random_bytes(bytes, sizeof(bytes));
    text_make("whsec_", bytes, sizeof(bytes), ret_key->secret);
    ret_key->public_key[0] = '\0';
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

void signing_key_done(struct signing_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

/* The integrator that the first operand names; 0: complained. */
static int64_t find_integrator(const struct invocation *invocation)
{
    _cleanup_(memory_text_free) char *missing =
        memory_format("no integrator \"%s\"", invocation->operands[0]);
    json_t *rows =
        invocation_query_found(invocation, "integrator_find", invocation->operands, 1, missing);
    int64_t id = json_integer_value(json_object_get(json_array_get(rows, 0), "id"));
    json_decref(rows);
    return id;
}

/* "30m", "24h", "7d": as PostgreSQL reads it. */
static bool is_overlap(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= OVERLAP_DIGITS_MAX && strchr("smhd", text[digits]) &&
           text[digits] != '\0' && text[digits + 1] == '\0';
}

/* False: complained. */
static bool rotation_read(const struct invocation *invocation, bool *ret_v1a,
                          const char **ret_overlap)
{
    const char *kind = invocation_option(invocation, "kind"),
               *overlap = invocation_option(invocation, "overlap");
    if (kind && strcmp(kind, "v1") != 0 && strcmp(kind, "v1a") != 0) {
        complain("--kind is v1 or v1a");
        return false;
    }
    if (overlap && !is_overlap(overlap)) {
        complain("--overlap is a number with s, m, h or d: 30m, 24h, 7d");
        return false;
    }
    *ret_v1a = kind && strcmp(kind, "v1a") == 0;
    *ret_overlap = overlap ? overlap : "24h";
    return true;
}

/* The statement's row with the new key's number, or one where it is null: there was no room. */
static json_t *rotate(const struct invocation *invocation, const struct vault *vault, int64_t id,
                      const struct signing_key *key, const char *overlap)
{
    _cleanup_(memory_text_free) char *kept = sealing_text(vault, id, VAULT_SIGNING, key->secret);
    const char *const parameters[] = {invocation->operands[0], kept,
                                      key->public_key[0] ? key->public_key : NULL, overlap};
    json_t *rows =
        invocation_query(invocation, "signing_key_rotate", parameters, ARRAY_SIZE(parameters));
    if (!rows || json_is_integer(json_object_get(json_array_get(rows, 0), "key")))
        return rows;
    complain("%s has as many live signing keys as may be, 4: end one with `vendctl integrator key "
             "retire`",
             invocation->operands[0]);
    json_decref(rows);
    return NULL;
}

int command_integrator_key_rotate(struct invocation *invocation)
{
    bool v1a;
    const char *overlap;
    if (!rotation_read(invocation, &v1a, &overlap))
        return 2;
    int64_t id = find_integrator(invocation);
    struct vault *vault = NULL;
    int status = id == 0 ? 1 : sealing_open(invocation, &vault);
    if (status != 0)
        return status;
    struct signing_key key _cleanup_(signing_key_done);
    signing_key_make(v1a, &key);
    json_t *rows = rotate(invocation, vault, id, &key, overlap);
    vault_free(&vault);
    if (rows && !v1a) /* of v1a nobody but us needs the secret half */
        json_object_set_new(json_array_get(rows, 0), "signing_secret", json_string(key.secret));
    return invocation_finish_object(invocation, rows);
}

int command_integrator_key_list(struct invocation *invocation)
{
    if (find_integrator(invocation) == 0)
        return 1;
    return invocation_finish_rows(
        invocation, invocation_query(invocation, "signing_key_list", invocation->operands, 1));
}

int command_integrator_key_retire(struct invocation *invocation)
{
    json_t *rows = invocation_query_found(invocation, "signing_key_retire", invocation->operands, 2,
                                          "no live signing key of that number at that integrator");
    if (rows && json_is_null(json_object_get(json_array_get(rows, 0), "ended_at"))) {
        complain("it is the last key without an end that this endpoint can be signed for with: "
                 "make a new one first with `vendctl integrator key rotate`");
        json_decref(rows);
        return 1;
    }
    return invocation_finish_object(invocation, rows);
}

int signing_set_v1a_only(struct invocation *invocation, const char *yes_or_no)
{
    if (find_integrator(invocation) == 0)
        return 1;
    bool v1a = strcmp(yes_or_no, "yes") == 0;
    const char *const parameters[] = {invocation->operands[0], yes_or_no};
    _cleanup_(memory_text_free) char *missing =
        memory_format("%s has no live %s key without an end: make one with `vendctl integrator key "
                      "rotate %s%s`",
                      invocation->operands[0], v1a ? "v1a" : "v1", invocation->operands[0],
                      v1a ? " --kind v1a" : "");
    json_t *rows = invocation_query_found(invocation, "endpoint_v1a_only", parameters,
                                          ARRAY_SIZE(parameters), missing);
    int status = rows ? 0 : 1;
    json_decref(rows);
    return status;
}
