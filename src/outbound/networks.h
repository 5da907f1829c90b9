/* networks.h - a list of IP networks as a person writes it, "10.0.0.0/8,fd00::/8", and whether an
 * address is in it. Pure. */
#ifndef VENDGATE_OUTBOUND_NETWORKS_H
#define VENDGATE_OUTBOUND_NETWORKS_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define NETWORKS_MAX 64
#define NETWORKS_ERROR_SIZE 128

struct network {
    int family;         /* AF_INET or AF_INET6 */
    uint8_t prefix[16]; /* AF_INET: the first 4 */
    unsigned bits;      /* of the prefix that count */
};

/* Opaque; NULL is the empty list. */
struct networks;

/* Comma separated; without "/bits" it is one address. NULL or an empty text gives NULL. -EINVAL
 * with ret_error: not a network, bits set behind the prefix, or more than NETWORKS_MAX. The caller
 * frees. */
MUST_CHECK int networks_parse(const char *text, struct networks **ret_networks,
                              char ret_error[static NETWORKS_ERROR_SIZE]);
void networks_free(struct networks **networks);

/* Whether it is in one of them whose prefix has at least `bits_min` bits (0: any). An IPv4-mapped
 * address is an IPv6 one. */
bool networks_have(const struct networks *networks, const struct sockaddr *address,
                   unsigned bits_min);
bool network_has(const struct network *network, int family, const uint8_t *bytes);
/* The address's bytes in network order; NULL: not an internet address. */
const uint8_t *network_bytes(const struct sockaddr *address);

#endif
