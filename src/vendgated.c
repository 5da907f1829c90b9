/* vendgated.c - the daemon: reads its configuration, builds the parts bottom up, runs the loop,
 * tears down top down.
 *
 * SIGHUP reads the certificates again; SIGTERM and SIGINT drain: no new locks, what was not paid is
 * closed, every step and callback outcome goes to disk, then the process ends. */
#include "vendgated_config.h"
#include "vendgated_parked.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process_metrics.h"
#include "base/timer.h"
#include "broker/broker.h"
#include "gateway/gateway.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#ifndef VENDGATE_VERSION
#define VENDGATE_VERSION "0.1.0"
#endif

#define DRAIN_MS 25000 /* below systemd's TimeoutStopSec */
#define STORE_CLOSE_MS 5000
#define ANSWERS_MS 2000 /* for clients to take the last answers */
#define ANSWERS_LOOK_MS 10
#define PASSWORD_MAX 1024
#define ERROR_SIZE 1024
#define REQUEST_MARGIN_MS \
    5000 /* the broker answers first; the gateway's own deadline is the net below */

struct daemon {
    uv_loop_t loop;
    struct vendgated_config config;
    struct metrics *metrics;
    struct process_metrics *process;
    struct store *store;
    struct vault *vault; /* NULL: no master key */
    struct people *people;
    struct fleet_directory *directory;
    struct net_tls *machine_tls, *api_tls;
    struct machine_link *link;
    struct outbound *outbound;
    struct broker *broker;
    struct gateway *gateway;
    struct parked_alarm *parked_alarm;
    uv_signal_t terminate, interrupt, hangup;
    struct timer *watchdog, *deadline, *answers;
    int64_t watchdog_ms;
    int64_t answers_until_ms; /* monotonic */
    bool stopping;
    char error[ERROR_SIZE];
};

static void password_read(const char *path, char ret_password[static PASSWORD_MAX])
{
    ret_password[0] = '\0';
    if (path[0] == '\0')
        return;
    FILE *file = fopen(path, "re");
    if (file && fgets(ret_password, PASSWORD_MAX, file))
        ret_password[strcspn(ret_password, "\r\n")] = '\0';
    if (file)
        fclose(file);
}

static int store_build(struct daemon *daemon)
{
    const struct vendgated_config *config = &daemon->config;
    char password[PASSWORD_MAX];
    password_read(config->store.password_file, password);
    struct store_options options = {
        .conninfo = config->store.url,
        .password = password[0] != '\0' ? password : NULL,
        .instance = config->instance,
        .batch_max = config->store.batch,
        .queue_max = config->store.queue,
        .statement_timeout_ms = config->store.statement_timeout_ms,
        .connect_timeout_ms = config->store.connect_timeout_ms,
        .heartbeat_ms = config->store.heartbeat_ms,
        .lease_ms = config->store.lease_ms,
    };
    struct store_handlers handlers;
    broker_store_handlers(&handlers);
    int result = store_open(&daemon->loop, &options, &handlers, daemon->broker, daemon->metrics,
                            &daemon->store, daemon->error);
    explicit_bzero(password, sizeof password);
    return result;
}

/* The configured file must be there and good; without one sealed secrets cannot be opened. */
static int vault_build(struct daemon *daemon)
{
    const char *given = daemon->config.secrets.master_key_file;
    char *path _cleanup_(memory_text_free) =
        given[0] != '\0' ? memory_text(given) : master_key_credential();
    return path ? vault_open(path, &daemon->vault, daemon->error) : 0;
}

static void caches_build(struct daemon *daemon)
{
    const struct people_options options = {
        .password_cache_ms = 60000, .checks_max = 64, .vault = daemon->vault};
    struct people_handlers people_handlers;
    broker_people_handlers(&people_handlers);
    daemon->people = people_new(&daemon->loop, daemon->store, &options, &people_handlers,
                                daemon->broker, daemon->metrics);
    struct fleet_directory_handlers directory_handlers;
    broker_directory_handlers(&directory_handlers);
    daemon->directory = fleet_directory_new(daemon->store, &directory_handlers, daemon->broker);
}

static struct net_listener_options listener_options(const struct listener_config *config,
                                                    const char *name, struct net_tls *tls)
{
    return (struct net_listener_options){
        .name = name,
        .address = config->address,
        .port = (uint16_t)config->port,
        .fd = -1,
        .tls = tls,
        .connections_max = config->connections,
        .connections_per_address_max = config->connections_per_address,
        .handshakes_max = config->handshakes,
        .handshake_ms = config->handshake_ms,
        .write_queue_max = 256 * 1024,
        .user_timeout_ms = 20000,
    };
}

