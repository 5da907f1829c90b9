#include "outbound/networks.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct networks {
    size_t count;
    struct network networks[NETWORKS_MAX];
};

enum { NETWORK_TEXT_SIZE = INET6_ADDRSTRLEN + 4 };

bool network_has(const struct network *network, int family, const uint8_t *bytes)
{
    if (network->family != family)
        return false;
    size_t whole = network->bits / 8;
    if (memcmp(network->prefix, bytes, whole) != 0)
        return false;
    unsigned rest = network->bits % 8;
    return rest == 0 || ((network->prefix[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

const uint8_t *network_bytes(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (address->sa_family == AF_INET6)
        return (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return NULL;
}

bool networks_have(const struct networks *networks, const struct sockaddr *address,
                   unsigned bits_min)
{
    const uint8_t *bytes = network_bytes(address);
    if (!networks || !bytes)
        return false;
    for (size_t i = 0; i < networks->count; i++) {
        const struct network *network = &networks->networks[i];
        if (network->bits >= bits_min && network_has(network, address->sa_family, bytes))
            return true;
    }
    return false;
}

/* Decimal, at most `max`, without a leading zero. */
static bool parse_bits(const char *text, unsigned max, unsigned *ret_bits)
{
    unsigned value = 0;
    size_t size = strlen(text);
    if (size == 0 || size > 3 || (size > 1 && text[0] == '0'))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *ret_bits = value;
    return value <= max;
}

static bool is_clear_behind(const struct network *network, unsigned size_bits)
{
    for (unsigned bit = network->bits; bit < size_bits; bit++) {
        if (network->prefix[bit / 8] & (0x80 >> bit % 8))
            return false;
    }
    return true;
}

/* NULL: fine; else what is wrong (static). */
static const char *parse_one(char *text, struct network *ret_network)
{
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    if (inet_pton(AF_INET, text, ret_network->prefix) == 1)
        ret_network->family = AF_INET;
    else if (inet_pton(AF_INET6, text, ret_network->prefix) == 1)
        ret_network->family = AF_INET6;
    else
        return "is not a network";
    unsigned size_bits = ret_network->family == AF_INET ? 32 : 128;
    ret_network->bits = size_bits;
    if (slash && !parse_bits(slash + 1, size_bits, &ret_network->bits))
        return "is not a network";
    return is_clear_behind(ret_network, size_bits) ? NULL : "has bits set behind its prefix";
}

/* `text` is one network without a comma, `size` long. */
static int add(struct networks *networks, const char *text, size_t size,
               char ret_error[static NETWORKS_ERROR_SIZE])
{
    char copy[NETWORK_TEXT_SIZE];
    const char *fault = "is not a network";
    if (networks->count == NETWORKS_MAX) {
        (void)snprintf(ret_error, NETWORKS_ERROR_SIZE, "more than %d networks", NETWORKS_MAX);
        return -EINVAL;
    }
    if (size < sizeof(copy)) {
        memcpy(copy, text, size);
        copy[size] = '\0';
        fault = parse_one(copy, &networks->networks[networks->count]);
    }
    if (fault) {
        (void)snprintf(ret_error, NETWORKS_ERROR_SIZE, "\"%.*s\" %s",
                       (int)(size < sizeof(copy) ? size : sizeof(copy)), text, fault);
        return -EINVAL;
    }
    networks->count++;
    return 0;
}

int networks_parse(const char *text, struct networks **ret_networks,
                   char ret_error[static NETWORKS_ERROR_SIZE])
{
    if (!text || !*text) {
        *ret_networks = NULL;
        return 0;
    }
    _cleanup_(networks_free) struct networks *networks = memory_zero(1, sizeof(*networks));
    for (;;) {
        size_t size = strcspn(text, ",");
        int result = add(networks, text, size, ret_error);
        if (result < 0)
            return result;
        if (text[size] == '\0')
            break;
        text += size + 1;
    }
    *ret_networks = TAKE(networks);
    return 0;
}

void networks_free(struct networks **networks)
{
    free(TAKE(*networks));
}
