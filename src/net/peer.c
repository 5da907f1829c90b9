#include "net/peer.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void address_write(const struct sockaddr_storage *address, char *ret_text, size_t size)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, ret_text, (socklen_t)size);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) /* an IPv4 client of a dual-stack socket */
            (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ret_text, (socklen_t)size);
        else
            (void)inet_ntop(AF_INET6, &v6->sin6_addr, ret_text, (socklen_t)size);
    } else {
        (void)snprintf(ret_text, size, "unix");
    }
}

void peer_read_socket(int fd, const struct sockaddr_storage *address, socklen_t address_size,
                      struct net_peer *ret_peer)
{
    *ret_peer = (struct net_peer){
        .address = *address, .address_size = address_size, .uid = (uid_t)-1, .gid = (gid_t)-1};
    address_write(address, ret_peer->address_text, sizeof ret_peer->address_text);
    if (address->ss_family != AF_UNIX)
        return;
    struct ucred user;
    socklen_t size = sizeof user;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size) == 0) {
        ret_peer->uid = user.uid;
        ret_peer->gid = user.gid;
    }
}

static bool fingerprint_write(const X509 *certificate, char ret_text[static 65])
{
    unsigned char *der = NULL;
    int der_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (der_size <= 0)
        return false;
    unsigned char digest[32];
    bool done = EVP_Digest(der, (size_t)der_size, digest, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    for (size_t i = 0; done && i < sizeof digest; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
    return done;
}

/* A name is taken whole or not at all: one that was cut, or that hides a NUL, could pass for
 * somebody else's. */
static void name_copy(const unsigned char *bytes, int size, char *ret_text, size_t room)
{
    if (size <= 0 || (size_t)size >= room)
        return;
    for (int i = 0; i < size; i++)
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            return;
    memcpy(ret_text, bytes, (size_t)size);
    ret_text[size] = '\0';
}

static void urn_read(const X509 *certificate, char *ret_text, size_t room)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
        name_copy(ASN1_STRING_get0_data(uri), ASN1_STRING_length(uri), ret_text, room);
        break;
    }
    GENERAL_NAMES_free(names);
}

static void common_name_read(const X509 *certificate, char *ret_text, size_t room)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0)
        return;
    unsigned char *utf8 = NULL;
    int size =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    name_copy(utf8, size, ret_text, room);
    OPENSSL_free(utf8);
}

static bool certificate_read(const X509 *certificate, struct net_peer *peer)
{
    struct tm expiry;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &expiry) != 1 ||
        !fingerprint_write(certificate, peer->fingerprint))
        return false;
    peer->certificate = true;
    peer->certificate_expires_at = (int64_t)timegm(&expiry);
    urn_read(certificate, peer->urn, sizeof peer->urn);
    common_name_read(certificate, peer->common_name, sizeof peer->common_name);
    return true;
}

int peer_read_tls(const SSL *ssl, struct net_peer *peer)
{
    peer->tls = true;
    peer->resumed = SSL_session_reused(ssl) == 1;
    (void)snprintf(peer->tls_version, sizeof peer->tls_version, "%s", SSL_get_version(ssl));
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (!certificate)
        return 0;
    if (SSL_get_verify_result(ssl) != X509_V_OK || !certificate_read(certificate, peer))
        return -EINVAL;
    return peer->certificate_expires_at <= clock_unix_s() ? -EKEYEXPIRED : 0;
}
