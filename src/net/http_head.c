#include "net/http_head.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18

/* A run of bytes inside the head. */
struct span {
    const uint8_t *bytes;
    size_t size;
};

/* Of the field lines, what decides about framing. */
struct fields {
    unsigned hosts, lengths, encodings;
    struct span host, length, encoding;
};

enum byte_class {
    CLASS_TOKEN = 1,  /* RFC 9110 section 5.6.2 */
    CLASS_VALUE = 2,  /* visible, SP, HTAB, obs-text */
    CLASS_TARGET = 4, /* visible ASCII but '#', which no request target holds */
    CLASS_HOST = 8,   /* RFC 3986: uri-host and port */
};

static bool is_alnum(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z');
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
           (byte >= 'A' && byte <= 'F');
}

static bool is_of(uint8_t byte, enum byte_class class)
{
    switch (class) {
    case CLASS_TOKEN:
        return is_alnum(byte) || (byte && strchr("!#$%&'*+-.^_`|~", byte));
    case CLASS_VALUE:
        return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
    case CLASS_TARGET:
        return byte > 0x20 && byte < 0x7f && byte != '#';
    case CLASS_HOST:
        return is_alnum(byte) || (byte && strchr("-._~!$&'()*+;=:[]%", byte));
    }
    return false;
}

static bool all_of(struct span span, enum byte_class class)
{
    for (size_t i = 0; i < span.size; i++)
        if (!is_of(span.bytes[i], class))
            return false;
    return true;
}

static bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static bool span_is_nocase(struct span span, const char *text)
{
    return span.size == strlen(text) && strncasecmp((const char *)span.bytes, text, span.size) == 0;
}

/* Cuts off what stands before the first `byte`, and that byte. False: there is none. */
static bool cut_at(struct span *rest, uint8_t byte, struct span *ret_front)
{
    const uint8_t *found = rest->size ? memchr(rest->bytes, byte, rest->size) : NULL;
    if (!found)
        return false;
    *ret_front = (struct span){rest->bytes, (size_t)(found - rest->bytes)};
    rest->bytes = found + 1;
    rest->size -= ret_front->size + 1;
    return true;
}

static struct span trimmed(struct span span)
{
    while (span.size > 0 && (span.bytes[0] == ' ' || span.bytes[0] == '\t'))
        span = (struct span){span.bytes + 1, span.size - 1};
    while (span.size > 0 && (span.bytes[span.size - 1] == ' ' || span.bytes[span.size - 1] == '\t'))
        span.size--;
    return span;
}

/* The line without its CRLF, which http_head_find_end() has made sure of. False: a CR stands
 * elsewhere. */
static bool cut_line(struct span *rest, struct span *ret_line)
{
    struct span line;
    if (!cut_at(rest, '\n', &line) || line.size == 0 || line.bytes[line.size - 1] != '\r')
        return false;
    line.size--;
    *ret_line = line;
    return line.size == 0 || !memchr(line.bytes, '\r', line.size);
}

/* --- the request line --- */

static bool method_known(struct span method)
{
    static const char *const METHODS[] = {"GET",     "POST",  "HEAD",  "PUT",    "DELETE",
                                          "OPTIONS", "PATCH", "TRACE", "CONNECT"};
    for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
        if (span_is(method, METHODS[i]))
            return true;
    return false;
}

/* An encoded NUL would end the path early for whoever decodes it into a C string. */
static bool escapes_valid(struct span target)
{
    for (size_t i = 0; i < target.size; i++) {
        if (target.bytes[i] != '%')
            continue;
        if (target.size - i < 3 || !is_hex(target.bytes[i + 1]) || !is_hex(target.bytes[i + 2]) ||
            (target.bytes[i + 1] == '0' && target.bytes[i + 2] == '0'))
            return false;
    }
    return true;
}

/* The size of `http://authority`, or 0 if that is not how the target begins. */
static size_t authority_size(struct span target)
{
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_SIZE(SCHEMES); i++) {
        size_t scheme = strlen(SCHEMES[i]);
        if (target.size <= scheme ||
            strncasecmp((const char *)target.bytes, SCHEMES[i], scheme) != 0)
            continue;
        struct span rest = {target.bytes + scheme, target.size - scheme}, authority;
        if (!cut_at(&rest, '/', &authority) || authority.size == 0 ||
            !all_of(authority, CLASS_HOST))
            return 0;
        return scheme + authority.size;
    }
    return 0;
}

static bool target_check(struct span target, bool options, struct http_head *head,
                         const uint8_t *head_bytes)
{
    if (target.size == 0 || !all_of(target, CLASS_TARGET) || !escapes_valid(target))
        return false;
    if (target.bytes[0] == '/')
        return true;
    if (options && span_is(target, "*"))
        return true;
    head->skip_at = (size_t)(target.bytes - head_bytes);
    head->skip_size = authority_size(target);
    return head->skip_size > 0;
}

