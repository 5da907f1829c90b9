/* ca.h - a small private certificate authority in a folder: ca.pem and ca.key. EC P-256, SHA-256.
 * Blocking.
 *
 * Machines' certificates name the machine as SAN URI urn:vm:<vm_id>; the gateway trusts the key
 * that is registered for it, so this CA needs neither revocation lists nor a database. */
#ifndef VENDGATE_VENDCTL_CA_H
#define VENDGATE_VENDCTL_CA_H

#include "base/macros.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#define CA_ERROR_SIZE 256
#define CA_FINGERPRINT_SIZE 65

struct ca {
    X509 *certificate;
    EVP_PKEY *key;
};

/* Whom a certificate is for. */
struct ca_subject {
    const char *common_name;
    const char
        *alternative; /* as OpenSSL writes it: "DNS:localhost,IP:127.0.0.1", "URI:urn:vm:a" */
    bool server;      /* a TLS server, else a TLS client */
};

/* All return 0 or a negative errno with the reason in ret_error; outputs are untouched on a
 * failure. */

/* Makes the folder if need be. -EEXIST: it holds a CA already. */
MUST_CHECK int ca_create(const char *folder, char ret_error[static CA_ERROR_SIZE]);
MUST_CHECK int ca_open(const char *folder, struct ca *ret_ca, char ret_error[static CA_ERROR_SIZE]);
void ca_done(struct ca *ca);

MUST_CHECK int ca_key_new(EVP_PKEY **ret_key, char ret_error[static CA_ERROR_SIZE]);
/* The public key of a certificate request whose signature proves that the asker has the private
 * one. Nothing else of it is used. */
MUST_CHECK int ca_request_read(const char *path, EVP_PKEY **ret_key,
                               char ret_error[static CA_ERROR_SIZE]);
/* For 825 days. */
MUST_CHECK int ca_issue(const struct ca *ca, EVP_PKEY *key, const struct ca_subject *subject,
                        X509 **ret_certificate, char ret_error[static CA_ERROR_SIZE]);
/* SHA-256 of the key's SubjectPublicKeyInfo, as machine_credential.digest holds it. */
MUST_CHECK int ca_fingerprint(EVP_PKEY *key, char ret_hex[static CA_FINGERPRINT_SIZE],
                              char ret_error[static CA_ERROR_SIZE]);

/* A key is readable by its owner only. The file appears whole or not at all. */
MUST_CHECK int ca_write_certificate(const char *path, X509 *certificate,
                                    char ret_error[static CA_ERROR_SIZE]);
MUST_CHECK int ca_write_key(const char *path, EVP_PKEY *key, char ret_error[static CA_ERROR_SIZE]);

#endif
