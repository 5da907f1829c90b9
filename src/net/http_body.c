#include "net/http_body.h"

#define CHUNK_DIGITS_MAX 12 /* so that a size never overflows, and zeros do not go on for ever */

void http_body_start(struct http_body *body, enum http_framing framing, uint64_t length,
                     uint64_t max)
{
    *body = (struct http_body){
        .framing = framing,
        .chunk = HTTP_CHUNK_SIZE,
        .left = framing == HTTP_FRAMING_LENGTH ? length : 0,
        .room = max,
    };
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

static enum http_body_verdict size_byte(struct http_body *body, uint8_t byte)
{
    int value = hex_value(byte);
    if (value < 0) {
        body->chunk = HTTP_CHUNK_SIZE_LF;
        return byte == '\r' && body->digits > 0 ? HTTP_BODY_MORE : HTTP_BODY_BAD;
    }
    if (++body->digits > CHUNK_DIGITS_MAX)
        return HTTP_BODY_TOO_LARGE;
    body->left = body->left * 16 + (uint64_t)value;
    return body->left > body->room ? HTTP_BODY_TOO_LARGE : HTTP_BODY_MORE;
}

static enum http_body_verdict expect(struct http_body *body, uint8_t byte, uint8_t expected,
                                     enum http_chunk_state next)
{
    if (byte != expected)
        return HTTP_BODY_BAD;
    body->chunk = next;
    return HTTP_BODY_MORE;
}

/* Any byte of a chunked body but a chunk's data. */
static enum http_body_verdict frame_byte(struct http_body *body, uint8_t byte)
{
    switch (body->chunk) {
    case HTTP_CHUNK_SIZE:
        return size_byte(body, byte);
    case HTTP_CHUNK_SIZE_LF:
        body->room -= body->left;
        return expect(body, byte, '\n', body->left > 0 ? HTTP_CHUNK_DATA : HTTP_CHUNK_LAST_CR);
    case HTTP_CHUNK_DATA_CR:
        return expect(body, byte, '\r', HTTP_CHUNK_DATA_LF);
    case HTTP_CHUNK_DATA_LF:
        body->digits = 0;
        return expect(body, byte, '\n', HTTP_CHUNK_SIZE);
    case HTTP_CHUNK_LAST_CR: /* anything else begins a trailer */
        return expect(body, byte, '\r', HTTP_CHUNK_LAST_LF);
    case HTTP_CHUNK_LAST_LF:
        return byte == '\n' ? HTTP_BODY_DONE : HTTP_BODY_BAD;
    case HTTP_CHUNK_DATA:
        break;
    }
    return HTTP_BODY_BAD;
}

static size_t data_take(struct http_body *body, size_t size)
{
    size_t taken = body->left < size ? (size_t)body->left : size;
    body->left -= taken;
    if (body->left == 0)
        body->chunk = HTTP_CHUNK_DATA_CR;
    return taken;
}

static size_t chunked_take(struct http_body *body, const uint8_t *bytes, size_t size,
                           enum http_body_verdict *ret_verdict)
{
    size_t taken = 0;
    *ret_verdict = HTTP_BODY_MORE;
    while (taken < size && *ret_verdict == HTTP_BODY_MORE) {
        if (body->chunk == HTTP_CHUNK_DATA) {
            taken += data_take(body, size - taken);
            continue;
        }
        *ret_verdict = frame_byte(body, bytes[taken]);
        if (*ret_verdict == HTTP_BODY_MORE || *ret_verdict == HTTP_BODY_DONE)
            taken++;
    }
    return taken;
}

size_t http_body_take(struct http_body *body, const uint8_t *bytes, size_t size,
                      enum http_body_verdict *ret_verdict)
{
    switch (body->framing) {
    case HTTP_FRAMING_CHUNKED:
        return chunked_take(body, bytes, size, ret_verdict);
    case HTTP_FRAMING_CLOSE:
        *ret_verdict = HTTP_BODY_MORE;
        return size;
    case HTTP_FRAMING_NONE:
    case HTTP_FRAMING_LENGTH:
        break;
    }
    size_t taken = body->left < size ? (size_t)body->left : size;
    body->left -= taken;
    *ret_verdict = body->left == 0 ? HTTP_BODY_DONE : HTTP_BODY_MORE;
    return taken;
}
