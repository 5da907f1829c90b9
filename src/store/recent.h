/* recent.h - operations whose commit PostgreSQL has answered but may not have flushed yet: with
 * asynchronous commit a crash of the server takes back the last few. They are kept for a while, and
 * run again when the connection is lost; each must be harmless to repeat. Internal to store/. */
#ifndef VENDGATE_STORE_RECENT_H
#define VENDGATE_STORE_RECENT_H

#include "store/operation.h"

#include <stddef.h>

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent **recent);

/* Takes an operation whose `finish` has run, and forgets those that must be on disk by now. */
void recent_add(struct recent *recent, struct operation *operation);
/* All that are left, oldest first, as a utlist that is the caller's; `finish` of them does nothing.
 */
struct operation *recent_take(struct recent *recent, size_t *ret_count);

#endif
