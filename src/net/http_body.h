/* http_body.h - finds the end of an HTTP message body in the byte stream; pure. Only for src/net.
 *
 * Chunked bodies (RFC 9112 section 7.1) are held to the letter. Chunk extensions and trailers are
 * refused: nobody who talks to us sends them, and parsers that read them differently are what
 * request smuggling is made of. */
#ifndef VENDGATE_NET_HTTP_BODY_H
#define VENDGATE_NET_HTTP_BODY_H

#include <stddef.h>
#include <stdint.h>

enum http_framing {
    HTTP_FRAMING_NONE = 1, /* no body */
    HTTP_FRAMING_LENGTH,
    HTTP_FRAMING_CHUNKED,
    HTTP_FRAMING_CLOSE, /* until the connection ends; responses only */
};

enum http_body_verdict {
    HTTP_BODY_MORE = 1,  /* not at its end yet */
    HTTP_BODY_DONE,      /* what was taken ends it */
    HTTP_BODY_BAD,       /* no chunked coding as we know it */
    HTTP_BODY_TOO_LARGE, /* would pass the limit */
};

enum http_chunk_state {
    HTTP_CHUNK_SIZE = 1, /* hexadecimal digits */
    HTTP_CHUNK_SIZE_LF,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_DATA_CR,
    HTTP_CHUNK_DATA_LF,
    HTTP_CHUNK_LAST_CR, /* of the empty line that ends the body */
    HTTP_CHUNK_LAST_LF,
};

struct http_body {
    enum http_framing framing;
    enum http_chunk_state chunk;
    unsigned digits; /* of the chunk size, so far */
    uint64_t left;   /* of the body, or of this chunk */
    uint64_t room;   /* how much the limit still allows */
};

/* `length` counts for HTTP_FRAMING_LENGTH only, and the caller has held it against `max`. */
void http_body_start(struct http_body *body, enum http_framing framing, uint64_t length,
                     uint64_t max);
/* Takes at most `size` bytes; returns how many belong to the body, framing included (on a refusal,
 * how many were good). */
size_t http_body_take(struct http_body *body, const uint8_t *bytes, size_t size,
                      enum http_body_verdict *ret_verdict);

#endif
