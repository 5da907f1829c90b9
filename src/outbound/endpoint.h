/* endpoint.h - where and how one integrator wants its callbacks: what the directory said, checked
 * and made ready once, so that an attempt only copies. Counted: an attempt under way keeps the
 * version it began with. */
#ifndef VENDGATE_OUTBOUND_ENDPOINT_H
#define VENDGATE_OUTBOUND_ENDPOINT_H

#include "outbound/callback_url.h"
#include "outbound/host.h"
#include "outbound/networks.h"
#include "outbound/outbound.h"
#include "outbound/webhook_signature.h"

#define ENDPOINT_CREDENTIALS_MAX 2
#define ENDPOINT_FAULT_SIZE CALLBACK_URL_FAULT_SIZE

/* Read only for all but endpoint.c. */
struct endpoint {
    unsigned references;
    char fault[ENDPOINT_FAULT_SIZE]; /* why no attempt can be made; then the rest is not there */
    char *base_url;                  /* without a slash at the end */
    char *ca_file;                   /* NULL: the system's */
    char *client_cert_file, *client_key_file;    /* what we present in TLS; NULL: nothing */
    char *public_key_pins;                       /* NULL: none */
    char *credentials[ENDPOINT_CREDENTIALS_MAX]; /* header lines; NULL where there are fewer */
    struct webhook_signer *signer;
    bool overdue_told; /* that it signs with a key that is over; endpoint_sign() */
    struct host *host;
    bool allow_http;
    struct networks *allowed; /* that are not public; NULL: none */
    int64_t changed_ms; /* monotonic; connections and certificates from before are not used. 0:
                           never changed */
};

/* Never NULL; what is wrong with `given` is told by `fault`. One reference is the caller's;
 * `resolver` is borrowed. */
struct endpoint *endpoint_new(struct resolver *resolver, const struct outbound_endpoint *given,
                              int64_t changed_ms);
struct endpoint *endpoint_keep(struct endpoint *endpoint);
/* webhook_sign(); that only a key that is over was left is logged once. */
void endpoint_sign(struct endpoint *endpoint, int64_t integrator_id,
                   const struct webhook_message *message,
                   char ret_signature[static WEBHOOK_SIGNATURE_SIZE]);
/* Gives one reference back. */
void endpoint_free(struct endpoint **endpoint);

#endif
