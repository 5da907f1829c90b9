#include "machine_link/link_metrics.h"

enum {
    METRIC_PHASE = 0,
    METRIC_PACKETS,
    METRIC_BYTES,
    METRIC_REFUSED,
    METRIC_DOWN,
    METRIC_EVENTS,
    METRIC_COMMANDS,
    METRIC_ACK_SECONDS,
    METRIC_UNMATCHED,
    METRIC_COUNT
};

/* clang-format off */
static const struct metric_def METRICS[METRIC_COUNT] = {
    [METRIC_PHASE] = {"vendgate_machine_connections", METRIC_GAUGE, "Connections of machines by phase.", {"phase"}, NULL},
    [METRIC_PACKETS] = {"vendgate_machine_packets_total", METRIC_COUNTER, "MQTT packets by direction and type.", {"direction", "type"}, NULL},
    [METRIC_BYTES] = {"vendgate_machine_bytes_total", METRIC_COUNTER, "MQTT bytes by direction.", {"direction"}, NULL},
    [METRIC_REFUSED] = {"vendgate_machine_refusals_total", METRIC_COUNTER, "Connections, packets and messages that were refused.", {"reason"}, NULL},
    [METRIC_DOWN] = {"vendgate_machine_links_down_total", METRIC_COUNTER, "Ends of authenticated connections.", {"reason"}, NULL},
    [METRIC_EVENTS] = {"vendgate_machine_events_total", METRIC_COUNTER, "Events received, repeats included.", {"kind"}, NULL},
    [METRIC_COMMANDS] = {"vendgate_machine_commands_total", METRIC_COUNTER, "Commands to machines by op and outcome.", {"op", "outcome"}, NULL},
    [METRIC_ACK_SECONDS] = {"vendgate_machine_command_ack_seconds", METRIC_HISTOGRAM, "From sending a command to its PUBACK.", {NULL}, NULL},
    [METRIC_UNMATCHED] = {"vendgate_machine_replies_unmatched_total", METRIC_COUNTER, "Replies to no open command of the live connection: late, repeated or unknown.", {NULL}, NULL},
};

static const char *const OUTCOMES[COMMAND_OUTCOME_COUNT] = {
    [COMMAND_OK] = "ok",
    [COMMAND_REFUSED] = "refused",
    [COMMAND_EXPIRED] = "expired",
    [COMMAND_LOST] = "lost",
    [COMMAND_REJECTED] = "rejected",
    [COMMAND_CANCELLED] = "cancelled",
};
/* clang-format on */

void link_metrics_init(struct link_metrics *metrics, struct metrics *registry,
                       const char *const *phase_names, size_t phase_count)
{
    assert(phase_count <= LINK_PHASES_MAX);
    metrics_declare(registry, METRICS, METRIC_COUNT);
    metrics->registry = registry;
    for (size_t i = 1; i < phase_count; i++)
        metrics->phases[i] = metrics_cell(registry, &METRICS[METRIC_PHASE], phase_names[i]);
    for (int type = MQTT_CONNECT; type < MQTT_TYPE_COUNT; type++) {
        const char *name = mqtt_type_name((enum mqtt_type)type);
        metrics->packets_in[type] = metrics_cell(registry, &METRICS[METRIC_PACKETS], "in", name);
        metrics->packets_out[type] = metrics_cell(registry, &METRICS[METRIC_PACKETS], "out", name);
    }
    for (int kind = 0; kind < MACHINE_EVENT_KIND_COUNT; kind++)
        metrics->events[kind] =
            metrics_cell(registry, &METRICS[METRIC_EVENTS],
                         machine_event_kind_name((enum machine_event_kind)kind));
    metrics->bytes_in = metrics_cell(registry, &METRICS[METRIC_BYTES], "in");
    metrics->bytes_out = metrics_cell(registry, &METRICS[METRIC_BYTES], "out");
    metrics->command_ack_seconds = metrics_cell(registry, &METRICS[METRIC_ACK_SECONDS]);
    metrics->replies_unmatched = metrics_cell(registry, &METRICS[METRIC_UNMATCHED]);
}

void link_metrics_refused(struct link_metrics *metrics, const char *reason)
{
    metric_add(metrics_cell(metrics->registry, &METRICS[METRIC_REFUSED], reason), 1);
}

void link_metrics_down(struct link_metrics *metrics, const char *reason)
{
    metric_add(metrics_cell(metrics->registry, &METRICS[METRIC_DOWN], reason), 1);
}

void link_metrics_command(struct link_metrics *metrics, enum machine_op op,
                          enum command_outcome outcome)
{
    metric_add(metrics_cell(metrics->registry, &METRICS[METRIC_COMMANDS], machine_op_name(op),
                            OUTCOMES[outcome]),
               1);
}
