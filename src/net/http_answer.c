#include "net/http_answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_answer_start(struct http_answer *answer, bool to_head)
{
    *answer = (struct http_answer){.to_head = to_head, .framing = HTTP_FRAMING_CLOSE};
}

/* The value behind `name`, which ends in a colon; NULL: another field. */
static const char *field_value(const char *line, const char *name)
{
    size_t size = strlen(name);
    return strncasecmp(line, name, size) == 0 ? line + size + strspn(line + size, " \t") : NULL;
}

static void line_read(struct http_answer *answer)
{
    const char *line = answer->line, *value = NULL;
    if (answer->status == 0) { /* HTTP/1.1 200 OK */
        const char *code = strchr(line, ' ');
        answer->status = code ? (int)strtol(code, NULL, 10) : 500;
    } else if ((value = field_value(line, "Content-Length:"))) {
        answer->framing = HTTP_FRAMING_LENGTH;
        answer->length = strtoull(value, NULL, 10);
    } else if (field_value(line, "Transfer-Encoding:")) {
        answer->framing = HTTP_FRAMING_CHUNKED;
    }
}

/* The empty line is reached. True: that was all. */
static bool head_end(struct http_answer *answer)
{
    if (answer->status >= 100 && answer->status < 200) {
        http_answer_start(answer, answer->to_head);
        return false;
    }
    if (answer->to_head || answer->status == 204 || answer->status == 304 ||
        (answer->framing == HTTP_FRAMING_LENGTH && answer->length == 0))
        return true;
    http_body_start(&answer->body, answer->framing, answer->length, UINT64_MAX);
    answer->in_body = true;
    return false;
}

/* One byte of the head. True: it ends an answer without a body. */
static bool head_byte(struct http_answer *answer, char byte)
{
    if (byte == '\r')
        return false;
    if (byte != '\n') {
        if (answer->line_size < sizeof answer->line - 1)
            answer->line[answer->line_size++] = byte;
        return false;
    }
    bool empty = answer->line_size == 0;
    answer->line[answer->line_size] = '\0';
    answer->line_size = 0;
    if (empty)
        return head_end(answer);
    line_read(answer);
    return false;
}

bool http_answer_take(struct http_answer *answer, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (answer->in_body) {
            enum http_body_verdict verdict;
            (void)http_body_take(&answer->body, bytes + i, size - i, &verdict);
            return verdict == HTTP_BODY_DONE;
        }
        if (head_byte(answer, (char)bytes[i]))
            return true;
    }
    return false;
}

bool http_answer_begun(const struct http_answer *answer)
{
    return answer->status != 0 || answer->line_size > 0;
}
