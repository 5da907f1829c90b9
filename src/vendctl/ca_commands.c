/* ca_commands.c - the private CA on the command line. */
#include "vendctl/ca.h"
#include "vendctl/commands.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static int print_made(const struct invocation *invocation, const char *certificate, const char *key)
{
    json_t *made = json_pack("{s:s, s:s}", "certificate", certificate, "key", key);
    invocation_print_object(invocation, made);
    json_decref(made);
    return 0;
}

int command_ca_init(struct invocation *invocation)
{
    const char *folder = invocation_option(invocation, "dir");
    char error[CA_ERROR_SIZE];
    if (ca_create(folder, error) < 0) {
        complain("%s", error);
        return 1;
    }
    _cleanup_(memory_text_free) char *certificate = memory_format("%s/ca.pem", folder);
    _cleanup_(memory_text_free) char *key = memory_format("%s/ca.key", folder);
    return print_made(invocation, certificate, key);
}

static bool is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool is_name(const char *host)
{
    static const char ALLOWED[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-*_";
    return host[0] && strspn(host, ALLOWED) == strlen(host);
}

/* "localhost,127.0.0.1" as "DNS:localhost,IP:127.0.0.1"; free() the result. NULL: complained. */
static char *alternative_names(const char *hosts)
{
    _cleanup_(memory_text_free) char *copy = memory_text(hosts);
    struct buffer names;
    buffer_init(&names, SIZE_MAX);
    char *rest = copy, *host;
    bool valid = true;
    while (valid && (host = strsep(&rest, ","))) {
        valid = is_address(host) || is_name(host);
        if (valid)
            (void)!buffer_format(&names, "%s%s:%s", names.size ? "," : "",
                                 is_address(host) ? "IP" : "DNS", host);
        else
            complain("`%s` is no host name and no address", host);
    }
    char *text = valid ? memory_bytes(names.bytes, names.size) : NULL;
    buffer_done(&names);
    return text;
}

static int issue(const struct invocation *invocation, const struct ca_subject *subject,
                 char ret_error[static CA_ERROR_SIZE])
{
    struct ca ca = {0};
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int result = ca_open(invocation_option(invocation, "dir"), &ca, ret_error);
    if (result == 0)
        result = ca_key_new(&key, ret_error);
    if (result == 0)
        result = ca_issue(&ca, key, subject, &certificate, ret_error);
    if (result == 0)
        result = ca_write_key(invocation_option(invocation, "key"), key, ret_error);
    if (result == 0)
        result =
            ca_write_certificate(invocation_option(invocation, "cert"), certificate, ret_error);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ca_done(&ca);
    return result;
}

int command_ca_server(struct invocation *invocation)
{
    const char *hosts = invocation_option(invocation, "host");
    _cleanup_(memory_text_free) char *names = alternative_names(hosts);
    if (!names)
        return 2;
    _cleanup_(memory_text_free) char *first = memory_bytes(hosts, strcspn(hosts, ","));
    const struct ca_subject subject = {.common_name = first, .alternative = names, .server = true};
    char error[CA_ERROR_SIZE];
    if (issue(invocation, &subject, error) < 0) {
        complain("%s", error);
        return 1;
    }
    return print_made(invocation, invocation_option(invocation, "cert"),
                      invocation_option(invocation, "key"));
}
