#include "outbound/callback_url.h"

#include "base/macros.h"
#include "outbound/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 63, PORT_MAX = 65535 };

/* The parts as they stand in the text. */
struct parts {
    const char *host; /* with brackets */
    size_t host_size;
    const char *port; /* NULL: none */
    size_t port_size;
    const char *path; /* from the slash on; may be empty */
};

static bool is_alone(const char *text, size_t size, const char *characters)
{
    return strspn(text, characters) >= size;
}

/* What no base address needs and what programs read in different ways. */
static const char *check_characters(const char *url)
{
    size_t size = strlen(url);
    if (size == 0)
        return "the address is missing";
    if (size > CALLBACK_URL_MAX)
        return "the address is longer than 1024 bytes";
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)url[i] >= 0x80)
            return "the address is not ASCII (an international name is written as xn--...)";
        if ((unsigned char)url[i] <= ' ' || url[i] == 0x7f || strchr("\\\"<>^`{|}", url[i]))
            return "the address has a character that belongs into no address";
    }
    return NULL;
}

static const char *check_scheme(const char *url, bool allow_http, const char **ret_rest)
{
    static const char HTTPS[] = "https://", HTTP[] = "http://";
    if (strncmp(url, HTTPS, strlen(HTTPS)) == 0) {
        *ret_rest = url + strlen(HTTPS);
        return NULL;
    }
    if (strncmp(url, HTTP, strlen(HTTP)) != 0)
        return "the address is not https://...";
    *ret_rest = url + strlen(HTTP);
    return allow_http ? NULL : "the address is http, which this endpoint does not permit";
}

/* `rest`: behind the scheme. */
static const char *split(const char *rest, struct parts *ret_parts)
{
    size_t size = strcspn(rest, "/?#");
    ret_parts->path = rest + size;
    if (memchr(rest, '@', size))
        return "the address carries a user or password";
    if (strpbrk(ret_parts->path, "?#"))
        return "the address has a query or fragment";
    if (memchr(rest, '%', size))
        return memchr(rest, '[', size) ? "the address has a zone"
                                       : "the host is written with percent signs";
    const char *end = memchr(rest, ']', size);
    const char *colon = memchr(end ? end : rest, ':', size - (size_t)((end ? end : rest) - rest));
    ret_parts->host = rest;
    ret_parts->host_size = colon ? (size_t)(colon - rest) : size;
    ret_parts->port = colon ? colon + 1 : NULL;
    ret_parts->port_size = colon ? size - ret_parts->host_size - 1 : 0;
    return ret_parts->host_size > 0 ? NULL : "the address has no host";
}

static const char *check_port(const struct parts *parts)
{
    if (!parts->port)
        return NULL;
    bool digits = is_alone(parts->port, parts->port_size, "0123456789");
    if (!digits || parts->port_size == 0 || parts->port_size > 5 || parts->port[0] == '0' ||
        strtol(parts->port, NULL, 10) > PORT_MAX)
        return "the port is not a number from 1 to 65535";
    return NULL;
}

/* libcurl would take ".." out, whatever the reader thought. */
static const char *check_path(const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t size = strcspn(slash + 1, "/");
        if (size > 0 && size <= 2 && is_alone(slash + 1, size, "."))
            return "the path has . or .. in it";
    }
    for (const char *sign = strchr(path, '%'); sign; sign = strchr(sign + 1, '%')) {
        if (!isxdigit((unsigned char)sign[1]) || !isxdigit((unsigned char)sign[2]))
            return "the path has a percent sign without two hexadecimal digits";
    }
    return NULL;
}

/* Programs take a last label of digits, or one that begins with 0x, for an address. */
static bool is_number(const char *label)
{
    if (label[0] == '0' && label[1] == 'x')
        return is_alone(label + 2, strlen(label + 2), "0123456789abcdef");
    return is_alone(label, strlen(label), "0123456789");
}

