#include "outbound/answer.h"

#include "base/json.h"
#include "base/utf8.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_TIMEOUT = 408, HTTP_GONE = 410, HTTP_TOO_EARLY = 425, HTTP_TOO_MANY = 429 };

static enum attempt_result result_of_status(int status)
{
    if (status >= 200 && status < 300)
        return ATTEMPT_DELIVERED;
    if (status == HTTP_GONE)
        return ATTEMPT_GONE;
    if (status == HTTP_TIMEOUT || status == HTTP_TOO_EARLY || status == HTTP_TOO_MANY)
        return ATTEMPT_RETRY;
    return status >= 300 && status < 500 ? ATTEMPT_PERMANENT : ATTEMPT_RETRY;
}

static int64_t seconds_to_ms(int64_t seconds)
{
    const int64_t day_s =
        INT64_C(24) * 60 * 60; /* far above what is honoured; keeps the product small */
    return (seconds < 0 ? 0 : seconds > day_s ? day_s : seconds) * 1000;
}

/* RFC 9110, 10.2.3: delay in seconds, or a date. */
static int64_t retry_after_ms(const char *text, int64_t now_s)
{
    if (!text || *text == '\0')
        return -1;
    if (text[strspn(text, "0123456789")] == '\0') {
        errno = 0;
        long long seconds = strtoll(text, NULL, 10);
        return seconds_to_ms(errno ? INT64_MAX : (int64_t)seconds);
    }
    time_t date = curl_getdate(text, NULL);
    return date < 0 ? -1 : seconds_to_ms((int64_t)date - now_s);
}

/* Some platforms put a byte order mark before their JSON. */
static json_t *read_envelope(const struct answer *answer)
{
    const char *body = answer->body;
    size_t size = answer->body_size;
    if (size >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0) {
        body += 3;
        size -= 3;
    }
    return json_loadb(body, size, JSON_DISABLE_EOF_CHECK, NULL);
}

static void read_verdict(const struct answer *answer, struct verdict *verdict)
{
    if (answer->body_size == 0)
        return;
    json_t *envelope _cleanup_(json_release) = read_envelope(answer);
    if (!json_is_object(envelope)) {
        verdict->note = "the answer is not a JSON object";
        return;
    }
    if (!json_is_boolean(json_object_get(envelope, "success")))
        verdict->note = "the answer has no boolean success";
    if (json_is_false(json_object_get(envelope, "success")))
        verdict->result = ATTEMPT_REFUSED;
    const char *message = json_string_value(json_object_get(envelope, "message"));
    if (message)
        answer_printable(message, strlen(message), verdict->message, sizeof(verdict->message));
}

void answer_read(const struct answer *answer, int64_t now_s, struct verdict *ret_verdict)
{
    *ret_verdict = (struct verdict){
        .result = result_of_status(answer->http_status),
        .retry_after_ms = retry_after_ms(answer->retry_after, now_s),
    };
    if (ret_verdict->result == ATTEMPT_DELIVERED)
        read_verdict(answer, ret_verdict);
}

void answer_printable(const char *bytes, size_t size, char *ret_text, size_t ret_size)
{
    assert(ret_size > 0);
    size_t from = 0;
    size_t to = 0;
    while (from < size) {
        size_t length = utf8_printable(bytes + from, size - from);
        size_t room = length ? length : 1;
        if (to + room >= ret_size)
            break;
        if (length)
            memcpy(ret_text + to, bytes + from, length);
        else
            ret_text[to] = '?';
        from += room;
        to += room;
    }
    ret_text[to] = '\0';
}
