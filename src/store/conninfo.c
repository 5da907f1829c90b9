#include "store/conninfo.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_MAX 80 /* more than libpq has keywords */
#define ADDRESSES_MAX 8 /* of one host */

struct host {
    char *name; /* as given; empty: libpq's default */
    char *port; /* NULL: libpq's default */
    bool resolve;
    char addresses[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    size_t address_count;
};

struct conninfo {
    struct {
        char *keyword, *value;
    } settings[SETTINGS_MAX]; /* all but host, hostaddr and port if those are given by `hosts` */
    size_t setting_count;
    struct host *hosts;
    size_t host_count;
};

/* What a setting is when the string does not give it, unless the environment does (libpq's own
 * names). */
static const struct {
    const char *keyword, *value;
} STANDARDS[] = {
    {"gssencmode", "disable"}, /* looks for credentials with blocking calls */
    {"keepalives_idle", "10"}, {"keepalives_interval", "5"},
    {"keepalives_count", "3"}, {"tcp_user_timeout", "20000"},
};

static void setting_put(struct conninfo *conninfo, const char *keyword, const char *value)
{
    for (size_t i = 0; i < conninfo->setting_count; i++)
        if (!strcmp(conninfo->settings[i].keyword, keyword)) {
            free(conninfo->settings[i].value);
            conninfo->settings[i].value = memory_text(value);
            return;
        }
    assert(conninfo->setting_count < SETTINGS_MAX);
    conninfo->settings[conninfo->setting_count].keyword = memory_text(keyword);
    conninfo->settings[conninfo->setting_count++].value = memory_text(value);
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (!strcmp(options->keyword, keyword))
            return options->val;
    return NULL;
}

/* The item `index` of a comma-separated list; the last one counts for all behind it, as libpq has
 * it for ports. */
static char *list_item(const char *list, size_t index)
{
    if (!list)
        return NULL;
    const char *comma = strchr(list, ',');
    while (index > 0 && comma) {
        list = comma + 1;
        comma = strchr(list, ',');
        index--;
    }
    return comma ? memory_bytes(list, (size_t)(comma - list)) : memory_text(list);
}

static size_t list_count(const char *list)
{
    size_t count = 1;
    for (; *list; list++)
        count += *list == ',';
    return count;
}

static bool is_address(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static void hosts_put(struct conninfo *conninfo, const char *names, const char *ports)
{
    conninfo->host_count = list_count(names);
    conninfo->hosts = memory_zero(conninfo->host_count, sizeof(struct host));
    for (size_t i = 0; i < conninfo->host_count; i++) {
        struct host *host = &conninfo->hosts[i];
        host->name = list_item(names, i);
        host->port = list_item(ports, i);
        host->resolve = host->name[0] && host->name[0] != '/' && host->name[0] != '@' &&
                        !is_address(host->name);
    }
}

static const PQconninfoOption *first_given(const PQconninfoOption *given,
                                           const PQconninfoOption *standard, const char *keyword)
{
    return option_value(given, keyword) ? given : standard;
}

static void fill(struct conninfo *conninfo, const PQconninfoOption *given,
                 const PQconninfoOption *standard)
{
    for (size_t i = 0; i < ARRAY_SIZE(STANDARDS); i++)
        if (!option_value(given, STANDARDS[i].keyword))
            setting_put(conninfo, STANDARDS[i].keyword, STANDARDS[i].value);
    const char *names = option_value(first_given(given, standard, "host"), "host");
    bool ours = names && !option_value(first_given(given, standard, "hostaddr"), "hostaddr");
    if (ours)
        hosts_put(conninfo, names, option_value(first_given(given, standard, "port"), "port"));
    for (const PQconninfoOption *option = given; option->keyword; option++) {
        bool place = !strcmp(option->keyword, "host") || !strcmp(option->keyword, "port");
        if (option->val && !(ours && place))
            setting_put(conninfo, option->keyword, option->val);
    }
}

int conninfo_new(const char *text, const char *password, const char *application,
                 struct conninfo **ret_conninfo, char ret_error[static STORE_ERROR_SIZE])
{
    char *reason = NULL;
    PQconninfoOption *given = PQconninfoParse(text, &reason);
    if (!given) {
        snprintf(ret_error, STORE_ERROR_SIZE, "connection string: %s",
                 reason ? reason : "out of memory");
        PQfreemem(reason);
        return -EINVAL;
    }
    PQconninfoOption *standard = PQconndefaults();
    struct conninfo *conninfo = memory_zero(1, sizeof(*conninfo));
    fill(conninfo, given, standard);
    if (password)
        setting_put(conninfo, "password", password);
    if (application)
        setting_put(conninfo, "application_name", application);
    PQconninfoFree(given);
    PQconninfoFree(standard);
    *ret_conninfo = conninfo;
    return 0;
}

void conninfo_free(struct conninfo **conninfo)
{
    struct conninfo *old = TAKE(*conninfo);
    if (!old)
        return;
    for (size_t i = 0; i < old->setting_count; i++) {
        explicit_bzero(old->settings[i].value, strlen(old->settings[i].value));
        free(old->settings[i].value);
        free(old->settings[i].keyword);
    }
    for (size_t i = 0; i < old->host_count; i++) {
        free(old->hosts[i].name);
        free(old->hosts[i].port);
    }
    free(old->hosts);
    free(old);
}

size_t conninfo_host_count(const struct conninfo *conninfo)
{
    return conninfo->host_count;
}

const char *conninfo_host_name(const struct conninfo *conninfo, size_t host)
{
    return conninfo->hosts[host].resolve ? conninfo->hosts[host].name : NULL;
}

void conninfo_forget(struct conninfo *conninfo)
{
    for (size_t i = 0; i < conninfo->host_count; i++)
        conninfo->hosts[i].address_count = 0;
}

void conninfo_resolved(struct conninfo *conninfo, size_t host, const struct addrinfo *addresses)
{
    struct host *found = &conninfo->hosts[host];
    for (; addresses && found->address_count < ADDRESSES_MAX; addresses = addresses->ai_next)
        if (!getnameinfo(addresses->ai_addr, addresses->ai_addrlen,
                         found->addresses[found->address_count], INET6_ADDRSTRLEN, NULL, 0,
                         NI_NUMERICHOST))
            found->address_count++;
}

/* The lists that libpq takes, each with a comma behind every item. */
struct places {
    struct buffer hosts, addresses, ports;
};

static void list_add(struct buffer *list, const char *item)
{
    int result = buffer_format(list, "%s,", item);
    assert(result == 0); /* the buffer has no limit */
}

static void place_add(struct places *places, const struct host *host, const char *address)
{
    list_add(&places->hosts, host->name);
    list_add(&places->addresses, address);
    list_add(&places->ports, host->port ? host->port : "");
}

static const char *list_text(struct buffer *list)
{
    list->bytes[list->size - 1] = '\0';
    return (const char *)list->bytes;
}

static void places_fill(struct places *places, const struct conninfo *conninfo)
{
    for (size_t i = 0; i < conninfo->host_count; i++) {
        const struct host *host = &conninfo->hosts[i];
        if (!host->resolve)
            place_add(places, host, is_address(host->name) ? host->name : "");
        for (size_t j = 0; j < host->address_count; j++)
            place_add(places, host, host->addresses[j]);
    }
}

PGconn *conninfo_connect(const struct conninfo *conninfo)
{
    const char *keywords[SETTINGS_MAX + 4] = {NULL}, *values[SETTINGS_MAX + 4] = {NULL};
    size_t count = 0;
    for (; count < conninfo->setting_count; count++) {
        keywords[count] = conninfo->settings[count].keyword;
        values[count] = conninfo->settings[count].value;
    }
    struct places places;
    buffer_init(&places.hosts, SIZE_MAX);
    buffer_init(&places.addresses, SIZE_MAX);
    buffer_init(&places.ports, SIZE_MAX);
    places_fill(&places, conninfo);
    PGconn *connection = NULL;
    if (places.hosts.size) {
        keywords[count] = "host";
        values[count++] = list_text(&places.hosts);
        keywords[count] = "hostaddr";
        values[count++] = list_text(&places.addresses);
        keywords[count] = "port";
        values[count++] = list_text(&places.ports);
    }
    if (places.hosts.size || !conninfo->host_count)
        connection = PQconnectStartParams(keywords, values, 0);
    buffer_done(&places.hosts);
    buffer_done(&places.addresses);
    buffer_done(&places.ports);
    return connection;
}
