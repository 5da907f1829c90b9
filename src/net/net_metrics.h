/* net_metrics.h - what a listener counts, each with the label listener=NAME. Only for src/net. */
#ifndef VENDGATE_NET_NET_METRICS_H
#define VENDGATE_NET_NET_METRICS_H

#include "base/metrics.h"
#include "net/listener.h"

enum net_refusal {
    NET_REFUSED_LIMIT,         /* connections_max */
    NET_REFUSED_ADDRESS_LIMIT, /* connections_per_address_max */
    NET_REFUSED_BY_OWNER,      /* `opened` gave NULL */
    NET_REFUSED_RESOURCES,     /* out of descriptors, or OpenSSL out of memory */
    NET_REFUSAL_COUNT
};

enum net_handshake_result {
    NET_HANDSHAKE_FULL,
    NET_HANDSHAKE_RESUMED,
    NET_HANDSHAKE_FAILED,
    NET_HANDSHAKE_LATE, /* not done within handshake_ms */
    NET_HANDSHAKE_COUNT
};

struct net_metrics {
    struct metric_cell *accepted, *open, *handshake_seconds, *received_bytes, *sent_bytes;
    struct metric_cell *refused[NET_REFUSAL_COUNT];
    struct metric_cell *handshakes[NET_HANDSHAKE_COUNT];
    struct metric_cell *closed[NET_CLOSED_SHUTDOWN + 1]; /* by enum net_close_reason */
};

void net_metrics_init(struct net_metrics *cells, struct metrics *metrics, const char *listener);

#endif
