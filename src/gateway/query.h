/* query.h - the query of a URL, as a JSON object that is read like a body. */
#ifndef VENDGATE_GATEWAY_QUERY_H
#define VENDGATE_GATEWAY_QUERY_H

#include <jansson.h>
#include <microhttpd.h>

/* Digits (at most 18, with or without a minus) become a number, else a value is a text. false:
 * given twice, without a value, or no UTF-8, which no reader of a field takes. Caller owns. */
json_t *query_read(struct MHD_Connection *mhd);
/* One value; NULL: none was given. For tests. */
json_t *query_value(const char *text);

#endif
