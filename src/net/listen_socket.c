#include "net/listen_socket.h"

#include "base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"
#define UNIX_MODE 0660
#define BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static int failed(char ret_error[static NET_ERROR_SIZE], const char *address, const char *step)
{
    int error = errno;
    (void)snprintf(ret_error, NET_ERROR_SIZE, "%s: %s: %s", address, step, strerror(error));
    return -error;
}

static bool address_parse(const char *address, uint16_t port, struct sockaddr_storage *ret_address,
                          socklen_t *ret_size)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        memcpy(ret_address, &v4, sizeof v4);
        *ret_size = sizeof v4;
    } else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
        memcpy(ret_address, &v6, sizeof v6);
        *ret_size = sizeof v6;
    } else {
        return false;
    }
    return true;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

static int adopt(int inherited_fd, struct listen_socket *ret_socket,
                 char ret_error[static NET_ERROR_SIZE])
{
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(inherited_fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0)
        return failed(ret_error, "inherited socket", "is no socket");
    if (!listening) {
        (void)snprintf(ret_error, NET_ERROR_SIZE, "inherited socket: does not listen");
        return -EINVAL;
    }
    int flags = fcntl(inherited_fd, F_GETFL);
    if (flags < 0 || fcntl(inherited_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(inherited_fd, F_SETFD, FD_CLOEXEC) != 0)
        return failed(ret_error, "inherited socket", "cannot be set up");
    *ret_socket = (struct listen_socket){.fd = inherited_fd, .port = port_of(inherited_fd)};
    return 0;
}

static int open_tcp(const char *address, uint16_t port, struct listen_socket *ret_socket,
                    char ret_error[static NET_ERROR_SIZE])
{
    struct sockaddr_storage where = {0};
    socklen_t size = 0;
    if (!address_parse(address, port, &where, &size)) {
        (void)snprintf(ret_error, NET_ERROR_SIZE, "%s: is neither an IP address nor unix:/path",
                       address);
        return -EINVAL;
    }
    _cleanup_(fd_close) int fd =
        socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
        return failed(ret_error, address, "no socket");
    if (bind(fd, (const struct sockaddr *)&where, size) != 0 || listen(fd, BACKLOG) != 0)
        return failed(ret_error, address, "cannot listen");
    *ret_socket = (struct listen_socket){.fd = fd, .port = port_of(fd)};
    fd = -1;
    return 0;
}

/* A socket file of an earlier run is in the way of bind(2); anything else at that path is left
 * alone. */
static void remove_old_socket(const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        (void)unlink(path);
}

static int open_unix(const char *address, struct listen_socket *ret_socket,
                     char ret_error[static NET_ERROR_SIZE])
{
    const char *path = address + strlen(UNIX_PREFIX);
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof where.sun_path) {
        (void)snprintf(ret_error, NET_ERROR_SIZE,
                       "%s: the path must be absolute and below %zu bytes", address,
                       sizeof where.sun_path);
        return -EINVAL;
    }
    memcpy(where.sun_path, path, strlen(path) + 1);
    _cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The mode of the descriptor bounds that of the file from its first moment; the umask may only
     * have narrowed it. */
    if (fd < 0 || fchmod(fd, UNIX_MODE) != 0)
        return failed(ret_error, address, "no socket");
    remove_old_socket(path);
    struct stat status;
    if (bind(fd, (const struct sockaddr *)&where, sizeof where) != 0 ||
        chmod(path, UNIX_MODE) != 0 || listen(fd, BACKLOG) != 0 || lstat(path, &status) != 0)
        return failed(ret_error, address, "cannot listen");
    *ret_socket = (struct listen_socket){
        .fd = fd, .path = memory_text(path), .device = status.st_dev, .inode = status.st_ino};
    fd = -1;
    return 0;
}

int listen_socket_open(const char *address, uint16_t port, int inherited_fd,
                       struct listen_socket *ret_socket, char ret_error[static NET_ERROR_SIZE])
{
    if (inherited_fd >= 0)
        return adopt(inherited_fd, ret_socket, ret_error);
    if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return open_unix(address, ret_socket, ret_error);
    return open_tcp(address, port, ret_socket, ret_error);
}

int listen_socket_release(struct listen_socket *socket)
{
    struct stat status;
    if (socket->path && lstat(socket->path, &status) == 0 && status.st_dev == socket->device &&
        status.st_ino == socket->inode)
        (void)unlink(socket->path);
    free(TAKE(socket->path));
    int fd = socket->fd;
    socket->fd = -1;
    return fd;
}
