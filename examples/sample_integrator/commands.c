#include "sample_integrator/commands.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS_MAX = COMMANDS_FDS_MAX - 2, LINE_MAX_SIZE = 512, READ_SIZE = 256 };

struct client {
    int fd; /* -1: free */
    struct buffer input;
};

struct commands {
    const struct commands_hooks *hooks;
    void *arg;
    int server;          /* -1: none */
    struct client input; /* standard input */
    struct client clients[CLIENTS_MAX];
};

static int serve(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        (void)unlink(path); /* left behind by one that was killed */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, CLIENTS_MAX) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static void client_open(struct client *client, int fd)
{
    client->fd = fd;
    buffer_init(&client->input, LINE_MAX_SIZE);
}

static void client_close(struct client *client)
{
    if (client->fd >= 0 && client->fd != STDIN_FILENO)
        close(client->fd);
    client->fd = -1;
    buffer_done(&client->input);
}

int commands_open(const char *path, const struct commands_hooks *hooks, void *arg,
                  struct commands **ret_commands)
{
    int server = path ? serve(path) : -1;
    if (path && server < 0)
        return server;
    struct commands *commands = memory_zero(1, sizeof(*commands));
    commands->hooks = hooks;
    commands->arg = arg;
    commands->server = server;
    client_open(&commands->input, STDIN_FILENO);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        client_open(&commands->clients[i], -1);
    *ret_commands = commands;
    return 0;
}

void commands_close(struct commands **commands)
{
    struct commands *old = TAKE(*commands);
    if (!old)
        return;
    client_close(&old->input);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        client_close(&old->clients[i]);
    if (old->server >= 0)
        close(old->server);
    free(old);
}

unsigned commands_wait_for(const struct commands *commands,
                           struct curl_waitfd ret_fds[static COMMANDS_FDS_MAX])
{
    unsigned count = 0;
    int fds[COMMANDS_FDS_MAX] = {commands->server, commands->input.fd};
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        fds[i + 2] = commands->clients[i].fd;
    for (size_t i = 0; i < COMMANDS_FDS_MAX; i++)
        if (fds[i] >= 0)
            ret_fds[count++] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
    return count;
}

static void reply(const struct client *client, const char *text)
{
    if (client->fd == STDIN_FILENO)
        printf("%s", text);
    else
        (void)send(client->fd, text, strlen(text), MSG_NOSIGNAL); /* one that left needs none */
}

static bool is_verb(const char *verb, const char *name, bool right_form)
{
    return right_form && strcmp(verb, name) == 0;
}

static void obey(struct commands *commands, const struct client *client, char *line)
{
    const struct commands_hooks *hooks = commands->hooks;
    char *rest;
    const char *verb = strtok_r(line, " \t\r", &rest);
    const char *vm_id = strtok_r(NULL, " \t\r", &rest);
    const char *ref = strtok_r(NULL, " \t\r", &rest);
    bool pair = ref && !strtok_r(NULL, " \t\r", &rest);
    if (!verb)
        return;
    if (is_verb(verb, "buy", pair)) {
        hooks->buy(commands->arg, vm_id, ref);
    } else if (is_verb(verb, "come", pair)) {
        hooks->come(commands->arg, vm_id, ref);
    } else if (is_verb(verb, "stay_away", !vm_id)) {
        hooks->stay_away(commands->arg);
    } else {
        reply(client, "error: buy VM_ID REF | come VM_ID PREFIX | stay_away\n");
        return;
    }
    if (client->fd != STDIN_FILENO)
        reply(client, "ok\n");
}

static void take_lines(struct commands *commands, struct client *client)
{
    uint8_t *end;
    while (client->input.size > 0 &&
           (end = memchr(client->input.bytes, '\n', client->input.size))) {
        size_t size = (size_t)(end - client->input.bytes);
        _cleanup_(memory_text_free) char *line = memory_bytes(client->input.bytes, size);
        buffer_drop(&client->input, size + 1);
        obey(commands, client, line);
    }
}

static void read_client(struct commands *commands, struct client *client)
{
    char bytes[READ_SIZE];
    ssize_t size = read(client->fd, bytes, sizeof(bytes));
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0 || buffer_add(&client->input, bytes, (size_t)size) < 0)
        client_close(client);
    else
        take_lines(commands, client);
}

static void accept_client(struct commands *commands)
{
    int fd = accept4(commands->server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
        if (commands->clients[i].fd < 0) {
            client_open(&commands->clients[i], fd);
            return;
        }
    if (fd >= 0)
        close(fd);
}

/* libcurl does not pass on that the other side hung up, so this asks for itself. */
static bool is_ready(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&ready, 1, 0) == 1;
}

void commands_work(struct commands *commands)
{
    if (is_ready(commands->server))
        accept_client(commands);
    if (is_ready(commands->input.fd))
        read_client(commands, &commands->input);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (is_ready(commands->clients[i].fd))
            read_client(commands, &commands->clients[i]);
}