static const char *check_name(const char *host)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *label = host;
    for (;;) {
        size_t size = strcspn(label, ".");
        bool last = label[size] == '\0';
        if (size == 0)
            return last && label > host ? "the host ends in a dot" : "the host is not a name";
        for (size_t i = 0; i < size; i++) {
            if (isupper((unsigned char)label[i]))
                return "the host is not in lower case";
        }
        if (last && is_number(label))
            return "the host is a number that stands for an address: write it as 203.0.113.7";
        if (size > LABEL_MAX || !is_alone(label, size, LETTERS) || label[0] == '-' ||
            label[size - 1] == '-')
            return "the host is not a name";
        if (last)
            return NULL;
        label += size + 1;
    }
}

/* An address must be public or permitted, and stand there as we write it ourselves. */
static const char *check_literal(const struct sockaddr_storage *address, const char *host,
                                 const struct networks *allowed,
                                 char fault[static CALLBACK_URL_FAULT_SIZE])
{
    char text[ADDRESS_TEXT_SIZE];
    address_text((const struct sockaddr *)address, text);
    const char *refusal = address_refusal((const struct sockaddr *)address, allowed);
    if (refusal)
        (void)snprintf(fault, CALLBACK_URL_FAULT_SIZE, "address %s is refused: %s", text, refusal);
    else if (strcmp(text, host) != 0)
        (void)snprintf(fault, CALLBACK_URL_FAULT_SIZE, "the host is not written as [%s]", text);
    else
        return NULL;
    return fault;
}

static const char *check_host(const struct parts *parts, const struct networks *allowed,
                              struct callback_url *ret_url,
                              char fault[static CALLBACK_URL_FAULT_SIZE])
{
    bool brackets = parts->host[0] == '[';
    size_t size = parts->host_size - (brackets ? 2 : 0);
    if (brackets && (parts->host_size < 2 || parts->host[parts->host_size - 1] != ']'))
        return "the host is not an IPv6 address in brackets";
    if (size >= sizeof(ret_url->host))
        return "the host is not a name";
    memcpy(ret_url->host, parts->host + (brackets ? 1 : 0), size);
    ret_url->host[size] = '\0';
    struct sockaddr_storage address = {0};
    ret_url->literal = address_parse(ret_url->host, &address);
    if (brackets != (ret_url->literal && address.ss_family == AF_INET6))
        return brackets ? "the host is not an IPv6 address in brackets" : "the host is not a name";
    return ret_url->literal ? check_literal(&address, ret_url->host, allowed, fault)
                            : check_name(ret_url->host);
}

static void url_free(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void part_free(char **part)
{
    curl_free(*part);
}

static bool reads(CURLU *url, CURLUPart part, const char *text, size_t size)
{
    char *read _cleanup_(part_free) = NULL;
    return curl_url_get(url, part, &read, 0) == CURLUE_OK && strlen(read) == size &&
           memcmp(read, text, size) == 0;
}

/* The last word has the one who connects. */
static const char *check_with_libcurl(const char *text, const struct parts *parts)
{
    CURLU *url _cleanup_(url_free) = curl_url();
    if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
        return "the address is not a URL";
    if (!reads(url, CURLUPART_HOST, parts->host, parts->host_size) ||
        (parts->port && !reads(url, CURLUPART_PORT, parts->port, parts->port_size)))
        return "the address is read in two ways";
    return NULL;
}

bool callback_url_check(const char *url, const struct callback_url_rules *rules,
                        struct callback_url *ret_url,
                        char ret_fault[static CALLBACK_URL_FAULT_SIZE])
{
    struct parts parts = {0};
    const char *rest = "";
    char literal_fault[CALLBACK_URL_FAULT_SIZE];
    const char *fault = check_characters(url ? url : "");
    if (!fault)
        fault = check_scheme(url, rules->allow_http, &rest);
    if (!fault)
        fault = split(rest, &parts);
    if (!fault)
        fault = check_port(&parts);
    if (!fault)
        fault = check_path(parts.path);
    if (!fault)
        fault = check_host(&parts, rules->allowed, ret_url, literal_fault);
    if (!fault)
        fault = check_with_libcurl(url, &parts);
    if (fault)
        (void)snprintf(ret_fault, CALLBACK_URL_FAULT_SIZE, "%s", fault);
    return !fault;
}
