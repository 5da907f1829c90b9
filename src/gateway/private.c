#include "base/memory.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "gateway/reception.h"

#include <string.h>

#define TEXT_TYPE "text/plain; charset=utf-8"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void handle_metrics(struct request *request)
{
    size_t size = 0;
    char *text = metrics_render(request->gateway->parts.metrics, &size);
    request_answer_body(request, MHD_HTTP_OK, METRICS_TYPE, text, size);
}

static void answer_text(struct request *request, int status, const char *text)
{
    char *body = memory_format("%s\n", text);
    request_answer_body(request, status, TEXT_TYPE, body, strlen(body));
}

/* That it answers at all proves that the loop turns. */
void handle_livez(struct request *request)
{
    answer_text(request, MHD_HTTP_OK, "ok");
}

void handle_readyz(struct request *request)
{
    const struct gateway *gateway = request->gateway;
    const char *not_ready =
        gateway->draining ? "shutting down" : reception_not_ready(request->gateway);
    if (not_ready)
        answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, not_ready);
    else
        answer_text(request, MHD_HTTP_OK, "ok");
}
