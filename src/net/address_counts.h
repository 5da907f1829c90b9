/* address_counts.h - how many connections each client address holds. Only for src/net.
 *
 * An IPv6 client owns a whole /64, so those are counted by their first 64 bits; an IPv4 address
 * that came over a dual-stack socket counts as IPv4. */
#ifndef VENDGATE_NET_ADDRESS_COUNTS_H
#define VENDGATE_NET_ADDRESS_COUNTS_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_count; /* one address in the table */
struct address_counts {
    struct address_count *table; /* empty: NULL */
};

/* One more of `address`. False: it already holds `max`, and nothing was counted. UNIX sockets are
 * never counted. */
MUST_CHECK bool address_counts_take(struct address_counts *counts,
                                    const struct sockaddr_storage *address, int64_t max);
/* One less, after a take that succeeded; the last one frees the entry. */
void address_counts_give(struct address_counts *counts, const struct sockaddr_storage *address);

#endif
