/* address.h - which addresses a callback may be sent to, so that an integrator cannot point us at
 * our own network (SSRF). Pure: IANA's special-purpose registries as a table. */
#ifndef VENDGATE_OUTBOUND_ADDRESS_H
#define VENDGATE_OUTBOUND_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_SIZE 48

/* NULL: may be used. Else what is wrong with it ("private", "loopback", ...; static).
 * `allow_private` lifts private, shared (CGNAT), loopback and link-local; multicast, reserved and
 * every form that hides an IPv4 address in an IPv6 one stay refused. */
const char *address_refusal(const struct sockaddr *address, bool allow_private);

/* "203.0.113.7", "2001:db8::1": no port, no brackets. */
void address_text(const struct sockaddr *address, char ret_text[static ADDRESS_TEXT_SIZE]);
/* False: not a literal address. */
bool address_parse(const char *text, struct sockaddr_storage *ret_address);

#endif
