/* operator_name.h - who acts at the admin socket: the name of a UNIX user. Looked up on the thread
 * pool, because a directory service may take its time. */
#ifndef VENDGATE_GATEWAY_OPERATOR_NAME_H
#define VENDGATE_GATEWAY_OPERATOR_NAME_H

#include <sys/types.h>
#include <uv.h>

/* `name` is borrowed for the call; the number when the user has no name. */
typedef void operator_name_cb(void *arg, const char *name);
/* The callback runs exactly once, from the loop. */
void operator_name_find(uv_loop_t *loop, uid_t uid, operator_name_cb *callback, void *arg);

#endif
