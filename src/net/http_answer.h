/* http_answer.h - follows the responses of the HTTP library, to know where each one ends; pure.
 * Only for src/net.
 *
 * It trusts what it reads: those bytes are our own. */
#ifndef VENDGATE_NET_HTTP_ANSWER_H
#define VENDGATE_NET_HTTP_ANSWER_H

#include "base/macros.h"
#include "net/http_body.h"

#include <stdbool.h>

#define HTTP_ANSWER_LINE_MAX \
    64 /* enough for the lines that matter; the rest of a longer one is passed over */

struct http_answer {
    bool in_body;
    bool to_head; /* the request was HEAD */
    int status;   /* 0: the status line is not complete */
    enum http_framing framing;
    uint64_t length;
    struct http_body body;
    char line[HTTP_ANSWER_LINE_MAX];
    size_t line_size;
};

/* Before the answer to each request. */
void http_answer_start(struct http_answer *answer, bool to_head);
/* True: `bytes` end the answer (interim 1xx answers do not count). */
MUST_CHECK bool http_answer_take(struct http_answer *answer, const uint8_t *bytes, size_t size);
/* A byte of the answer itself, not only of interim ones, has been seen. */
bool http_answer_begun(const struct http_answer *answer);

#endif
