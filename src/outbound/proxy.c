#include "outbound/proxy.h"

#include "base/memory.h"
#include "outbound/address.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STANDARD_PORT "3128"

struct proxy {
    struct networks *everywhere;
    struct host *host;
    char *port;
    char *credentials; /* NULL: none */
};

static void url_free(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void part_free(char **part)
{
    curl_free(*part);
}

static char *part_of(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static char *without_brackets(const char *host)
{
    size_t size = strlen(host);
    bool brackets = size > 2 && host[0] == '[';
    return brackets ? memory_bytes(host + 1, size - 2) : memory_text(host);
}

static int take_parts(struct proxy *proxy, struct resolver *resolver, CURLU *url)
{
    char *scheme _cleanup_(part_free) = part_of(url, CURLUPART_SCHEME, 0);
    char *host _cleanup_(part_free) = part_of(url, CURLUPART_HOST, 0);
    char *port _cleanup_(part_free) = part_of(url, CURLUPART_PORT, 0);
    char *user _cleanup_(part_free) = part_of(url, CURLUPART_USER, 0);
    char *password _cleanup_(part_free) = part_of(url, CURLUPART_PASSWORD, 0);
    if (!scheme || strcmp(scheme, "http") != 0 || !host || !*host)
        return -EINVAL;
    char *name _cleanup_(memory_text_free) = without_brackets(host);
    proxy->host = host_new(resolver, name, proxy->everywhere);
    proxy->port = memory_text(port ? port : STANDARD_PORT);
    if (user)
        proxy->credentials = memory_format("%s:%s", user, password ? password : "");
    return 0;
}

int proxy_new(struct resolver *resolver, const char *url, struct proxy **ret_proxy)
{
    if (!url || !*url) {
        *ret_proxy = NULL;
        return 0;
    }
    CURLU *parsed _cleanup_(url_free) = curl_url();
    _cleanup_(proxy_free) struct proxy *proxy = memory_zero(1, sizeof(*proxy));
    char error[NETWORKS_ERROR_SIZE];
    int result = networks_parse("0.0.0.0/0,::/0", &proxy->everywhere, error);
    assert(result == 0);
    if (!parsed || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK)
        return -EINVAL;
    result = take_parts(proxy, resolver, parsed);
    if (result == 0)
        *ret_proxy = TAKE(proxy);
    return result;
}

void proxy_free(struct proxy **proxy)
{
    struct proxy *old = TAKE(*proxy);
    if (!old)
        return;
    host_free(&old->host);
    networks_free(&old->everywhere);
    if (old->credentials)
        explicit_bzero(old->credentials, strlen(old->credentials));
    free(old->credentials);
    free(old->port);
    free(old);
}

struct host *proxy_host(struct proxy *proxy)
{
    return proxy->host;
}

void proxy_url(const struct proxy *proxy, const struct sockaddr_storage *address,
               char ret_url[static PROXY_URL_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];
    address_text((const struct sockaddr *)address, text);
    (void)snprintf(ret_url, PROXY_URL_SIZE,
                   address->ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", text,
                   proxy->port);
}

const char *proxy_credentials(const struct proxy *proxy)
{
    return proxy->credentials;
}
