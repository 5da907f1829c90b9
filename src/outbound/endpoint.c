#include "outbound/endpoint.h"

#include "base/log.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BASE_URL_MAX = 1024, CREDENTIAL_MAX = 1024 };

static void url_free(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void part_free(char **part)
{
    curl_free(*part);
}

static bool url_has(CURLU *url, CURLUPart part)
{
    char *text _cleanup_(part_free) = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

static bool url_scheme_is(CURLU *url, const char *scheme)
{
    char *text _cleanup_(part_free) = NULL;
    return curl_url_get(url, CURLUPART_SCHEME, &text, 0) == CURLUE_OK && strcmp(text, scheme) == 0;
}

static bool is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    }
    return true;
}

/* The host without brackets; NULL: none. */
static char *url_host(CURLU *url)
{
    char *text _cleanup_(part_free) = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &text, 0) != CURLUE_OK || *text == '\0')
        return NULL;
    size_t size = strlen(text);
    bool brackets = text[0] == '[' && text[size - 1] == ']';
    return brackets ? memory_bytes(text + 1, size - 2) : memory_text(text);
}

/* NULL: a base address that we use; else what is wrong with it (static). */
static const char *check_url(CURLU *url, const struct outbound_endpoint *given)
{
    if (!given->base_url || strlen(given->base_url) > BASE_URL_MAX || !is_ascii(given->base_url))
        return "the address is missing, too long or not ASCII";
    if (curl_url_set(url, CURLUPART_URL, given->base_url, 0) != CURLUE_OK)
        return "the address is not a URL";
    if (!url_scheme_is(url, "https") && !url_scheme_is(url, "http"))
        return "the address is not https";
    if (!url_scheme_is(url, "https") && !given->allow_http)
        return "the address is http, which this endpoint does not permit";
    if (url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD))
        return "the address carries a user or password";
    if (url_has(url, CURLUPART_QUERY) || url_has(url, CURLUPART_FRAGMENT))
        return "the address has a query or fragment";
    if (url_has(url, CURLUPART_ZONEID))
        return "the address has a zone";
    return NULL;
}

static const char *take_url(struct endpoint *endpoint, uv_loop_t *loop,
                            const struct outbound_endpoint *given)
{
    CURLU *url _cleanup_(url_free) = curl_url();
    const char *fault = check_url(url, given);
    if (fault)
        return fault;
    char *host _cleanup_(memory_text_free) = url_host(url);
    if (!host)
        return "the address has no host";
    size_t size = strlen(given->base_url);
    while (size > 0 && given->base_url[size - 1] == '/')
        size--;
    endpoint->base_url = memory_bytes(given->base_url, size);
    endpoint->host = host_new(loop, host, endpoint->allow_private);
    return NULL;
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

struct endpoint *endpoint_new(uv_loop_t *loop, const struct outbound_endpoint *given,
                              int64_t changed_ms)
{
    struct endpoint *endpoint = memory_zero(1, sizeof(*endpoint));
    endpoint->references = 1;
    endpoint->ca_file = memory_text(given->ca_file);
    endpoint->allow_http = given->allow_http;
    endpoint->allow_private = given->allow_cidr && given->allow_cidr[0];
    endpoint->changed_ms = changed_ms;
    const char *fault = take_url(endpoint, loop, given);
    if (!fault)
        fault = take_credentials(endpoint, given);
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
    free(old->base_url);
    free(old->ca_file);
    free(old);
}
