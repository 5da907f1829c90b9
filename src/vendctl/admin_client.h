/* admin_client.h - acts at the running gateway, through its admin socket. Blocking. */
#ifndef VENDGATE_VENDCTL_ADMIN_CLIENT_H
#define VENDGATE_VENDCTL_ADMIN_CLIENT_H

#include "vendctl/invocation.h"

/* In the options of a command that uses the socket. */
#define ADMIN_SOCKET_OPTION "admin-socket="

/* POSTs `body` (taken over) to `path` of the socket that --admin-socket, VENDGATE_ADMIN_SOCKET or
 * the daemon's default names, and prints the answer. The command's exit status: a refusal is
 * complained of and 1. */
int admin_client_act(const struct invocation *invocation, const char *path, json_t *body);

#endif
