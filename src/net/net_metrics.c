#include "net/net_metrics.h"

#include "base/macros.h"

enum {
    ACCEPTED,
    OPEN,
    REFUSED,
    CLOSED,
    HANDSHAKES,
    HANDSHAKE_SECONDS,
    RECEIVED_BYTES,
    SENT_BYTES,
    DEF_COUNT
};

static const struct metric_def DEFS[DEF_COUNT] = {
    [ACCEPTED] = {"vendgate_net_accepted_total",
                  METRIC_COUNTER,
                  "Connections taken from the kernel, the refused ones included.",
                  {"listener"},
                  NULL},
    [OPEN] = {"vendgate_net_connections",
              METRIC_GAUGE,
              "Connections now, from accept to close.",
              {"listener"},
              NULL},
    [REFUSED] = {"vendgate_net_refused_total",
                 METRIC_COUNTER,
                 "Connections closed by a limit or by their owner.",
                 {"listener", "reason"},
                 NULL},
    [CLOSED] = {"vendgate_net_closed_total",
                METRIC_COUNTER,
                "Connections that had been opened, by how they ended.",
                {"listener", "reason"},
                NULL},
    [HANDSHAKES] = {"vendgate_net_handshakes_total",
                    METRIC_COUNTER,
                    "TLS handshakes by result.",
                    {"listener", "result"},
                    NULL},
    [HANDSHAKE_SECONDS] = {"vendgate_net_handshake_seconds",
                           METRIC_HISTOGRAM,
                           "Accept to finished handshake, the peer's round trips included.",
                           {"listener"},
                           NULL},
    [RECEIVED_BYTES] = {"vendgate_net_received_bytes_total",
                        METRIC_COUNTER,
                        "Payload read, without TLS's own bytes.",
                        {"listener"},
                        NULL},
    [SENT_BYTES] = {"vendgate_net_sent_bytes_total",
                    METRIC_COUNTER,
                    "Payload written, without TLS's own bytes.",
                    {"listener"},
                    NULL},
};

static const char *const REFUSALS[NET_REFUSAL_COUNT] = {
    [NET_REFUSED_LIMIT] = "limit",
    [NET_REFUSED_ADDRESS_LIMIT] = "address_limit",
    [NET_REFUSED_BY_OWNER] = "owner",
    [NET_REFUSED_RESOURCES] = "resources",
};

static const char *const RESULTS[NET_HANDSHAKE_COUNT] = {
    [NET_HANDSHAKE_FULL] = "full",
    [NET_HANDSHAKE_RESUMED] = "resumed",
    [NET_HANDSHAKE_FAILED] = "failed",
    [NET_HANDSHAKE_LATE] = "late",
};

static const char *const ENDS[NET_CLOSED_SHUTDOWN + 1] = {
    [NET_CLOSED_BY_PEER] = "peer",      [NET_CLOSED_BY_US] = "us",
    [NET_CLOSED_RESET] = "reset",       [NET_CLOSED_OVERFLOW] = "overflow",
    [NET_CLOSED_SHUTDOWN] = "shutdown",
};

void net_metrics_init(struct net_metrics *cells, struct metrics *metrics, const char *listener)
{
    metrics_declare(metrics, DEFS, DEF_COUNT);
    cells->accepted = metrics_cell(metrics, &DEFS[ACCEPTED], listener);
    cells->open = metrics_cell(metrics, &DEFS[OPEN], listener);
    cells->handshake_seconds = metrics_cell(metrics, &DEFS[HANDSHAKE_SECONDS], listener);
    cells->received_bytes = metrics_cell(metrics, &DEFS[RECEIVED_BYTES], listener);
    cells->sent_bytes = metrics_cell(metrics, &DEFS[SENT_BYTES], listener);
    for (size_t i = 0; i < ARRAY_SIZE(REFUSALS); i++)
        cells->refused[i] = metrics_cell(metrics, &DEFS[REFUSED], listener, REFUSALS[i]);
    for (size_t i = 0; i < ARRAY_SIZE(RESULTS); i++)
        cells->handshakes[i] = metrics_cell(metrics, &DEFS[HANDSHAKES], listener, RESULTS[i]);
    for (size_t i = NET_CLOSED_BY_PEER; i < ARRAY_SIZE(ENDS); i++)
        cells->closed[i] = metrics_cell(metrics, &DEFS[CLOSED], listener, ENDS[i]);
}
