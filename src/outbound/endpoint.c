#include "outbound/endpoint.h"

#include "base/log.h"
#include "base/memory.h"
#include "outbound/callback_url.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CREDENTIAL_MAX = 1024 };

/* False: endpoint->fault says why. */
static bool take_url(struct endpoint *endpoint, struct resolver *resolver,
                     const struct outbound_endpoint *given)
{
    const struct callback_url_rules rules = {given->allow_http, endpoint->allowed};
    struct callback_url url;
    if (!callback_url_check(given->base_url, &rules, &url, endpoint->fault))
        return false;
    size_t size = strlen(given->base_url);
    while (size > 0 && given->base_url[size - 1] == '/')
        size--;
    endpoint->base_url = memory_bytes(given->base_url, size);
    endpoint->host = host_new(resolver, url.host, endpoint->allowed);
    return true;
}

static bool take_networks(struct endpoint *endpoint, const struct outbound_endpoint *given)
{
    char error[NETWORKS_ERROR_SIZE];
    if (networks_parse(given->allow_cidr, &endpoint->allowed, error) == 0)
        return true;
    (void)snprintf(endpoint->fault, sizeof(endpoint->fault), "its networks: %s", error);
    return false;
}

/* A control character would let a credential forge a header. */
static bool is_header_value(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    }
    return size > 0 && size <= CREDENTIAL_MAX;
}

static char *basic_line(const char *user, const char *password)
{
    char *pair = memory_format("%s:%s", user, password);
    size_t size = strlen(pair);
    char *encoded = memory_zero(4 * ((size + 2) / 3) + 1, 1);
    (void)EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair, (int)size);
    char *line = memory_format("Authorization: Basic %s", encoded);
    explicit_bzero(encoded, strlen(encoded));
    explicit_bzero(pair, size);
    free(encoded);
    free(pair);
    return line;
}

static const char *take_credentials(struct endpoint *endpoint,
                                    const struct outbound_endpoint *given)
{
    size_t count = 0;
    if (given->api_key) {
        if (!is_header_value(given->api_key))
            return "the API key cannot be sent in a header";
        endpoint->credentials[count++] = memory_format("X-API-Key: %s", given->api_key);
    }
    if (given->user) {
        const char *password = given->password ? given->password : "";
        if (strlen(given->user) > CREDENTIAL_MAX || strlen(password) > CREDENTIAL_MAX ||
            strchr(given->user, ':'))
            return "user and password cannot be sent as Basic";
        endpoint->credentials[count++] = basic_line(given->user, password);
    }
    return NULL;
}

struct endpoint *endpoint_new(struct resolver *resolver, const struct outbound_endpoint *given,
                              int64_t changed_ms)
{
    struct endpoint *endpoint = memory_zero(1, sizeof(*endpoint));
    endpoint->references = 1;
    endpoint->ca_file = memory_text(given->ca_file);
    endpoint->allow_http = given->allow_http;
    endpoint->client_cert_file = memory_text(given->client_cert_file);
    endpoint->client_key_file = memory_text(given->client_key_file);
    endpoint->public_key_pins = given->public_key_pins && *given->public_key_pins
                                    ? memory_text(given->public_key_pins)
                                    : NULL;
    endpoint->changed_ms = changed_ms;
    if (!take_networks(endpoint, given) || !take_url(endpoint, resolver, given))
        return endpoint;
    const char *fault = take_credentials(endpoint, given);
    if (!fault && webhook_signer_new(given->signing_keys, given->v1a_only, &endpoint->signer) < 0)
        fault = "no usable signing key";
    if (fault)
        (void)snprintf(endpoint->fault, sizeof(endpoint->fault), "%s", fault);
    return endpoint;
}

struct endpoint *endpoint_keep(struct endpoint *endpoint)
{
    endpoint->references++;
    return endpoint;
}

void endpoint_sign(struct endpoint *endpoint, int64_t integrator_id,
                   const struct webhook_message *message,
                   char ret_signature[static WEBHOOK_SIGNATURE_SIZE])
{
    if (webhook_sign(endpoint->signer, message, ret_signature) || endpoint->overdue_told)
        return;
    endpoint->overdue_told = true;
    log_warning("signing_key_over", LOG_INT("integrator", integrator_id),
                LOG_TEXT("remedy", "it signs on, as no other is left: make a new one with "
                                   "`vendctl integrator key rotate`"));
}

void endpoint_free(struct endpoint **endpoint)
{
    struct endpoint *old = TAKE(*endpoint);
    if (!old || --old->references > 0)
        return;
    for (size_t i = 0; i < ENDPOINT_CREDENTIALS_MAX; i++) {
        if (old->credentials[i])
            explicit_bzero(old->credentials[i], strlen(old->credentials[i]));
        free(old->credentials[i]);
    }
    webhook_signer_free(&old->signer);
    host_free(&old->host);
    networks_free(&old->allowed);
    free(old->base_url);
    free(old->ca_file);
    free(old->client_cert_file);
    free(old->client_key_file);
    free(old->public_key_pins);
    free(old);
}
