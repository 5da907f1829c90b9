#include "gateway/http_metrics.h"

#include "base/macros.h"

#include <stdio.h>

enum { ANSWERS, SECONDS, UNDER_WAY, WAITING };

static const struct metric_def DEFS[] = {
    [ANSWERS] = {"vendgate_http_requests_total",
                 METRIC_COUNTER,
                 "Requests answered, by surface, path, HTTP status and reason code.",
                 {"surface", "path", "status", "reason"},
                 NULL},
    [SECONDS] = {"vendgate_http_request_seconds",
                 METRIC_HISTOGRAM,
                 "From a request's head to its answer.",
                 {"surface", "path"},
                 NULL},
    [UNDER_WAY] = {"vendgate_http_requests_under_way",
                   METRIC_GAUGE,
                   "Requests whose answer has not been sent whole.",
                   {NULL},
                   NULL},
    [WAITING] = {"vendgate_http_requests_waiting",
                 METRIC_GAUGE,
                 "Requests that wait for a machine, the database or a password check.",
                 {NULL},
                 NULL},
};

void http_metrics_init(struct http_metrics *http, struct metrics *metrics)
{
    metrics_declare(metrics, DEFS, ARRAY_SIZE(DEFS));
    http->metrics = metrics;
    http->under_way = metrics_cell(metrics, &DEFS[UNDER_WAY]);
    http->waiting = metrics_cell(metrics, &DEFS[WAITING]);
}

void http_metrics_answered(struct http_metrics *http, const char *surface, const char *path,
                           int status, enum reason reason, double seconds)
{
    char status_text[16];
    snprintf(status_text, sizeof(status_text), "%d", status);
    const char *code = reason_info(reason)->code;
    metric_add(
        metrics_cell(http->metrics, &DEFS[ANSWERS], surface, path, status_text, code ? code : "OK"),
        1);
    metric_observe(metrics_cell(http->metrics, &DEFS[SECONDS], surface, path), seconds);
}