static int tls_build(struct daemon *daemon, const struct listener_config *config,
                     bool client_required, struct net_tls **ret_tls)
{
    struct net_tls_options options = {
        .certificate_file = config->certificate_file,
        .key_file = config->key_file,
        .client_ca_file = config->client_ca_file,
        .client_required = client_required,
        .session_lifetime_s = 7200,
        .sessions_max = 20000,
    };
    return net_tls_open(&options, ret_tls, daemon->error);
}

static int link_build(struct daemon *daemon)
{
    const struct vendgated_config *config = &daemon->config;
    int result = tls_build(daemon, &config->machines, !config->link.tokens, &daemon->machine_tls);
    if (result < 0)
        return result;
    struct machine_link_options options = {
        .listener = listener_options(&config->machines, "machines", daemon->machine_tls),
        .connect_ms = 10000,
        .welcome_ms = config->link.welcome_ms,
        .keep_alive_s = config->link.keep_alive_ms / 1000,
        .keep_alive_max_s = 1200,
        .probe_after_ms = 45000,
        .command_ack_ms = config->link.command_ack_ms,
        .in_flight_max = 4,
        .queue_max = 16,
        .takeovers_per_minute = config->link.takeovers_per_minute,
        .tools_max = 4,
    };
    struct machine_link_handlers handlers;
    broker_link_handlers(&handlers);
    return machine_link_open(&daemon->loop, &options, &handlers, daemon->broker, daemon->metrics,
                             &daemon->link, daemon->error);
}

static int outbound_build(struct daemon *daemon)
{
    const struct vendgated_config *config = &daemon->config;
    struct outbound_options options = {
        .connections_max = config->outbound.connections,
        .connections_per_endpoint = config->outbound.connections_per_endpoint,
        .queue_max = config->outbound.queue,
        .endpoint_waiting_max = config->outbound.endpoint_queue,
        .dns_servers = config->outbound.dns_servers,
        .proxy = config->outbound.proxy,
        .user_agent = "vendgate/" VENDGATE_VERSION,
    };
    struct outbound_journal journal;
    struct outbound_directory directory;
    struct outbound_handlers handlers;
    broker_outbound_journal(&journal);
    broker_outbound_directory(&directory);
    broker_outbound_handlers(&handlers);
    const struct outbound_parts parts = {&journal, &directory, &handlers, daemon->broker};
    return outbound_open(&daemon->loop, &options, &parts, daemon->metrics, &daemon->outbound,
                         daemon->error);
}

static struct broker *broker_build(struct daemon *daemon)
{
    const struct vendgated_config *config = &daemon->config;
    struct broker_options options = {
        .lock_ack_ms = config->timers.lock_ack_ms,
        .selection_ms = config->timers.selection_ms,
        .payment_ms = config->timers.payment_ms,
        .approve_ack_ms = config->timers.approve_ack_ms,
        .approve_ttl_ms = config->timers.approve_ttl_ms,
        .vend_ms = config->timers.vend_ms,
        .doubt_ms = config->timers.doubt_ms,
        .recovery_grace_ms = config->timers.recovery_grace_ms,
        .offline_grace_ms = config->timers.offline_grace_ms,
        .query_every_ms = config->timers.query_every_ms,
        .call_deadline_ms = config->http.request_ms,
        .calls_max = config->http.calls,
    };
    return broker_new(&daemon->loop, &options, daemon->metrics);
}

static struct http_front_options front_options(const struct vendgated_config *config,
                                               struct net_listener_options listener)
{
    return (struct http_front_options){
        .listener = listener,
        .head_max = config->http.head_bytes,
        .body_max = config->http.body_bytes,
        .head_ms = config->http.head_ms,
        .body_ms = config->http.body_ms,
        .idle_ms = config->http.idle_ms,
    };
}

static int gateway_build(struct daemon *daemon)
{
    struct vendgated_config *config = &daemon->config;
    int result = tls_build(daemon, &config->api, false, &daemon->api_tls);
    if (result < 0)
        return result;
    char *socket = memory_format("unix:%s", config->admin.socket);
    struct listener_config small = {
        .connections = 64, .connections_per_address = 64, .handshakes = 64, .handshake_ms = 10000};
    struct listener_config private_surface = small, admin = small;
    private_surface.address = config->private_surface.address;
    private_surface.port = config->private_surface.port;
    admin.address = socket;
    struct gateway_options options = {
        .api = front_options(config, listener_options(&config->api, "api", daemon->api_tls)),
        .private_surface =
            front_options(config, listener_options(&private_surface, "private", NULL)),
        .admin = front_options(config, listener_options(&admin, "admin", NULL)),
        .request_ms = config->timers.lock_ack_ms + config->http.request_ms + REQUEST_MARGIN_MS,
        .requests_max = config->http.requests,
        .bulk_max = 500,
        .version = VENDGATE_VERSION,
    };
    if (config->admin.socket[0] == '\0')
        options.admin.listener.address = NULL;
    struct gateway_parts parts = {.broker = daemon->broker,
                                  .people = daemon->people,
                                  .directory = daemon->directory,
                                  .store = daemon->store,
                                  .metrics = daemon->metrics};
    result = gateway_open(&daemon->loop, &options, &parts, &daemon->gateway, daemon->error);
    free(socket);
    return result;
}

