#include "gateway/refusal.h"

#include "base/macros.h"

/* Static texts, because the front may still answer while the gateway goes. Each length stands in a
 * head, so each is asserted; a test compares codes and messages with the table of reasons. */
#define BODY(message, code, action)                                                             \
    "{\"success\":false,\"message\":\"" message "\",\"code\":\"" code "\",\"action\":\"" action \
    "\"}"
#define STRING_(number) #number
#define STRING(number) STRING_(number)
#define RESPONSE(status, size, body)                              \
    "HTTP/1.1 " status "\r\n"                                     \
    "Content-Type: application/json\r\n"                          \
    "Content-Length: " STRING(size) "\r\n"                        \
                                    "Cache-Control: no-store\r\n" \
                                    "Connection: close\r\n\r\n" body

#define BAD_HEAD_BODY BODY("the request is not well-formed HTTP", "BAD_REQUEST", "fix")
#define BAD_HEAD_SIZE 101
static_assert(sizeof(BAD_HEAD_BODY) - 1 == BAD_HEAD_SIZE, "Content-Length");

#define SLOW_BODY BODY("the request took too long to arrive", "SLOW_CLIENT", "retry")
#define SLOW_SIZE 103
static_assert(sizeof(SLOW_BODY) - 1 == SLOW_SIZE, "Content-Length");

#define BODY_TOO_LARGE_BODY BODY("the body is too large", "BODY_TOO_LARGE", "fix")
#define BODY_TOO_LARGE_SIZE 90
static_assert(sizeof(BODY_TOO_LARGE_BODY) - 1 == BODY_TOO_LARGE_SIZE, "Content-Length");

#define HEAD_TOO_LARGE_BODY BODY("the head of the request is too large", "BAD_REQUEST", "fix")
#define HEAD_TOO_LARGE_SIZE 102
static_assert(sizeof(HEAD_TOO_LARGE_BODY) - 1 == HEAD_TOO_LARGE_SIZE, "Content-Length");

#define METHOD_BODY BODY("no such method", "METHOD_NOT_ALLOWED", "fix")
#define METHOD_SIZE 87
static_assert(sizeof(METHOD_BODY) - 1 == METHOD_SIZE, "Content-Length");

static const char *const RESPONSES[] = {
    [HTTP_REFUSED_BAD_HEAD] = RESPONSE("400 Bad Request", BAD_HEAD_SIZE, BAD_HEAD_BODY),
    [HTTP_REFUSED_SLOW] = RESPONSE("408 Request Timeout", SLOW_SIZE, SLOW_BODY),
    [HTTP_REFUSED_BODY_TOO_LARGE] =
        RESPONSE("413 Content Too Large", BODY_TOO_LARGE_SIZE, BODY_TOO_LARGE_BODY),
    [HTTP_REFUSED_HEAD_TOO_LARGE] =
        RESPONSE("431 Request Header Fields Too Large", HEAD_TOO_LARGE_SIZE, HEAD_TOO_LARGE_BODY),
    [HTTP_REFUSED_METHOD] = RESPONSE("501 Not Implemented", METHOD_SIZE, METHOD_BODY),
};

const char *refusal_response(enum http_refusal refusal)
{
    assert((size_t)refusal < ARRAY_SIZE(RESPONSES) && RESPONSES[refusal]);
    return RESPONSES[refusal];
}
