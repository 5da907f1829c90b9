#include "base/clock.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "gateway/reception.h"

#include <string.h>
#include <unistd.h>

static json_t *count_by_state(const struct broker_counts *counts)
{
    json_t *by_state = json_object();
    for (size_t i = TXN_LOCKING; i < TXN_STATE_COUNT; i++)
        if (!txn_state_final((enum txn_state)i))
            (void)json_object_set_new(by_state, txn_state_name((enum txn_state)i),
                                      json_integer((json_int_t)counts->by_state[i]));
    return by_state;
}

static json_t *render_transactions(const struct broker_counts *counts)
{
    return json_pack("{s:I, s:o, s:I}", "live", (json_int_t)counts->live, "by_state",
                     count_by_state(counts), "oldest_doubt_ms",
                     (json_int_t)counts->oldest_doubt_ms);
}

static json_t *render_machines(const struct gateway *gateway, const struct broker_counts *counts)
{
    return json_pack("{s:I, s:I}", "known",
                     (json_int_t)fleet_directory_count(gateway->parts.directory), "online",
                     (json_int_t)counts->machines_online);
}

static json_t *render_store(const struct store *store)
{
    bool ready = store_ready(store);
    return json_pack("{s:b, s:I, s:I}", "ready", ready, "instance_id",
                     (json_int_t)(ready ? store_instance_id(store) : 0), "pending",
                     (json_int_t)store_pending(store));
}

static json_t *render_http(const struct gateway *gateway)
{
    json_t *connections = json_object();
    for (size_t i = 0; i < SURFACE_COUNT; i++)
        if (gateway->surfaces[i])
            (void)json_object_set_new(
                connections, surface_name(gateway->surfaces[i]),
                json_integer((json_int_t)surface_connections(gateway->surfaces[i])));
    return json_pack("{s:I, s:o}", "requests", (json_int_t)gateway_requests(gateway), "connections",
                     connections);
}

void handle_status(struct request *request)
{
    const struct gateway *gateway = request->gateway;
    struct broker_counts counts;
    broker_count(gateway->parts.broker, &counts);
    const char *not_ready = gateway->draining ? "shutting down" : reception_not_ready(gateway);
    int64_t uptime_s = (clock_monotonic_ms() - gateway->started_ms) / 1000;
    json_t *status = json_pack(
        "{s:s?, s:b, s:s?, s:b, s:I, s:I, s:o, s:o, s:o, s:o}", "version", gateway->options.version,
        "ready", !not_ready, "not_ready_because", not_ready, "draining", gateway->draining, "pid",
        (json_int_t)getpid(), "uptime_s", (json_int_t)uptime_s, "store",
        render_store(gateway->parts.store), "machines", render_machines(gateway, &counts),
        "transactions", render_transactions(&counts), "http", render_http(gateway));
    assert(status);
    char *text = json_dumps(status, JSON_INDENT(2));
    json_decref(status);
    request_answer_body(request, MHD_HTTP_OK, "application/json", text, strlen(text));
}
