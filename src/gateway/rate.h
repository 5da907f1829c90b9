/* rate.h - how many calls a second each integrator may make: a bucket for each, holding one
 * second's worth. */
#ifndef VENDGATE_GATEWAY_RATE_H
#define VENDGATE_GATEWAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate;

struct rate *rate_new(void);
/* Takes one call out of the integrator's bucket. False: it is empty. `per_second` 0: no limit. */
bool rate_take(struct rate *rate, int64_t integrator_id, int64_t per_second);
void rate_free(struct rate **rate);

#endif
