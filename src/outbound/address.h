/* address.h - which addresses a callback may be sent to, so that an integrator cannot point us at
 * our own network (SSRF). Pure: IANA's special-purpose registries as a table, and the addresses
 * where clouds tell a machine its own secrets. */
#ifndef VENDGATE_OUTBOUND_ADDRESS_H
#define VENDGATE_OUTBOUND_ADDRESS_H

#include "outbound/networks.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_SIZE 48

/* NULL: may be used. Else what is wrong with it ("private", "loopback", ...; static). Whatever is
 * not plainly public is refused unless a network of `allowed` (NULL: none) contains it. An IPv6
 * form that hides an IPv4 address (mapped, NAT64, 6to4 ...) is let pass by an IPv6 network only,
 * whatever IPv4 networks say; "cloud metadata", hidden or not, by a network of that one address. */
const char *address_refusal(const struct sockaddr *address, const struct networks *allowed);

/* "203.0.113.7", "2001:db8::1": no port, no brackets. */
void address_text(const struct sockaddr *address, char ret_text[static ADDRESS_TEXT_SIZE]);
/* False: not a literal address. */
bool address_parse(const char *text, struct sockaddr_storage *ret_address);

#endif
