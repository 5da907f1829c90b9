/* link_metrics.h - what the machine link counts; the cells of hot paths are looked up once. */
#ifndef VENDGATE_MACHINE_LINK_LINK_METRICS_H
#define VENDGATE_MACHINE_LINK_LINK_METRICS_H

#include "base/metrics.h"
#include "machine_link/message.h"
#include "machine_link/mqtt_packet.h"

#define LINK_PHASES_MAX 8

/* What became of a command. */
enum command_outcome {
    COMMAND_OK = 1,
    COMMAND_REFUSED,
    COMMAND_EXPIRED,  /* its time was over before it could be sent */
    COMMAND_LOST,     /* the link went down before the PUBACK */
    COMMAND_REJECTED, /* the client refused the packet: PUBACK with an error, or its packet size
                         limit */
    COMMAND_CANCELLED,
    COMMAND_OUTCOME_COUNT
};

struct link_metrics {
    struct metrics *registry; /* borrowed */
    struct metric_cell *phases[LINK_PHASES_MAX];
    struct metric_cell *packets_in[MQTT_TYPE_COUNT], *packets_out[MQTT_TYPE_COUNT];
    struct metric_cell *bytes_in, *bytes_out;
    struct metric_cell *events[MACHINE_EVENT_KIND_COUNT];
    struct metric_cell *command_ack_seconds;
    struct metric_cell *replies_unmatched;
};

/* `phase_names` labels the gauges of connections by phase; entry 0 is unused. */
void link_metrics_init(struct link_metrics *metrics, struct metrics *registry,
                       const char *const *phase_names, size_t phase_count);
/* A refusal, of a connection or a packet, by a short word. */
void link_metrics_refused(struct link_metrics *metrics, const char *reason);
void link_metrics_down(struct link_metrics *metrics, const char *reason);
void link_metrics_command(struct link_metrics *metrics, enum machine_op op,
                          enum command_outcome outcome);

#endif
