/* reception.h - what every request passes before its handler: path, method, credentials, rate,
 * media type, JSON, readiness.
 *
 *   404 -> 405 -> [API: 503 draining or loading, 429 too many, 401 credentials, 429 rate, 415, 413,
 * 400 JSON, 503 not ready, idempotency.h] -> handler [admin: 403 for a peer that is neither root
 * nor our own user or group; a POST: 413, 400 JSON, 503 not ready] */
#ifndef VENDGATE_GATEWAY_RECEPTION_H
#define VENDGATE_GATEWAY_RECEPTION_H

#include "gateway/request.h"

/* The request is complete. When it returns the request was answered, or it waits. `mhd` is borrowed
 * for the call. */
void reception_receive(struct request *request, struct MHD_Connection *mhd, const char *path,
                       const char *method);

/* Whether `content_type` (NULL: absent) is application/json, with or without parameters. */
bool reception_is_json(const char *content_type);
/* Why business cannot be done now, or NULL: it can. Static text. */
const char *reception_not_ready(const struct gateway *gateway);

#endif