static enum http_head_verdict request_line_check(struct span line, struct http_head *head,
                                                 bool *ret_http11)
{
    const uint8_t *head_bytes = line.bytes;
    struct span method, target;
    if (!cut_at(&line, ' ', &method) || method.size == 0 || !all_of(method, CLASS_TOKEN) ||
        !cut_at(&line, ' ', &target))
        return HTTP_HEAD_BAD;
    *ret_http11 = span_is(line, "HTTP/1.1");
    if (!*ret_http11 && !span_is(line, "HTTP/1.0"))
        return HTTP_HEAD_BAD;
    if (!target_check(target, span_is(method, "OPTIONS"), head, head_bytes))
        return HTTP_HEAD_BAD;
    head->response_has_no_body = span_is(method, "HEAD");
    return method_known(method) ? HTTP_HEAD_OK : HTTP_HEAD_METHOD;
}

/* --- the field lines --- */

static bool field_read(struct span line, struct fields *fields)
{
    struct span name;
    if (!cut_at(&line, ':', &name) || name.size == 0 || !all_of(name, CLASS_TOKEN) ||
        !all_of(line, CLASS_VALUE))
        return false; /* a folded line and a blank before the colon end here too: a token has no
                         blank */
    struct span value = trimmed(line);
    if (span_is_nocase(name, "Host")) {
        fields->hosts++;
        fields->host = value;
    } else if (span_is_nocase(name, "Content-Length")) {
        fields->lengths++;
        fields->length = value;
    } else if (span_is_nocase(name, "Transfer-Encoding")) {
        fields->encodings++;
        fields->encoding = value;
    }
    return true;
}

static bool length_parse(struct span digits, uint64_t *ret_length)
{
    uint64_t length = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.bytes[i] < '0' || digits.bytes[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(digits.bytes[i] - '0');
    }
    *ret_length = digits.size > LENGTH_DIGITS_MAX ? UINT64_MAX : length;
    return digits.size > 0;
}

static bool framing_decide(const struct fields *fields, bool http11, struct http_head *head)
{
    if (fields->lengths + fields->encodings > 1)
        return false; /* two framings, even equal ones, are how requests are smuggled */
    head->framing = HTTP_FRAMING_NONE;
    if (fields->encodings == 1) {
        head->framing = HTTP_FRAMING_CHUNKED;
        return http11 && span_is_nocase(fields->encoding, "chunked");
    }
    if (fields->lengths == 0)
        return true;
    if (!length_parse(fields->length, &head->length))
        return false;
    if (head->length > 0)
        head->framing = HTTP_FRAMING_LENGTH;
    return true;
}

static bool host_check(const struct fields *fields, bool http11)
{
    if (fields->hosts == 0)
        return !http11;
    return fields->hosts == 1 && fields->host.size > 0 && all_of(fields->host, CLASS_HOST);
}

/* --- the head --- */

enum http_head_end http_head_find_end(const uint8_t *bytes, size_t size, size_t *scanned,
                                      size_t *ret_size)
{
    while (*scanned < size) {
        const uint8_t *found = memchr(bytes + *scanned, '\n', size - *scanned);
        if (!found)
            break;
        size_t at = (size_t)(found - bytes);
        if (at == 0 || bytes[at - 1] != '\r')
            return HTTP_HEAD_END_NEVER;
        *scanned = at + 1;
        if (at == 1 || (at >= 3 && bytes[at - 2] == '\n')) {
            *ret_size = at + 1;
            return HTTP_HEAD_END_FOUND;
        }
    }
    *scanned = size;
    return HTTP_HEAD_END_MISSING;
}

enum http_head_verdict http_head_check(const uint8_t *bytes, size_t size,
                                       struct http_head *ret_head)
{
    struct span rest = {bytes, size}, line;
    struct http_head head = {0};
    struct fields fields = {0};
    bool http11 = false;
    if (!cut_line(&rest, &line))
        return HTTP_HEAD_BAD;
    enum http_head_verdict verdict = request_line_check(line, &head, &http11);
    if (verdict == HTTP_HEAD_BAD)
        return verdict;
    while (cut_line(&rest, &line)) {
        if (line.size == 0) {
            if (rest.size > 0 || !host_check(&fields, http11) ||
                !framing_decide(&fields, http11, &head))
                return HTTP_HEAD_BAD;
            *ret_head = head;
            return verdict;
        }
        if (!field_read(line, &fields))
            return HTTP_HEAD_BAD;
    }
    return HTTP_HEAD_BAD;
}
