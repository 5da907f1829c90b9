/* commands.h - the commands of one connection: queue, window, acknowledgements, replies; for the
 * files of this folder only.
 *
 *   QUEUED -> SENT -> (PUBACK) RECEIVED -> (reply) done
 * A reply may overtake the PUBACK. A command lives and dies with its connection: nothing is ever
 * sent twice. */
#ifndef VENDGATE_MACHINE_LINK_COMMANDS_H
#define VENDGATE_MACHINE_LINK_COMMANDS_H

#include "machine_link/connection.h"

/* See machine_link_send() and machine_link_cancel(). */
MUST_CHECK int commands_send(struct connection *connection, const struct machine_command *command,
                             char ret_id[COMMAND_ID_SIZE]);
void commands_cancel(struct connection *connection, const char *id);
/* Sends what the window allows. */
void commands_pump(struct connection *connection);
void puback_received(struct connection *connection, const struct mqtt_frame *frame);
/* A body on `re`, of the machine or a tool; `live` may be NULL. What to answer. */
enum mqtt_reason commands_reply(struct machine *machine, const char *bytes, size_t size);

/* When the next deadline of a command is due; INT64_MAX: none. */
int64_t commands_due_ms(const struct connection *connection);
/* A command was not acknowledged in time. */
bool commands_overdue(const struct connection *connection, int64_t now_ms);
/* Takes out what was not sent in time: dropped(). Only from the loop. */
void commands_expire(struct connection *connection, int64_t now_ms);
/* Tells what happened inside a call of our owner's: received() at QoS 0, dropped() of what the
 * client cannot take. Only from the loop. */
void commands_settle(struct connection *connection);
/* The link is down: dropped() for what was not acknowledged. Only from the loop. */
void commands_abandon(struct connection *connection);
/* Frees all, tells nobody. */
void commands_free(struct connection *connection);

#endif
