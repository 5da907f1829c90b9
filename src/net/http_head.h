/* http_head.h - checks a request head strictly and says how its body is framed; pure. Only for
 * src/net.
 *
 * RFC 9112, without what it merely tolerates: CRLF only, token names, no folding, no control bytes,
 * exactly one Host, at most one framing. What passes here is read the same by every HTTP parser. */
#ifndef VENDGATE_NET_HTTP_HEAD_H
#define VENDGATE_NET_HTTP_HEAD_H

#include "base/macros.h"
#include "net/http_body.h"

#include <stdbool.h>

enum http_head_verdict {
    HTTP_HEAD_OK = 1,
    HTTP_HEAD_BAD,
    HTTP_HEAD_METHOD, /* well formed, but no method that a standard knows */
};

struct http_head {
    bool response_has_no_body; /* HEAD */
    enum http_framing framing; /* NONE, LENGTH or CHUNKED */
    uint64_t length; /* of HTTP_FRAMING_LENGTH; UINT64_MAX: more digits than any limit allows */
    /* A target in absolute form (section 3.2.2) goes on in origin form: leave these bytes out. Size
     * 0: none. */
    size_t skip_at, skip_size;
};

enum http_head_end {
    HTTP_HEAD_END_FOUND = 1,
    HTTP_HEAD_END_MISSING, /* more bytes are needed */
    HTTP_HEAD_END_NEVER,   /* a line does not end in CRLF: it can only be refused */
};

/* Looks for the empty line from *scanned on (0 at first), and moves that on, so that no byte is
 * looked at twice. Found: *ret_size is the size of the head with its empty line. */
enum http_head_end http_head_find_end(const uint8_t *bytes, size_t size, size_t *scanned,
                                      size_t *ret_size);
/* `bytes` is a whole head as found above. ret_head is filled unless the verdict is HTTP_HEAD_BAD.
 */
MUST_CHECK enum http_head_verdict http_head_check(const uint8_t *bytes, size_t size,
                                                  struct http_head *ret_head);

#endif
