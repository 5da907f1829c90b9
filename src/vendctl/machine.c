/* machine.c - machines, and what they prove themselves with. */
#include "vendctl/ca.h"
#include "vendctl/commands.h"

#include "base/memory.h"
#include "base/random.h"
#include "people/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_BYTES 24

/* False: there is none of that name, complained. */
static bool group_exists(struct invocation *invocation, const char *name)
{
    _cleanup_(memory_text_free) char *missing = memory_format("no group \"%s\"", name);
    const char *const parameters[] = {name};
    json_t *rows = invocation_query_found(invocation, "group_find", parameters, 1, missing);
    json_decref(rows);
    return rows != NULL;
}

int command_machine_add(struct invocation *invocation)
{
    const char *group = invocation_option(invocation, "group");
    if (group && !group_exists(invocation, group))
        return 1;
    const char *const parameters[] = {
        invocation->operands[0],
        invocation_flag(invocation, "allow-tool") ? "t" : "f",
        invocation_option(invocation, "operator-name"),
        invocation_option(invocation, "address"),
        invocation_option(invocation, "business-address"),
        invocation_option(invocation, "company"),
        invocation_option(invocation, "operator-contact"),
        invocation_option(invocation, "photo-url"),
        group,
    };
    return invocation_finish_object(
        invocation,
        invocation_query(invocation, "machine_add", parameters, ARRAY_SIZE(parameters)));
}

int command_machine_list(struct invocation *invocation)
{
    return invocation_finish_rows(invocation,
                                  invocation_query(invocation, "machine_list", NULL, 0));
}

static json_t *query_machine(struct invocation *invocation, const char *statement,
                             const char *const *parameters, size_t count)
{
    _cleanup_(memory_text_free) char *missing =
        memory_format("no machine \"%s\"", invocation->operands[0]);
    return invocation_query_found(invocation, statement, parameters, count, missing);
}

int command_machine_show(struct invocation *invocation)
{
    return invocation_finish_object(
        invocation, query_machine(invocation, "machine_show", invocation->operands, 1));
}

int command_machine_set(struct invocation *invocation)
{
    const char *group = invocation_option(invocation, "group");
    bool none = group && !strcmp(group, "none");
    if (group && !none && !group_exists(invocation, group))
        return 1;
    const char *const parameters[] = {
        invocation->operands[0],
        invocation_option(invocation, "operator-name"),
        invocation_option(invocation, "address"),
        invocation_option(invocation, "business-address"),
        invocation_option(invocation, "company"),
        invocation_option(invocation, "operator-contact"),
        invocation_option(invocation, "photo-url"),
        invocation_option(invocation, "price-max"),
        group ? "t" : "f",
        none ? NULL : group,
    };
    return invocation_finish_object(
        invocation, query_machine(invocation, "machine_set", parameters, ARRAY_SIZE(parameters)));
}

static int set_enabled(struct invocation *invocation, const char *enabled)
{
    const char *const parameters[] = {invocation->operands[0], enabled};
    return invocation_finish_object(invocation, query_machine(invocation, "machine_enable",
                                                              parameters, ARRAY_SIZE(parameters)));
}

int command_machine_enable(struct invocation *invocation)
{
    return set_enabled(invocation, "t");
}

int command_machine_disable(struct invocation *invocation)
{
    return set_enabled(invocation, "f");
}

int command_machine_token(struct invocation *invocation)
{
    char token[2 * TOKEN_BYTES + 1], digest[SECRET_SHA256_SIZE];
    random_hex(token, TOKEN_BYTES);
    secret_sha256_hex(token, strlen(token), digest);
    const char *const parameters[] = {invocation->operands[0], digest};
    json_t *rows = query_machine(invocation, "token_set", parameters, ARRAY_SIZE(parameters));
    if (rows)
        json_object_set_new(json_array_get(rows, 0), "token", json_string(token));
    return invocation_finish_object(invocation, rows);
}

int command_machine_revoke(struct invocation *invocation)
{
    return invocation_finish_object(
        invocation, invocation_query_found(invocation, "credential_disable", invocation->operands,
                                           2, "no live credential of that number at that machine"));
}

/* --- Enrolment --- */

/* The key is new, or that of a request: then the private one stays with whoever asked. */
static int key_get(const struct invocation *invocation, EVP_PKEY **ret_key,
                   char ret_error[static CA_ERROR_SIZE])
{
    const char *request = invocation_option(invocation, "csr");
    return request ? ca_request_read(request, ret_key, ret_error) : ca_key_new(ret_key, ret_error);
}

static bool is_vm_id(const char *text)
{
    size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return size >= 1 && size <= 64 && text[size] == '\0';
}

static int certificate_make(const struct invocation *invocation, EVP_PKEY *key,
                            X509 **ret_certificate, char ret_error[static CA_ERROR_SIZE])
{
    struct ca ca = {0};
    _cleanup_(memory_text_free) char *name =
        memory_format("URI:urn:vm:%s", invocation->operands[0]);
    const struct ca_subject subject = {.common_name = invocation->operands[0], .alternative = name};
    int result = ca_open(invocation_option(invocation, "ca-dir"), &ca, ret_error);
    if (result == 0)
        result = ca_issue(&ca, key, &subject, ret_certificate, ret_error);
    ca_done(&ca);
    return result;
}

static int files_write(const struct invocation *invocation, EVP_PKEY *key, X509 *certificate)
{
    char error[CA_ERROR_SIZE];
    const char *key_path = invocation_option(invocation, "key");
    int result = key_path ? ca_write_key(key_path, key, error) : 0;
    if (result == 0)
        result = ca_write_certificate(invocation_option(invocation, "cert"), certificate, error);
    if (result == 0)
        return 0;
    complain("%s (the key was registered: revoke it, see `machine show`)", error);
    return 1;
}

/* Registered first: the database has the last word on whether the machine exists and has room for
 * another key. */
static int enroll(struct invocation *invocation, EVP_PKEY *key, X509 *certificate)
{
    char fingerprint[CA_FINGERPRINT_SIZE], error[CA_ERROR_SIZE];
    if (ca_fingerprint(key, fingerprint, error) < 0) {
        complain("%s", error);
        return 1;
    }
    const char *const parameters[] = {invocation->operands[0], fingerprint};
    json_t *rows = query_machine(invocation, "certificate_add", parameters, ARRAY_SIZE(parameters));
    if (!rows)
        return 1;
    if (files_write(invocation, key, certificate) != 0) {
        json_decref(rows);
        return 1;
    }
    return invocation_finish_object(invocation, rows);
}

int command_machine_enroll(struct invocation *invocation)
{
    bool request = invocation_flag(invocation, "csr"),
         key_file = invocation_flag(invocation, "key");
    if (request == key_file) {
        complain("give either --key FILE (a new key is made) or --csr FILE (the key of a request)");
        return 2;
    }
    if (!is_vm_id(invocation->operands[0])) {
        complain("a vm_id is 1 to 64 of A-Z a-z 0-9 . _ -");
        return 2;
    }
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    char error[CA_ERROR_SIZE];
    int status = 1;
    if (key_get(invocation, &key, error) < 0 ||
        certificate_make(invocation, key, &certificate, error) < 0)
        complain("%s", error);
    else
        status = enroll(invocation, key, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}