static int parts_build(struct daemon *daemon)
{
    daemon->metrics = metrics_new();
    daemon->process = process_metrics_start(&daemon->loop, daemon->metrics, VENDGATE_VERSION);
    daemon->broker = broker_build(daemon);
    int result = store_build(daemon);
    if (result < 0)
        return result;
    caches_build(daemon);
    result = outbound_build(daemon);
    if (result == 0)
        result = link_build(daemon);
    if (result < 0)
        return result;
    struct broker_parts parts = {.store = daemon->store,
                                 .people = daemon->people,
                                 .directory = daemon->directory,
                                 .link = daemon->link,
                                 .outbound = daemon->outbound};
    broker_bind(daemon->broker, &parts);
    daemon->parked_alarm = parked_alarm_start(&daemon->loop, daemon->store, daemon->metrics);
    return gateway_build(daemon);
}

static void watchdog_feed(void *arg)
{
    struct daemon *daemon = arg;
    sd_notify(0, "WATCHDOG=1");
    timer_start(daemon->watchdog, daemon->watchdog_ms);
}

static void watchdog_start(struct daemon *daemon)
{
    uint64_t limit_us = 0;
    daemon->watchdog = timer_new(&daemon->loop, watchdog_feed, daemon);
    if (sd_watchdog_enabled(0, &limit_us) <= 0)
        return;
    daemon->watchdog_ms = (int64_t)(limit_us / 1000 / 3);
    timer_start(daemon->watchdog, daemon->watchdog_ms);
}

/* The parts go top down; what they left on the loop is closed by the turns that follow. */
static void parts_free(struct daemon *daemon)
{
    gateway_free(&daemon->gateway);
    parked_alarm_free(&daemon->parked_alarm);
    broker_free(&daemon->broker);
    machine_link_free(&daemon->link);
    outbound_free(&daemon->outbound);
    people_free(&daemon->people);
    fleet_directory_free(&daemon->directory);
    process_metrics_stop(&daemon->process);
    timer_free(&daemon->watchdog);
    timer_free(&daemon->deadline);
    timer_free(&daemon->answers);
    uv_close((uv_handle_t *)&daemon->terminate, NULL);
    uv_close((uv_handle_t *)&daemon->interrupt, NULL);
    uv_close((uv_handle_t *)&daemon->hangup, NULL);
}

static void store_closed(void *arg)
{
    struct daemon *daemon = arg;
    daemon->store = NULL;
    log_notice("stopped");
    parts_free(daemon);
}

/* The last calls are answered; whether the bytes are out shows in their connections' ends. */
static void answers_drained(void *arg)
{
    struct daemon *daemon = arg;
    if (gateway_connections(daemon->gateway) > 0 && clock_monotonic_ms() < daemon->answers_until_ms)
        timer_start(daemon->answers, ANSWERS_LOOK_MS);
    else
        store_close(daemon->store, STORE_CLOSE_MS, store_closed, daemon);
}

static void callbacks_drained(void *arg)
{
    struct daemon *daemon = arg;
    gateway_stop(daemon->gateway);
    daemon->answers_until_ms = clock_monotonic_ms() + ANSWERS_MS;
    timer_start(daemon->answers, 0);
}

static void transactions_drained(void *arg)
{
    struct daemon *daemon = arg;
    log_notice("drained", LOG_INT("callbacks", (int64_t)outbound_pending(daemon->outbound)));
    machine_link_drain(daemon->link);
    outbound_drain(daemon->outbound, callbacks_drained, daemon);
}

static void drain_overdue(void *arg)
{
    (void)arg;
    log_error("drain_overdue",
              LOG_TEXT("remedy", "what is not on disk is decided at the next start"));
    _exit(EXIT_FAILURE);
}

static void stop(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    log_notice("stopping", LOG_TEXT("signal", strsignal(number)));
    sd_notify(0, "STOPPING=1");
    timer_start(daemon->deadline, DRAIN_MS);
    gateway_drain(daemon->gateway);
    broker_drain(daemon->broker, transactions_drained, daemon);
}

