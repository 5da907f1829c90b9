#include "bench/sink/names.h"

#include "base/macros.h"
#include "base/memory.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* RFC 1035, 4.1. */
enum {
    HEADER_SIZE = 12,
    NAME_SIZE = 256,
    MESSAGE_SIZE = 512,
    TYPE_A = 1,
    TTL_S = 1,
};

struct names {
    uv_udp_t socket;
    struct names_handlers handlers;
    void *arg;
    uint16_t port;
    uint8_t question[MESSAGE_SIZE];
};

/* Where the question's name ends, its dotted form in ret_name; 0: malformed. */
static size_t read_name(const uint8_t *message, size_t size, char ret_name[static NAME_SIZE])
{
    size_t at = HEADER_SIZE;
    size_t written = 0;
    while (at < size && message[at] != 0) {
        size_t label = message[at];
        if (label > 63 || at + 1 + label >= size || written + label + 1 >= NAME_SIZE)
            return 0;
        if (written > 0)
            ret_name[written++] = '.';
        memcpy(ret_name + written, message + at + 1, label);
        written += label;
        at += 1 + label;
    }
    ret_name[written] = '\0';
    return at + 5 <= size ? at + 1 : 0;
}

/* The question with an answer behind it; its size. What came after the question (EDNS) is left
 * out. */
static size_t write_answer(uint8_t *message, size_t question_end)
{
    static const uint8_t ADDRESS[] = {
        0xc0, HEADER_SIZE,       /* the question's name */
        0,    TYPE_A,      0, 1, /* A, IN */
        0,    0,           0, TTL_S, 0, 4, 127, 0, 0, 1,
    };
    bool known = message[question_end - 4] == 0 && message[question_end - 3] == TYPE_A;
    message[2] = (uint8_t)(0x84 | (message[2] & 1)); /* an answer, with authority */
    message[3] = 0;
    memset(message + 6, 0, HEADER_SIZE - 6);
    message[7] = known;
    if (!known)
        return question_end;
    memcpy(message + question_end, ADDRESS, sizeof(ADDRESS));
    return question_end + sizeof(ADDRESS);
}

static void on_room(uv_handle_t *handle, size_t wanted UNUSED, uv_buf_t *ret_room)
{
    struct names *names = handle->data;
    /* The answer is written behind the question. */
    *ret_room = uv_buf_init((char *)names->question, MESSAGE_SIZE - 32);
}

static void on_question(uv_udp_t *socket, ssize_t count, const uv_buf_t *room UNUSED,
                        const struct sockaddr *from, unsigned flags UNUSED)
{
    struct names *names = socket->data;
    char name[NAME_SIZE];
    if (count <= HEADER_SIZE || !from)
        return;
    size_t name_end = read_name(names->question, (size_t)count, name);
    if (name_end == 0 || names->handlers.silent(names->arg, name))
        return;
    size_t size = write_answer(names->question, name_end + 4);
    uv_buf_t answer = uv_buf_init((char *)names->question, (unsigned)size);
    (void)uv_udp_try_send(socket, &answer, 1, from); /* one that is lost is asked for again */
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct names *names_open(uv_loop_t *loop, const struct names_handlers *handlers, void *arg)
{
    struct names *names = memory_zero(1, sizeof(*names));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof(address);
    names->handlers = *handlers;
    names->arg = arg;
    names->socket.data = names;
    uv_udp_init(loop, &names->socket);
    if (uv_udp_bind(&names->socket, (const struct sockaddr *)&address, 0) < 0 ||
        uv_udp_getsockname(&names->socket, (struct sockaddr *)&address, &size) < 0 ||
        uv_udp_recv_start(&names->socket, on_room, on_question) < 0) {
        names_close(names);
        return NULL;
    }
    names->port = ntohs(address.sin_port);
    return names;
}

uint16_t names_port(const struct names *names)
{
    return names->port;
}

void names_close(struct names *names)
{
    uv_close((uv_handle_t *)&names->socket, on_closed);
}
