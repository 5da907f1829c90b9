/* vendgated_config.h - the daemon's configuration as a struct; the table in vendgated_config.c is
 * its reference. */
#ifndef VENDGATE_VENDGATED_CONFIG_H
#define VENDGATE_VENDGATED_CONFIG_H

#include "base/config.h"

#include <stdint.h>
#include <stdio.h>

struct listener_config {
    char *address;
    int64_t port;
    char *certificate_file, *key_file, *client_ca_file;
    int64_t connections, connections_per_address, handshakes, handshake_ms;
};

struct vendgated_config {
    char *instance;
    char *log_level;
    struct {
        char *url, *password_file;
        int64_t batch, queue, statement_timeout_ms, connect_timeout_ms, heartbeat_ms, lease_ms;
    } store;
    struct listener_config machines, api;
    struct {
        int64_t keep_alive_ms, command_ack_ms, welcome_ms;
        int64_t takeovers_per_minute;
        bool tokens;
    } link;
    struct {
        int64_t head_bytes, body_bytes, head_ms, body_ms, idle_ms, requests, calls, request_ms;
    } http;
    struct {
        char *address;
        int64_t port;
    } private_surface;
    struct {
        char *socket;
    } admin;
    struct {
        int64_t lock_ack_ms, selection_ms, payment_ms, approve_ack_ms, approve_ttl_ms, vend_ms,
            doubt_ms, recovery_grace_ms, offline_grace_ms, query_every_ms;
    } timers;
    struct {
        int64_t connections, connections_per_endpoint, queue, endpoint_queue;
        char *dns_servers, *proxy;
    } outbound;
    struct {
        char *master_key_file;
    } secrets;
};

/* 0, or a negative errno with ret_error naming file, line and remedy. */
MUST_CHECK int vendgated_config_read(const char *path, struct vendgated_config *ret_config,
                                     char ret_error[static CONFIG_ERROR_SIZE]);
void vendgated_config_done(struct vendgated_config *config);
/* The documented example, which is the reference. */
void vendgated_config_example(FILE *out);

#endif
