/* listen_socket.h - makes the listening socket of a listener. Only for src/net. */
#ifndef VENDGATE_NET_LISTEN_SOCKET_H
#define VENDGATE_NET_LISTEN_SOCKET_H

#include "base/macros.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct listen_socket {
    int fd;        /* nonblocking, close-on-exec; -1: closed */
    uint16_t port; /* 0 for a UNIX socket */
    char *path;    /* of a UNIX socket that we made, else NULL */
    dev_t device;  /* of that file, so that only our own is removed */
    ino_t inode;
};

/* Binds `address` ("0.0.0.0", "::1", "unix:/path") and listens, or adopts `inherited_fd` (>= 0),
 * which then belongs to the result. 0, or a negative errno with the reason in ret_error. */
MUST_CHECK int listen_socket_open(const char *address, uint16_t port, int inherited_fd,
                                  struct listen_socket *ret_socket,
                                  char ret_error[static NET_ERROR_SIZE]);
/* Removes the socket file if it is still ours, and frees. Hands the descriptor back to the caller,
 * who closes it. */
int listen_socket_release(struct listen_socket *socket);

#endif
