/* signing.h - new keys for signing callbacks (Standard Webhooks). */
#ifndef VENDGATE_VENDCTL_SIGNING_H
#define VENDGATE_VENDCTL_SIGNING_H

#include <stdbool.h>

/* "whsk_" or "whpk_" and base64 of at most 64 bytes, and a NUL. */
#define SIGNING_TEXT_SIZE 96

/* Wiped by signing_key_done(). */
struct signing_key {
    char secret[SIGNING_TEXT_SIZE];     /* "whsec_..." (v1) or "whsk_..." (v1a) */
    char public_key[SIGNING_TEXT_SIZE]; /* "whpk_..."; empty: v1 */
};

void signing_key_make(bool v1a, struct signing_key *ret_key);
void signing_key_done(struct signing_key *key);

#endif
