#include "vendgated_config.h"

#include "base/macros.h"

#include <stddef.h>

#define KEY(section_, name_, kind_, standard_, min_, max_, member_, help_)                         \
    {                                                                                              \
        section_, name_, kind_, standard_, min_, max_, offsetof(struct vendgated_config, member_), \
            help_                                                                                  \
    }
#define TEXT(section_, name_, standard_, member_, help_) \
    KEY(section_, name_, CONFIG_TEXT, standard_, 0, 4096, member_, help_)
#define MS CONFIG_DURATION
#define SECOND 1000
#define MINUTE (60 * SECOND)

static const struct config_key KEYS[] = {
    TEXT("instance", "name", "vendgate", instance,
         "Name of this process in the database; two processes on one database need two names."),
    TEXT("log", "level", "info", log_level, "error, warning, notice, info or debug."),

    TEXT("store", "url", NULL, store.url, "PostgreSQL connection string, as libpq takes it."),
    TEXT("store", "password_file", "", store.password_file,
         "File that holds the database password, for example a systemd credential; empty: as the "
         "url says."),
    KEY("store", "batch", CONFIG_INTEGER, "128", 1, 1024, store.batch,
        "Most operations that share one commit."),
    KEY("store", "queue", CONFIG_INTEGER, "20000", 100, 1000000, store.queue,
        "Most operations waiting for a commit; further calls get STORE_UNAVAILABLE."),
    KEY("store", "statement_timeout", MS, "5s", 100, 60 * SECOND, store.statement_timeout_ms,
        "PostgreSQL gives a statement up after this; a server silent for twice as long counts as "
        "lost."),
    KEY("store", "connect_timeout", MS, "5s", 100, 60 * SECOND, store.connect_timeout_ms,
        "One attempt to reach the server's host; six times as long for its server to let us in."),
    KEY("store", "heartbeat", MS, "2s", 200, 60 * SECOND, store.heartbeat_ms,
        "How often this process shows that it lives."),
    KEY("store", "lease", MS, "15s", 2 * SECOND, 10 * 60 * SECOND, store.lease_ms,
        "A process that has not shown that it lives for so long sends no callbacks, and another "
        "takes them over; the same for all processes on one database, at least three heartbeats."),

    TEXT("machines", "address", "::", machines.address,
         "Where machines connect with MQTT over TLS."),
    KEY("machines", "port", CONFIG_INTEGER, "8883", 0, 65535, machines.port,
        "TCP port; 0: the kernel chooses."),
    TEXT("machines", "certificate", NULL, machines.certificate_file,
         "PEM chain that the gateway shows to machines."),
    TEXT("machines", "key", NULL, machines.key_file, "PEM key of that certificate."),
    TEXT("machines", "client_ca", NULL, machines.client_ca_file,
         "PEM file of the CAs that sign machines' certificates."),
    KEY("machines", "connections", CONFIG_INTEGER, "20000", 1, 200000, machines.connections,
        "Most connections at once."),
    KEY("machines", "connections_per_address", CONFIG_INTEGER, "20000", 1, 200000,
        machines.connections_per_address,
        "Most connections from one address; cellular networks hide thousands of machines behind "
        "one."),
    KEY("machines", "handshakes", CONFIG_INTEGER, "64", 1, 10000, machines.handshakes,
        "Most TLS handshakes at once; others wait in the kernel."),
    KEY("machines", "handshake", MS, "10s", SECOND, 60 * SECOND, machines.handshake_ms,
        "Time for one TLS handshake."),
    KEY("machines", "keep_alive", MS, "30s", 10 * SECOND, 600 * SECOND, link.keep_alive_ms,
        "Keep-alive that MQTT 5 machines are told."),
    KEY("machines", "command_ack", MS, "15s", 2 * SECOND, 60 * SECOND, link.command_ack_ms,
        "A command without PUBACK for this long closes the connection: it is half-open."),
    KEY("machines", "welcome", MS, "10s", 2 * SECOND, 600 * SECOND, link.welcome_ms,
        "Time for a machine to subscribe and to answer hello; long where a person plays the "
        "machine."),
    KEY("machines", "takeovers", CONFIG_INTEGER, "5", 1, 1000, link.takeovers_per_minute,
        "Takeovers of one machine's connection in a minute before new ones are refused for a "
        "minute."),
    KEY("machines", "tokens", CONFIG_BOOL, "no", 0, 1, link.tokens,
        "Whether machines without a client certificate may connect (they still need a token of "
        "their own)."),

    TEXT("api", "address", "::", api.address, "Where integrators call over HTTPS."),
    KEY("api", "port", CONFIG_INTEGER, "443", 0, 65535, api.port,
        "TCP port; 0: the kernel chooses."),
    TEXT("api", "certificate", NULL, api.certificate_file, "PEM chain that the API shows."),
    TEXT("api", "key", NULL, api.key_file, "PEM key of that certificate."),
    KEY("api", "connections", CONFIG_INTEGER, "2000", 1, 200000, api.connections,
        "Most connections at once; each takes three descriptors."),
    KEY("api", "connections_per_address", CONFIG_INTEGER, "500", 1, 200000,
        api.connections_per_address, "Most connections from one address."),
    KEY("api", "handshakes", CONFIG_INTEGER, "64", 1, 10000, api.handshakes,
        "Most TLS handshakes at once."),
    KEY("api", "handshake", MS, "10s", SECOND, 60 * SECOND, api.handshake_ms,
        "Time for one TLS handshake."),
    KEY("api", "head", CONFIG_SIZE, "8KiB", 1024, 32768, http.head_bytes,
        "Largest head of a request."),
    KEY("api", "body", CONFIG_SIZE, "64KiB", 1024, 1048576, http.body_bytes,
        "Largest body of a request."),
    KEY("api", "head_time", MS, "10s", SECOND, 60 * SECOND, http.head_ms,
        "Time for a request's head to arrive."),
    KEY("api", "body_time", MS, "10s", SECOND, 60 * SECOND, http.body_ms,
        "Time for a request's body to arrive."),
    KEY("api", "idle", MS, "2min", SECOND, 3600 * SECOND, http.idle_ms,
        "How long a connection may stay open between requests."),
    KEY("api", "requests", CONFIG_INTEGER, "5000", 1, 1000000, http.requests,
        "Most requests under way; further ones get 429."),
    KEY("api", "calls", CONFIG_INTEGER, "10000", 1, 1000000, http.calls,
        "Most calls waiting for a step; further ones get RATE_LIMITED."),
    KEY("api", "request_time", MS, "10s", SECOND, 60 * SECOND, http.request_ms,
        "A call whose step is not on disk by then is answered OUTCOME_UNKNOWN."),

    TEXT("private", "address", "127.0.0.1", private_surface.address,
         "Where /metrics, /livez and /readyz are served without TLS; keep it private."),
    KEY("private", "port", CONFIG_INTEGER, "9464", 0, 65535, private_surface.port,
        "TCP port; 0: the kernel chooses."),
    TEXT("admin", "socket", "/run/vendgate/admin.sock", admin.socket,
         "UNIX socket of the admin API; only root and the daemon's own user may use it."),

    KEY("timers", "lock_ack", MS, "5s", SECOND, 30 * SECOND, timers.lock_ack_ms,
        "The machine must accept a lock within this (MDB's non-response time)."),
    KEY("timers", "selection", MS, "60s", 15 * SECOND, 300 * SECOND, timers.selection_ms,
        "Time for the customer to choose; told to integrators as timeout."),
    KEY("timers", "payment", MS, "30s", 5 * SECOND, 120 * SECOND, timers.payment_ms,
        "From the selection to /api/paid; a less patient machine shortens it."),
    KEY("timers", "approve_ack", MS, "5s", 2 * SECOND, 15 * SECOND, timers.approve_ack_ms,
        "An approval without an answer is sent again after this."),
    KEY("timers", "approve_ttl", MS, "15s", 5 * SECOND, 60 * SECOND, timers.approve_ttl_ms,
        "How long an approval is valid on the machine's clock."),
    KEY("timers", "vend", MS, "2min", 30 * SECOND, 3600 * SECOND, timers.vend_ms,
        "From the approval taken to its result."),
    KEY("timers", "doubt", MS, "15min", MINUTE, 1440 * MINUTE, timers.doubt_ms,
        "How long an unknown outcome may stay open before the operator's policy decides."),
    KEY("timers", "recovery_grace", MS, "2min", 30 * SECOND, 600 * SECOND, timers.recovery_grace_ms,
        "After a start no deadline of a paid transaction fires before this."),
    KEY("timers", "offline_grace", MS, "10s", SECOND, 600 * SECOND, timers.offline_grace_ms,
        "A lost link counts only when it was not renewed within this."),
    KEY("timers", "query_every", MS, "30s", SECOND, 600 * SECOND, timers.query_every_ms,
        "How often a connected machine is asked about an unknown outcome."),

    KEY("outbound", "connections", CONFIG_INTEGER, "1024", 1, 10000, outbound.connections,
        "Most callbacks on their way to integrators at once, each on a connection of its own; idle "
        "ones "
        "are kept for a minute beside them."),
    KEY("outbound", "connections_per_endpoint", CONFIG_INTEGER, "32", 1, 1000,
        outbound.connections_per_endpoint, "Most connections to one integrator."),
    KEY("outbound", "queue", CONFIG_INTEGER, "100000", 1000, 10000000, outbound.queue,
        "Callbacks held in memory; the rest waits in the database."),
    KEY("outbound", "endpoint_queue", CONFIG_INTEGER, "1000", 100, 100000, outbound.endpoint_queue,
        "Callbacks held in memory for one integrator; the rest waits in the database."),
    TEXT("outbound", "dns_servers", "", outbound.dns_servers,
         "Name servers for integrators' hosts, address[:port] with commas; empty: as the system is "
         "set up."),
    TEXT("outbound", "proxy", "", outbound.proxy,
         "HTTP proxy for all callbacks, a URL; empty: none, whatever the environment says. With "
         "one, the proxy resolves and checks the addresses."),

    TEXT("secrets", "master_key_file", "", secrets.master_key_file,
         "File with the master key that seals integrators' secrets in the database; empty: the "
         "systemd credential master_key if there is one, else sealed secrets cannot be read."),
};

int vendgated_config_read(const char *path, struct vendgated_config *ret_config,
                          char ret_error[static CONFIG_ERROR_SIZE])
{
    return config_read(KEYS, ARRAY_SIZE(KEYS), path, ret_config, ret_error);
}

void vendgated_config_done(struct vendgated_config *config)
{
    config_done(KEYS, ARRAY_SIZE(KEYS), config);
}

void vendgated_config_example(FILE *out)
{
    config_write_example(KEYS, ARRAY_SIZE(KEYS), out);
}
