/* broker_reply.h - a call's way to the broker and back: its request waits, and the broker's answer
 * becomes its own. */
#ifndef VENDGATE_GATEWAY_BROKER_REPLY_H
#define VENDGATE_GATEWAY_BROKER_REPLY_H

#include "broker/broker.h"
#include "gateway/request.h"

/* Silence of the broker proves nothing, for the step may be on disk: then the request hears
 * OUTCOME_UNKNOWN. */
struct ticket *broker_reply_wait(struct request *request);
/* For the broker's calls; `arg` is the ticket. */
void broker_reply(void *arg, const struct broker_answer *answer);

#endif
