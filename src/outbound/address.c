#include "outbound/address.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

struct block {
    struct network network;
    const char *what;
};

#define BLOCK_4(what_, bits_, ...)             \
    {                                          \
        {AF_INET, {__VA_ARGS__}, bits_}, what_ \
    }
#define BLOCK_6(what_, bits_, ...)              \
    {                                           \
        {AF_INET6, {__VA_ARGS__}, bits_}, what_ \
    }

/* Where the clouds' machines read who they are and their credentials: AWS (and those that copied
 * it), its containers, Oracle, Alibaba, Azure; AWS and Google over IPv6. */
static const struct block METADATA[] = {
    BLOCK_4("cloud metadata", 32, 169, 254, 169, 254),
    BLOCK_4("cloud metadata", 32, 169, 254, 170, 2),
    BLOCK_4("cloud metadata", 32, 192, 0, 0, 192),
    BLOCK_4("cloud metadata", 32, 100, 100, 100, 200),
    BLOCK_4("cloud metadata", 32, 168, 63, 129, 16),
    BLOCK_6("cloud metadata", 128, 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54),
    BLOCK_6("cloud metadata", 128, 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54),
};

/* The first match counts; whatever matches none and is IPv6 outside 2000::/3 is reserved. */
static const struct block BLOCKS[] = {
    BLOCK_4("unspecified", 32, 0),
    BLOCK_4("reserved", 8, 0),
    BLOCK_4("private", 8, 10),
    BLOCK_4("shared (CGNAT)", 10, 100, 64),
    BLOCK_4("loopback", 8, 127),
    BLOCK_4("link-local", 16, 169, 254),
    BLOCK_4("private", 12, 172, 16),
    BLOCK_4("reserved", 24, 192, 0, 0),
    BLOCK_4("documentation", 24, 192, 0, 2),
    BLOCK_4("AS112", 24, 192, 31, 196),
    BLOCK_4("AMT", 24, 192, 52, 193),
    BLOCK_4("6to4 relay", 24, 192, 88, 99),
    BLOCK_4("private", 16, 192, 168),
    BLOCK_4("AS112", 24, 192, 175, 48),
    BLOCK_4("benchmark", 15, 198, 18),
    BLOCK_4("documentation", 24, 198, 51, 100),
    BLOCK_4("documentation", 24, 203, 0, 113),
    BLOCK_4("multicast", 4, 224),
    BLOCK_4("broadcast", 32, 255, 255, 255, 255),
    BLOCK_4("reserved", 4, 240),

    BLOCK_6("loopback", 128, [15] = 1),
    BLOCK_6("unspecified", 128, 0),
    BLOCK_6("IPv4-mapped", 96, [10] = 0xff, [11] = 0xff),
    BLOCK_6("IPv4-translated", 96, [8] = 0xff, [9] = 0xff),
    BLOCK_6("IPv4-compatible", 96, 0),
    BLOCK_6("NAT64", 96, 0x00, 0x64, 0xff, 0x9b),
    BLOCK_6("NAT64", 48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01),
    BLOCK_6("Teredo", 32, 0x20, 0x01),
    BLOCK_6("reserved", 23, 0x20, 0x01), /* ORCHID, benchmark, AS112 ... */
    BLOCK_6("documentation", 32, 0x20, 0x01, 0x0d, 0xb8),
    BLOCK_6("6to4", 16, 0x20, 0x02),
    BLOCK_6("AS112", 48, 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00),
    BLOCK_6("documentation", 20, 0x3f, 0xff),
    BLOCK_6("private", 7, 0xfc),
    BLOCK_6("link-local", 10, 0xfe, 0x80),
    BLOCK_6("site-local", 10, 0xfe, 0xc0),
    BLOCK_6("multicast", 8, 0xff),
};

static const struct network GLOBAL_6 = {AF_INET6, {0x20}, 3};

/* Where in an IPv6 address of these networks the IPv4 one stands. */
static const struct {
    struct network network;
    size_t offset;
} HIDING[] = {
    {{AF_INET6, {[10] = 0xff, [11] = 0xff}, 96}, 12},
    {{AF_INET6, {[8] = 0xff, [9] = 0xff}, 96}, 12},
    {{AF_INET6, {0}, 96}, 12},
    {{AF_INET6, {0x00, 0x64, 0xff, 0x9b}, 96}, 12},
    {{AF_INET6, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 96}, 12},
    {{AF_INET6, {0x20, 0x02}, 16}, 2},
};

static const char *find(const struct block *blocks, size_t count, int family, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (network_has(&blocks[i].network, family, bytes))
            return blocks[i].what;
    }
    return NULL;
}

static const char *metadata(int family, const uint8_t *bytes)
{
    for (size_t i = 0; i < ARRAY_SIZE(HIDING); i++) {
        const char *hidden = NULL;
        if (network_has(&HIDING[i].network, family, bytes))
            hidden = find(METADATA, ARRAY_SIZE(METADATA), AF_INET, bytes + HIDING[i].offset);
        if (hidden)
            return hidden;
    }
    return find(METADATA, ARRAY_SIZE(METADATA), family, bytes);
}

const char *address_refusal(const struct sockaddr *address, const struct networks *allowed)
{
    const uint8_t *bytes = network_bytes(address);
    if (!bytes)
        return "not an internet address";
    int family = address->sa_family;
    const char *what = metadata(family, bytes);
    if (what)
        return networks_have(allowed, address, family == AF_INET ? 32 : 128) ? NULL : what;
    what = find(BLOCKS, ARRAY_SIZE(BLOCKS), family, bytes);
    if (!what && family == AF_INET6 && !network_has(&GLOBAL_6, family, bytes))
        what = "reserved";
    return what && networks_have(allowed, address, 0) ? NULL : what;
}

void address_text(const struct sockaddr *address, char ret_text[static ADDRESS_TEXT_SIZE])
{
    const uint8_t *bytes = network_bytes(address);
    if (!bytes || !inet_ntop(address->sa_family, bytes, ret_text, ADDRESS_TEXT_SIZE))
        ret_text[0] = '\0';
}

bool address_parse(const char *text, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        memcpy(ret_address, &in, sizeof(in));
    else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
        memcpy(ret_address, &in6, sizeof(in6));
    else
        return false;
    return true;
}
