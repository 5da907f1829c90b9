/* endpoint.c - where and how an integrator's callbacks go. */
#include "vendctl/endpoint.h"

#include "base/memory.h"
#include "outbound/callback_url.h"
#include "vendctl/commands.h"

#include <stdlib.h>
#include <string.h>

/* What --allow-private opens. Not link-local addresses: there the clouds keep their machines'
 * metadata. */
#define PRIVATE_NETWORKS \
    "10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7"

enum { PIN_HASH_SIZE = 44 /* base64 of 32 bytes */, RATE_DIGITS_MAX = 6 };

/* Given, else as it was; NULL: none. */
static const char *setting(const struct invocation *invocation, const char *option,
                           const json_t *current)
{
    const char *text = invocation_option(invocation, option);
    if (!text)
        text = json_string_value(json_object_get(current, option));
    return text && *text && strcmp(text, "none") != 0 ? text : NULL;
}

/* A flag with `integrator add`; yes or no where there is something to change. */
static int read_allow_http(const struct invocation *invocation, const json_t *current,
                           bool *ret_allow)
{
    const char *text = invocation_option(invocation, "allow-http");
    bool flag = text && !*text;
    if (!text)
        text = json_string_value(json_object_get(current, "allow-http"));
    if (text && !flag && strcmp(text, "yes") != 0 && strcmp(text, "no") != 0) {
        complain("--allow-http is yes or no");
        return 2;
    }
    *ret_allow = flag || (text && strcmp(text, "yes") == 0);
    return 0;
}

static char *read_networks(const struct invocation *invocation, const json_t *current)
{
    bool private = invocation_flag(invocation, "allow-private");
    bool given = invocation_option(invocation, "allow-cidr") != NULL;
    const char *list = private && !given ? NULL : setting(invocation, "allow-cidr", current);
    if (!private)
        return memory_text(list);
    return memory_format("%s%s%s", PRIVATE_NETWORKS, list ? "," : "", list ? list : "");
}

static bool is_pin(const char *text, size_t size)
{
    static const char START[] = "sha256//";
    static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return size == strlen(START) + PIN_HASH_SIZE && strncmp(text, START, strlen(START)) == 0 &&
           strspn(text + strlen(START), BASE64) == PIN_HASH_SIZE - 1 && text[size - 1] == '=';
}

static bool are_pins(const char *list)
{
    for (;;) {
        size_t size = strcspn(list, ",");
        if (!is_pin(list, size))
            return false;
        if (list[size] == '\0')
            return true;
        list += size + 1;
    }
}

static bool is_rate(const char *text)
{
    size_t size = strlen(text);
    return size <= RATE_DIGITS_MAX && strspn(text, "0123456789") == size;
}

/* Usage: what no address and no network can be blamed for. */
static int check_options(const struct endpoint_settings *settings)
{
    if (!settings->cert_file != !settings->key_file) {
        complain("--client-cert and --client-key go together");
        return 2;
    }
    if (settings->pins && !are_pins(settings->pins)) {
        complain("--pin is sha256//... (the base64 of 32 bytes), several with commas");
        return 2;
    }
    if (!is_rate(settings->rate)) {
        complain("--rate is 0 (no limit) to 999999 a second");
        return 2;
    }
    return 0;
}

static const char *hint(const struct endpoint_settings *settings, const char *fault)
{
    if (!settings->allow_http && strstr(fault, "the address is http,"))
        return " (--allow-http permits it)";
    return strstr(fault, " is refused: ") ? " (--allow-cidr permits networks)" : "";
}

static int check_url(const struct endpoint_settings *settings, struct callback_url *ret_url)
{
    struct networks *allowed = NULL;
    char error[NETWORKS_ERROR_SIZE], fault[CALLBACK_URL_FAULT_SIZE];
    if (networks_parse(settings->networks, &allowed, error) < 0) {
        complain("--allow-cidr: %s", error);
        return 2;
    }
    const struct callback_url_rules rules = {settings->allow_http, allowed};
    bool fine = callback_url_check(settings->url, &rules, ret_url, fault);
    networks_free(&allowed);
    if (!fine)
        complain("--callback-url: %s%s", fault, hint(settings, fault));
    return fine ? 0 : 1;
}

int endpoint_settings_read(const struct invocation *invocation, const json_t *current,
                           struct endpoint_settings *ret_settings)
{
    const char *rate = setting(invocation, "rate", current);
    *ret_settings = (struct endpoint_settings){
        .url = memory_text(setting(invocation, "callback-url", current)),
        .ca_file = memory_text(setting(invocation, "callback-ca", current)),
        .networks = read_networks(invocation, current),
        .cert_file = memory_text(setting(invocation, "client-cert", current)),
        .key_file = memory_text(setting(invocation, "client-key", current)),
        .pins = memory_text(setting(invocation, "pin", current)),
        .rate = memory_text(rate ? rate : "0"),
    };
    struct callback_url url;
    int status = read_allow_http(invocation, current, &ret_settings->allow_http);
    if (status == 0)
        status = check_options(ret_settings);
    return status == 0 ? check_url(ret_settings, &url) : status;
}

void endpoint_settings_done(struct endpoint_settings *settings)
{
    free(settings->url);
    free(settings->ca_file);
    free(settings->networks);
    free(settings->cert_file);
    free(settings->key_file);
    free(settings->pins);
    free(settings->rate);
}

char *endpoint_array(const char *list)
{
    return memory_format("{%s}", list ? list : "");
}

char *endpoint_checked_later(const struct endpoint_settings *settings)
{
    struct callback_url url;
    if (check_url(settings, &url) != 0 || url.literal)
        return NULL;
    return memory_format("the addresses of %s, before each connection: %s", url.host,
                         settings->networks ? "public ones and those in allow_cidr are reached"
                                            : "only public ones are reached");
}

int command_integrator_endpoint(struct invocation *invocation)
{
    const char *name = invocation->operands[0];
    _cleanup_(memory_text_free) char *missing = memory_format("no integrator \"%s\"", name);
    struct endpoint_settings settings _cleanup_(endpoint_settings_done) = {0};
    json_t *rows =
        invocation_query_found(invocation, "endpoint_show", invocation->operands, 1, missing);
    if (!rows)
        return 1;
    int status = endpoint_settings_read(invocation, json_array_get(rows, 0), &settings);
    json_decref(rows);
    if (status != 0)
        return status;
    _cleanup_(memory_text_free) char *networks = endpoint_array(settings.networks);
    _cleanup_(memory_text_free) char *pins = endpoint_array(settings.pins);
    _cleanup_(memory_text_free) char *later = endpoint_checked_later(&settings);
    const char *const parameters[] = {
        name,          settings.url,       settings.ca_file,  settings.allow_http ? "t" : "f",
        networks,      settings.cert_file, settings.key_file, pins,
        settings.rate,
    };
    rows = invocation_query_found(invocation, "endpoint_set", parameters, ARRAY_SIZE(parameters),
                                  missing);
    if (rows && later)
        json_object_set_new(json_array_get(rows, 0), "checked_later", json_string(later));
    return invocation_finish_object(invocation, rows);
}