static void certificates_reload(uv_signal_t *handle, int number)
{
    (void)number;
    struct daemon *daemon = handle->data;
    struct net_tls *const contexts[] = {daemon->machine_tls, daemon->api_tls};
    sd_notify(0, "RELOADING=1");
    for (size_t i = 0; i < ARRAY_SIZE(contexts); i++) {
        char error[NET_ERROR_SIZE];
        if (net_tls_reload(contexts[i], error) < 0)
            log_error(
                "certificate_not_reloaded", LOG_TEXT("error", error),
                LOG_TEXT("remedy", "the former one stays in force; mend the file and reload"));
        else
            log_notice("certificate_reloaded",
                       LOG_INT("expires_at", net_tls_expires_at(contexts[i])));
    }
    sd_notify(0, "READY=1");
}

static void signals_start(struct daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&daemon->loop, &daemon->terminate);
    uv_signal_init(&daemon->loop, &daemon->interrupt);
    uv_signal_init(&daemon->loop, &daemon->hangup);
    daemon->terminate.data = daemon->interrupt.data = daemon->hangup.data = daemon;
    uv_signal_start(&daemon->terminate, stop, SIGTERM);
    uv_signal_start(&daemon->interrupt, stop, SIGINT);
    uv_signal_start(&daemon->hangup, certificates_reload, SIGHUP);
}

static int daemon_run(struct daemon *daemon)
{
    uv_loop_init(&daemon->loop);
    if (parts_build(daemon) < 0) {
        log_error("start_failed", LOG_TEXT("error", daemon->error));
        return EXIT_FAILURE;
    }
    signals_start(daemon);
    watchdog_start(daemon);
    daemon->deadline = timer_new(&daemon->loop, drain_overdue, daemon);
    daemon->answers = timer_new(&daemon->loop, answers_drained, daemon);
    log_notice("started", LOG_TEXT("version", VENDGATE_VERSION),
               LOG_TEXT("instance", daemon->config.instance),
               LOG_INT("api_port", gateway_api_port(daemon->gateway)),
               LOG_INT("machine_port", machine_link_port(daemon->link)),
               LOG_INT("private_port", gateway_private_port(daemon->gateway)));
    sd_notify(0, "READY=1");
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    int result = uv_loop_close(&daemon->loop);
    if (result < 0)
        log_warning("loop_not_empty", LOG_TEXT("error", uv_strerror(result)));
    net_tls_free(&daemon->machine_tls);
    net_tls_free(&daemon->api_tls);
    metrics_free(&daemon->metrics);
    uv_library_shutdown(); /* the pool's threads end while OpenSSL still frees what is theirs */
    return EXIT_SUCCESS;
}

static void usage(FILE *out)
{
    fputs("usage: vendgated [--config FILE] [--check-config | --example-config | --version]\n"
          "Each key may also be set by the environment: VENDGATE_<SECTION>_<KEY>.\n",
          out);
}

static int options_read(int argc, char **argv, const char **ret_path, bool *ret_check)
{
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"check-config", no_argument, NULL, 'k'},
                                            {"example-config", no_argument, NULL, 'e'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
#ifdef VENDGATE_CRASH_POINTS
                                            {"crash-points", no_argument, NULL, 'p'},
#endif
                                            {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        switch (option) {
        case 'c':
            *ret_path = optarg;
            break;
        case 'k':
            *ret_check = true;
            break;
        case 'e':
            vendgated_config_example(stdout);
            return 1;
        case 'v':
            puts("vendgated " VENDGATE_VERSION);
            return 1;
        case 'h':
            usage(stdout);
            return 1;
#ifdef VENDGATE_CRASH_POINTS
        case 'p':
            crash_points_list(stdout);
            return 1;
#endif
        default:
            usage(stderr);
            return -EINVAL;
        }
    return optind == argc ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    bool check = false;
    int options = options_read(argc, argv, &path, &check);
    if (options != 0)
        return options > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    struct daemon *daemon = memory_zero(1, sizeof *daemon);
    char error[CONFIG_ERROR_SIZE];
    enum log_level level;
    if (vendgated_config_read(path, &daemon->config, error) < 0) {
        fprintf(stderr, "vendgated: %s\n", error);
        free(daemon);
        return EXIT_FAILURE;
    }
    if (!log_level_parse(daemon->config.log_level, &level)) {
        fprintf(stderr, "vendgated: [log] level: no such level: %s\n", daemon->config.log_level);
        return EXIT_FAILURE;
    }
    log_set_level(level);
    int result = EXIT_FAILURE;
    if (vault_build(daemon) < 0)
        log_error("start_failed", LOG_TEXT("error", daemon->error));
    else
        result = check ? EXIT_SUCCESS : daemon_run(daemon);
    if (check && result == EXIT_SUCCESS)
        puts("configuration is valid");
    vault_free(&daemon->vault);
    vendgated_config_done(&daemon->config);
    free(daemon);
    return result;
}
