/* integrator.c - integrators and what they prove themselves with. */
#include "vendctl/commands.h"

#include "base/memory.h"
#include "base/random.h"
#include "people/secret.h"
#include "vendctl/endpoint.h"
#include "vendctl/sealing.h"
#include "vendctl/signing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_KEY_BYTES 16
#define PASSWORD_BYTES 16

/* Generated secrets; NULL-terminated texts. */
struct secrets {
    char api_key[3 + 2 * API_KEY_BYTES + 1];
    char password[2 * PASSWORD_BYTES + 1];
};

static void api_key_make(char ret_key[static 3 + 2 * API_KEY_BYTES + 1])
{
    memcpy(ret_key, "vg_", 3);
    random_hex(ret_key + 3, API_KEY_BYTES);
}

static void secrets_make(struct secrets *ret_secrets)
{
    api_key_make(ret_secrets->api_key);
    random_hex(ret_secrets->password, PASSWORD_BYTES);
}

static const char *or_else(const char *given, const char *made)
{
    return given ? given : made;
}

/* "user:password" in two. False: there is no colon. */
static bool split_basic(const char *text, char **ret_user, const char **ret_password)
{
    const char *colon = strchr(text, ':');
    if (!colon || colon == text)
        return false;
    *ret_user = memory_bytes(text, (size_t)(colon - text));
    *ret_password = colon + 1;
    return true;
}

/* What we present or sign with, as it goes into the database, for an id that was drawn before the
 * row is made: a sealed text is bound to it. */
struct kept {
    char id[24];
    char *api_key, *password, *signing;
};

static void kept_done(struct kept *kept)
{
    free(kept->api_key);
    free(kept->password);
    free(kept->signing);
}

/* A text in the clear that looks sealed would be taken for a sealed one. */
static bool is_presentable(const char *option, const char *secret)
{
    if (!secret || (strlen(secret) <= VAULT_SECRET_MAX && !vault_is_sealed(secret)))
        return true;
    complain("--%s is at most %d characters and does not begin with \"sealed:\"", option,
             VAULT_SECRET_MAX);
    return false;
}

/* 0 or an exit status. */
static int keep_secrets(const struct invocation *invocation, const char *password,
                        const char *signing, struct kept *ret_kept)
{
    struct vault *vault = NULL;
    const char *api_key = invocation_option(invocation, "present-api-key");
    if (!is_presentable("present-api-key", api_key) || !is_presentable("present-basic", password))
        return 2;
    int status = sealing_open(invocation, &vault);
    json_t *rows = status == 0 ? invocation_query(invocation, "integrator_next_id", NULL, 0) : NULL;
    if (rows) {
        int64_t id = json_integer_value(json_object_get(json_array_get(rows, 0), "id"));
        (void)snprintf(ret_kept->id, sizeof(ret_kept->id), "%" PRId64, id);
        ret_kept->api_key = sealing_text(vault, id, VAULT_API_KEY, api_key);
        ret_kept->password = sealing_text(vault, id, VAULT_PASSWORD, password);
        ret_kept->signing = sealing_text(vault, id, VAULT_SIGNING, signing);
    }
    vault_free(&vault);
    status = rows ? 0 : status ? status : 1;
    json_decref(rows);
    return status;
}

int command_integrator_add(struct invocation *invocation)
{
    const char *name = invocation->operands[0],
               *present = invocation_option(invocation, "present-basic");
    _cleanup_(memory_text_free) char *present_user = NULL;
    const char *present_password = NULL;
    if (present && !split_basic(present, &present_user, &present_password)) {
        complain("--present-basic is USER:PASSWORD");
        return 2;
    }
    struct secrets made;
    secrets_make(&made);
    const char *api_key = or_else(invocation_option(invocation, "api-key"), made.api_key);
    const char *user = or_else(invocation_option(invocation, "basic-user"), name);
    const char *password = or_else(invocation_option(invocation, "basic-password"), made.password);
    char key_digest[SECRET_SHA256_SIZE], password_digest[SECRET_DIGEST_SIZE];
    secret_sha256_hex(api_key, strlen(api_key), key_digest);
    if (secret_hash_password(password, password_digest) < 0) {
        complain("the password cannot be hashed");
        return 1;
    }
    struct endpoint_settings endpoint _cleanup_(endpoint_settings_done) = {0};
    int status = endpoint_settings_read(invocation, NULL, &endpoint);
    if (status != 0)
        return status;
    struct signing_key signing _cleanup_(signing_key_done);
    struct kept kept _cleanup_(kept_done) = {0};
    signing_key_make(false, &signing);
    status = keep_secrets(invocation, present_password, signing.secret, &kept);
    if (status != 0)
        return status;
    _cleanup_(memory_text_free) char *networks = endpoint_array(endpoint.networks);
    _cleanup_(memory_text_free) char *pins = endpoint_array(endpoint.pins);
    const char *const parameters[] = {
        name,
        endpoint.url,
        endpoint.ca_file,
        endpoint.allow_http ? "t" : "f",
        networks,
        kept.api_key,
        present_user,
        kept.password,
        kept.signing,
        key_digest,
        user,
        password_digest,
        invocation_flag(invocation, "allow-rename") ? "t" : "f",
        invocation_flag(invocation, "allow-multi-vend") ? "t" : "f",
        invocation_flag(invocation, "strict-codes") ? "t" : "f",
        invocation_option(invocation, "doubt-policy"),
        kept.id,
        endpoint.cert_file,
        endpoint.key_file,
        pins,
        endpoint.rate,
    };
    json_t *rows =
        invocation_query(invocation, "integrator_add", parameters, ARRAY_SIZE(parameters));
    if (!rows)
        return 1;
    json_t *added = json_array_get(rows, 0);
    json_object_set_new(added, "api_key", json_string(api_key));
    json_object_set_new(added, "basic_user", json_string(user));
    json_object_set_new(added, "basic_password", json_string(password));
    json_object_set_new(added, "signing_secret", json_string(signing.secret));
    _cleanup_(memory_text_free) char *later = endpoint_checked_later(&endpoint);
    if (later)
        json_object_set_new(added, "checked_later", json_string(later));
    return invocation_finish_object(invocation, rows);
}

