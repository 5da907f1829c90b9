/* refusal.h - the answers that the front gives in our name to requests which it does not let pass.
 */
#ifndef VENDGATE_GATEWAY_REFUSAL_H
#define VENDGATE_GATEWAY_REFUSAL_H

#include "net/http_front.h"

/* A complete HTTP/1.1 response with the envelope; static. Never NULL. */
const char *refusal_response(enum http_refusal refusal);

#endif
