/* name_server.h - a small name server for tests, in a thread of its own: answers over UDP and TCP
 * from a table and counts what it was asked. */
#ifndef VENDGATE_TEST_NAME_SERVER_H
#define VENDGATE_TEST_NAME_SERVER_H

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_SERVER_MESSAGE_SIZE = 1024, NAME_SERVER_RECORDS_MAX = 16 };

struct name_server_record {
    const char *name;    /* lower case, no dot at the end; NULL ends */
    const char *address; /* IPv4 or IPv6 */
    uint32_t ttl_s;
};

enum name_server_mood {
    NAME_SERVER_ANSWERS = 0,
    NAME_SERVER_SILENT,    /* takes a query and says nothing */
    NAME_SERVER_FAILS,     /* SERVFAIL */
    NAME_SERVER_TRUNCATES, /* over UDP: ask again over TCP */
};

struct name_server {
    int udp, tcp, stop[2];
    char address[32]; /* "127.0.0.1:port" */
    pthread_t thread;
    pthread_mutex_t lock;
    enum name_server_mood mood;
    struct name_server_record records[NAME_SERVER_RECORDS_MAX];
    int udp_queries, tcp_queries;
};

/* "\3www\7example\0" to "www.example"; the size of what was read. */
static inline size_t name_server_read_name(const uint8_t *bytes, char *ret_name)
{
    size_t at = 0;
    char *out = ret_name;
    while (bytes[at] != 0) {
        memcpy(out, bytes + at + 1, bytes[at]);
        out += bytes[at];
        *out++ = '.';
        at += (size_t)bytes[at] + 1;
    }
    out[out > ret_name ? -1 : 0] = '\0';
    return at + 1;
}

static inline size_t name_server_add(uint8_t *answer, size_t size, uint16_t type,
                                     const struct name_server_record *record)
{
    uint16_t length = type == 1 ? 4 : 16;
    const uint8_t head[12] = {0xC0,
                              12, /* the name of the question */
                              0,
                              (uint8_t)type,
                              0,
                              1,
                              (uint8_t)(record->ttl_s >> 24),
                              (uint8_t)(record->ttl_s >> 16),
                              (uint8_t)(record->ttl_s >> 8),
                              (uint8_t)record->ttl_s,
                              0,
                              (uint8_t)length};
    memcpy(answer + size, head, sizeof(head));
    ck_assert_int_eq(
        inet_pton(type == 1 ? AF_INET : AF_INET6, record->address, answer + size + sizeof(head)),
        1);
    answer[7]++;
    return size + sizeof(head) + length;
}

/* Turns the question into its answer; its size, 0: none. */
static inline size_t name_server_answer(struct name_server *server, uint8_t *message, bool udp)
{
    char name[256];
    size_t size = 12 + name_server_read_name(message + 12, name) + 4;
    uint16_t type = message[size - 3];
    bool known = false;
    message[2] |= 0x80;
    message[3] = 0x80;
    memset(message + 6, 0, 6);
    if (server->mood == NAME_SERVER_SILENT)
        return 0;
    if (server->mood == NAME_SERVER_FAILS) {
        message[3] |= 2;
        return size;
    }
    if (server->mood == NAME_SERVER_TRUNCATES && udp) {
        message[2] |= 2;
        return size;
    }
    for (const struct name_server_record *record = server->records; record->name; record++) {
        bool matches = strcmp(record->name, name) == 0;
        known = known || matches;
        if (matches && type == (strchr(record->address, ':') ? 28 : 1))
            size = name_server_add(message, size, type, record);
    }
    if (!known)
        message[3] |= 3;
    return size;
}

static inline void name_server_serve_udp(struct name_server *server)
{
    uint8_t message[NAME_SERVER_MESSAGE_SIZE] = {0};
    struct sockaddr_in peer;
    socklen_t peer_size = sizeof(peer);
    ssize_t got = recvfrom(server->udp, message, 512, 0, (struct sockaddr *)&peer, &peer_size);
    if (got < 16)
        return;
    server->udp_queries++;
    size_t size = name_server_answer(server, message, true);
    if (size > 0)
        (void)sendto(server->udp, message, size, 0, (struct sockaddr *)&peer, peer_size);
}

/* Both questions of a lookup may come on one connection. */
static inline void name_server_serve_tcp(struct name_server *server)
{
    int connection = accept(server->tcp, NULL, NULL);
    uint8_t message[NAME_SERVER_MESSAGE_SIZE] = {0};
    while (recv(connection, message, 2, MSG_WAITALL) == 2) {
        size_t asked = (size_t)message[0] << 8 | message[1];
        if (recv(connection, message + 2, asked, MSG_WAITALL) != (ssize_t)asked)
            break;
        server->tcp_queries++;
        size_t size = name_server_answer(server, message + 2, false);
        message[0] = (uint8_t)(size >> 8);
        message[1] = (uint8_t)size;
        if (size == 0 || send(connection, message, size + 2, MSG_NOSIGNAL) < 0)
            break;
    }
    close(connection);
}

static inline void *name_server_run(void *arg)
{
    struct name_server *server = arg;
    struct pollfd sockets[] = {
        {server->udp, POLLIN, 0}, {server->tcp, POLLIN, 0}, {server->stop[0], POLLIN, 0}};
    while (poll(sockets, 3, -1) > 0 && !sockets[2].revents) {
        pthread_mutex_lock(&server->lock);
        if (sockets[0].revents)
            name_server_serve_udp(server);
        if (sockets[1].revents)
            name_server_serve_tcp(server);
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

static inline void name_server_start(struct name_server *server)
{
    *server = (struct name_server){0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    pthread_mutex_init(&server->lock, NULL);
    server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->tcp, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server->tcp, 8), 0);
    ck_assert_int_eq(getsockname(server->tcp, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(bind(server->udp, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(pipe(server->stop), 0);
    (void)snprintf(server->address, sizeof(server->address), "127.0.0.1:%u",
                   ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&server->thread, NULL, name_server_run, server), 0);
}

/* From now on; `records` may be NULL. */
static inline void name_server_set(struct name_server *server, enum name_server_mood mood,
                                   const struct name_server_record *records)
{
    pthread_mutex_lock(&server->lock);
    server->mood = mood;
    memset(server->records, 0, sizeof(server->records));
    for (size_t i = 0; records && records[i].name; i++)
        server->records[i] = records[i];
    pthread_mutex_unlock(&server->lock);
}

static inline int name_server_queries(struct name_server *server)
{
    pthread_mutex_lock(&server->lock);
    int queries = server->udp_queries + server->tcp_queries;
    pthread_mutex_unlock(&server->lock);
    return queries;
}

static inline void name_server_stop(struct name_server *server)
{
    ck_assert_int_eq(write(server->stop[1], "", 1), 1);
    pthread_join(server->thread, NULL);
    close(server->udp);
    close(server->tcp);
    close(server->stop[0]);
    close(server->stop[1]);
    pthread_mutex_destroy(&server->lock);
}

#endif