int command_integrator_list(struct invocation *invocation)
{
    return invocation_finish_rows(invocation,
                                  invocation_query(invocation, "integrator_list", NULL, 0));
}

static json_t *query_named(struct invocation *invocation, const char *statement,
                           const char *const *parameters, size_t count)
{
    _cleanup_(memory_text_free) char *missing =
        memory_format("no integrator \"%s\"", invocation->operands[0]);
    return invocation_query_found(invocation, statement, parameters, count, missing);
}

int command_integrator_show(struct invocation *invocation)
{
    return invocation_finish_object(
        invocation, query_named(invocation, "integrator_show", invocation->operands, 1));
}

/* "yes" or "no" as PostgreSQL reads them; NULL: not given. False: complained. */
static bool yes_or_no(const struct invocation *invocation, const char *name, const char **ret_value)
{
    const char *given = invocation_option(invocation, name);
    if (given && strcmp(given, "yes") != 0 && strcmp(given, "no") != 0) {
        complain("--%s is yes or no", name);
        return false;
    }
    *ret_value = given;
    return true;
}

int command_integrator_set(struct invocation *invocation)
{
    const char *rename, *multi_vend, *strict, *v1a_only;
    if (!yes_or_no(invocation, "v1a-only", &v1a_only) ||
        !yes_or_no(invocation, "allow-rename", &rename) ||
        !yes_or_no(invocation, "allow-multi-vend", &multi_vend) ||
        !yes_or_no(invocation, "strict-codes", &strict))
        return 2;
    if (v1a_only && signing_set_v1a_only(invocation, v1a_only) != 0)
        return 1;
    const char *const parameters[] = {
        invocation->operands[0],
        rename,
        multi_vend,
        strict,
        invocation_option(invocation, "doubt-policy"),
        invocation_option(invocation, "amount-max"),
    };
    return invocation_finish_object(
        invocation, query_named(invocation, "integrator_set", parameters, ARRAY_SIZE(parameters)));
}

static int set_enabled(struct invocation *invocation, const char *enabled)
{
    const char *const parameters[] = {invocation->operands[0], enabled};
    return invocation_finish_object(invocation, query_named(invocation, "integrator_enable",
                                                            parameters, ARRAY_SIZE(parameters)));
}

int command_integrator_enable(struct invocation *invocation)
{
    return set_enabled(invocation, "t");
}

int command_integrator_disable(struct invocation *invocation)
{
    return set_enabled(invocation, "f");
}

static int add_basic(struct invocation *invocation, const char *user)
{
    struct secrets made;
    secrets_make(&made);
    const char *password = or_else(invocation_option(invocation, "basic-password"), made.password);
    char digest[SECRET_DIGEST_SIZE];
    if (secret_hash_password(password, digest) < 0) {
        complain("the password cannot be hashed");
        return 1;
    }
    const char *const parameters[] = {invocation->operands[0], "basic", user, digest};
    json_t *rows = query_named(invocation, "key_add", parameters, ARRAY_SIZE(parameters));
    if (rows)
        json_object_set_new(json_array_get(rows, 0), "password", json_string(password));
    return invocation_finish_object(invocation, rows);
}

static int add_api_key(struct invocation *invocation)
{
    char made[3 + 2 * API_KEY_BYTES + 1], digest[SECRET_SHA256_SIZE];
    api_key_make(made);
    const char *key = or_else(invocation_option(invocation, "api-key"), made);
    secret_sha256_hex(key, strlen(key), digest);
    const char *const parameters[] = {invocation->operands[0], "api_key", NULL, digest};
    json_t *rows = query_named(invocation, "key_add", parameters, ARRAY_SIZE(parameters));
    if (rows)
        json_object_set_new(json_array_get(rows, 0), "api_key", json_string(key));
    return invocation_finish_object(invocation, rows);
}

int command_key_add(struct invocation *invocation)
{
    const char *user = invocation_option(invocation, "basic-user");
    return user ? add_basic(invocation, user) : add_api_key(invocation);
}

int command_key_revoke(struct invocation *invocation)
{
    return invocation_finish_object(
        invocation, invocation_query_found(invocation, "key_revoke", invocation->operands, 2,
                                           "no live key of that number at that integrator"));
}
