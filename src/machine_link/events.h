/* events.h - the events of one machine, handed up one at a time; for the files of this folder only.
 *
 * The machine's own connection and its tools share one order. Nothing is handed up before the
 * machine is online. */
#ifndef VENDGATE_MACHINE_LINK_EVENTS_H
#define VENDGATE_MACHINE_LINK_EVENTS_H

#include "machine_link/connection.h"

/* A body on `ev`; its packet is in the connection's window, unless it came at QoS 0. */
void events_receive(struct connection *connection, const struct mqtt_publish *publish);
/* Hands up what may be. Only from the loop. */
void events_pump(struct machine *machine);
/* See machine_link_ack(). */
void events_ack(struct machine_link *link, struct event_ticket ticket, enum event_ack ack);
/* The connection is going: its events that nobody has seen are forgotten, it will send them again.
 */
void events_forget(struct machine *machine, const struct connection *connection);
/* Frees the queue of a machine. */
void events_free(struct machine *machine);

#endif
