/* multi_loop.h - one libcurl multi handle on the loop: its sockets under uv_poll, its timer, and a
 * turn.
 *
 * Knows nothing of requests: the owner adds and removes easy handles and is told after each round
 * of work, when it may read finished transfers. libcurl's "0 ms" runs later in this same turn of
 * the loop, without going through a timer's millisecond. Watchers stay with their socket until it
 * is closed, so that a kept connection costs none anew. */
#ifndef VENDGATE_OUTBOUND_MULTI_LOOP_H
#define VENDGATE_OUTBOUND_MULTI_LOOP_H

#include <curl/curl.h>
#include <uv.h>

struct multi_loop;

/* libcurl has worked; called from the loop, outside libcurl's own callbacks. */
typedef void multi_loop_worked(void *arg);

struct multi_loop *multi_loop_new(uv_loop_t *loop, multi_loop_worked *worked, void *arg);
/* No easy handle may be in it. Kept connections are closed; memory goes at the loop's edge. */
void multi_loop_free(struct multi_loop **multi);

CURLM *multi_loop_handle(const struct multi_loop *multi);
/* For CURLOPT_CLOSESOCKETFUNCTION, with the multi_loop as its data: stops watching, then closes. */
int multi_loop_close_socket(void *multi, curl_socket_t socket);

#endif
