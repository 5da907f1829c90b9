#include "outbound/address.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

struct block {
    uint8_t prefix[16];
    unsigned bits;
    const char *what;
    bool private; /* lifted by allow_private */
};

static const struct block BLOCKS_4[] = {
    {{0}, 8, "reserved", false},
    {{10}, 8, "private", true},
    {{100, 64}, 10, "shared (CGNAT)", true},
    {{127}, 8, "loopback", true},
    {{169, 254}, 16, "link-local", true},
    {{172, 16}, 12, "private", true},
    {{192, 0, 0}, 24, "reserved", false},
    {{192, 0, 2}, 24, "documentation", false},
    {{192, 88, 99}, 24, "6to4 relay", false},
    {{192, 168}, 16, "private", true},
    {{198, 18}, 15, "benchmark", false},
    {{198, 51, 100}, 24, "documentation", false},
    {{203, 0, 113}, 24, "documentation", false},
    {{224}, 4, "multicast", false},
    {{240}, 4, "reserved", false},
};

/* The first match counts; whatever matches none and is not in 2000::/3 is reserved. */
static const struct block BLOCKS_6[] = {
    {{[15] = 1}, 128, "loopback", true},
    {{[10] = 0xff, [11] = 0xff}, 96, "IPv4-mapped", false},
    {{0}, 96, "IPv4-compatible", false},
    {{0x00, 0x64, 0xff, 0x9b}, 96, "NAT64", false},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "NAT64", false},
    {{0x20, 0x01}, 23, "reserved", false}, /* Teredo, ORCHID, benchmark */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation", false},
    {{0x20, 0x02}, 16, "6to4", false},
    {{0x3f, 0xff}, 20, "documentation", false},
    {{0xfc}, 7, "private", true},
    {{0xfe, 0x80}, 10, "link-local", true},
    {{0xff}, 8, "multicast", false},
};

static const struct block GLOBAL_6 = {{0x20}, 3, "global", false};

static bool block_has(const struct block *block, const uint8_t *bytes)
{
    size_t whole = block->bits / 8;
    if (memcmp(block->prefix, bytes, whole) != 0)
        return false;
    unsigned rest = block->bits % 8;
    return rest == 0 || ((block->prefix[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

static const struct block *find(const struct block *blocks, size_t count, const uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (block_has(&blocks[i], bytes))
            return &blocks[i];
    }
    return NULL;
}

const char *address_refusal(const struct sockaddr *address, bool allow_private)
{
    const struct block *block = NULL;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        block = find(BLOCKS_4, ARRAY_SIZE(BLOCKS_4), (const uint8_t *)&in.sin_addr);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof(in));
        block = find(BLOCKS_6, ARRAY_SIZE(BLOCKS_6), in.sin6_addr.s6_addr);
        if (!block && !block_has(&GLOBAL_6, in.sin6_addr.s6_addr))
            return "reserved";
    } else {
        return "not an internet address";
    }
    return !block || (block->private && allow_private) ? NULL : block->what;
}

void address_text(const struct sockaddr *address, char ret_text[static ADDRESS_TEXT_SIZE])
{
    const void *bytes =
        address->sa_family == AF_INET6
            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (!inet_ntop(address->sa_family, bytes, ret_text, ADDRESS_TEXT_SIZE))
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
