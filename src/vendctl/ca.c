#include "vendctl/ca.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "people/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S (24 * 3600L)
#define AUTHORITY_DAYS 3650L
#define LEAF_DAYS 825L
#define BACKDATED_S 3600L /* a machine's clock may be late */
#define SERIAL_BYTES 16

static int refuse(int error, char ret_error[static CA_ERROR_SIZE], const char *format, ...)
    PRINTF_LIKE(3, 4);

static int refuse(int error, char ret_error[static CA_ERROR_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error, CA_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return error;
}

static int refuse_openssl(char ret_error[static CA_ERROR_SIZE], const char *what)
{
    char reason[128];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    return refuse(-EINVAL, ret_error, "%s: %s", what, reason);
}

static void key_done(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void certificate_done(X509 **certificate)
{
    X509_free(*certificate);
}

/* --- Files --- */

/* Written under another name first, then renamed. */
struct draft {
    char *path;
    FILE *file;
};

/* False: the reason is told, and there is nothing to close. */
static bool draft_open(struct draft *draft, const char *path, mode_t mode,
                       char ret_error[static CA_ERROR_SIZE])
{
    draft->path = memory_format("%s.%d.new", path, (int)getpid());
    int fd = open(draft->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    draft->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (draft->file)
        return true;
    (void)refuse(-errno, ret_error, "%s: %s", path, strerror(errno));
    free(TAKE(draft->path));
    return false;
}

static int draft_close(struct draft *draft, const char *path, bool written,
                       char ret_error[static CA_ERROR_SIZE])
{
    bool whole = fflush(draft->file) == 0 && fsync(fileno(draft->file)) == 0;
    whole = fclose(draft->file) == 0 && whole && written;
    if (whole && rename(draft->path, path) == 0) {
        free(draft->path);
        return 0;
    }
    int error = errno;
    (void)unlink(draft->path);
    free(draft->path);
    return refuse(error ? -error : -EIO, ret_error, "%s cannot be written", path);
}

int ca_write_certificate(const char *path, X509 *certificate, char ret_error[static CA_ERROR_SIZE])
{
    struct draft draft;
    if (!draft_open(&draft, path, 0644, ret_error))
        return -EIO;
    bool written = PEM_write_X509(draft.file, certificate) == 1;
    return draft_close(&draft, path, written, ret_error);
}

int ca_write_key(const char *path, EVP_PKEY *key, char ret_error[static CA_ERROR_SIZE])
{
    struct draft draft;
    if (!draft_open(&draft, path, 0600, ret_error))
        return -EIO;
    bool written = PEM_write_PKCS8PrivateKey(draft.file, key, NULL, NULL, 0, NULL, NULL) == 1;
    return draft_close(&draft, path, written, ret_error);
}

static FILE *open_to_read(const char *path, char ret_error[static CA_ERROR_SIZE])
{
    FILE *file = fopen(path, "re");
    if (!file)
        (void)refuse(-errno, ret_error, "%s: %s", path, strerror(errno));
    return file;
}

/* --- Certificates --- */

struct extension {
    int nid;
    const char *value;
};

static bool extensions_add(X509 *certificate, X509 *issuer, const struct extension *extensions,
                           size_t count)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, &context, extensions[i].nid, extensions[i].value);
        bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        if (!added)
            return false;
    }
    return true;
}

/* Random and positive (RFC 5280, 4.1.2.2). */
static bool serial_set(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    random_bytes(bytes, sizeof(bytes));
    bytes[0] = (unsigned char)((bytes[0] & 0x3F) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

static bool name_set(X509 *certificate, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                      (const unsigned char *)common_name, -1, -1, 0) == 1;
}

/* Version, serial, names, times and key; no extension, no signature. */
static X509 *certificate_start(const char *common_name, const X509 *issuer, EVP_PKEY *key,
                               long days)
{
    X509 *certificate = X509_new();
    time_t now = (time_t)clock_unix_s();
    bool filled =
        certificate && X509_set_version(certificate, X509_VERSION_3) && serial_set(certificate) &&
        name_set(certificate, common_name) &&
        X509_time_adj_ex(X509_getm_notBefore(certificate), 0, -BACKDATED_S, &now) &&
        X509_time_adj_ex(X509_getm_notAfter(certificate), 0, days * DAY_S, &now) &&
        X509_set_pubkey(certificate, key) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer ? issuer : certificate));
    if (!filled) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

int ca_issue(const struct ca *ca, EVP_PKEY *key, const struct ca_subject *subject,
             X509 **ret_certificate, char ret_error[static CA_ERROR_SIZE])
{
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, subject->server ? "serverAuth" : "clientAuth"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid"},
        {NID_subject_alt_name, subject->alternative},
    };
    _cleanup_(certificate_done) X509 *certificate =
        certificate_start(subject->common_name, ca->certificate, key, LEAF_DAYS);
    if (!certificate ||
        !extensions_add(certificate, ca->certificate, extensions, ARRAY_SIZE(extensions)) ||
        !X509_sign(certificate, ca->key, EVP_sha256()))
        return refuse_openssl(ret_error, subject->alternative);
    *ret_certificate = TAKE(certificate);
    return 0;
}

/* --- Keys --- */

int ca_key_new(EVP_PKEY **ret_key, char ret_error[static CA_ERROR_SIZE])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (!key)
        return refuse_openssl(ret_error, "making a key");
    *ret_key = key;
    return 0;
}

int ca_request_read(const char *path, EVP_PKEY **ret_key, char ret_error[static CA_ERROR_SIZE])
{
    FILE *file = open_to_read(path, ret_error);
    if (!file)
        return -ENOENT;
    X509_REQ *request = PEM_read_X509_REQ(file, NULL, NULL, NULL);
    fclose(file);
    if (!request)
        return refuse_openssl(ret_error, path);
    EVP_PKEY *key = X509_REQ_get_pubkey(request);
    bool proven = key && X509_REQ_verify(request, key) == 1;
    X509_REQ_free(request);
    if (!proven) {
        EVP_PKEY_free(key);
        return refuse(-EACCES, ret_error, "%s: its signature does not prove possession of the key",
                      path);
    }
    *ret_key = key;
    return 0;
}

int ca_fingerprint(EVP_PKEY *key, char ret_hex[static CA_FINGERPRINT_SIZE],
                   char ret_error[static CA_ERROR_SIZE])
{
    static_assert(CA_FINGERPRINT_SIZE == SECRET_SHA256_SIZE, "a fingerprint is a SHA-256");
    unsigned char *encoded = NULL;
    int size = i2d_PUBKEY(key, &encoded);
    if (size <= 0)
        return refuse_openssl(ret_error, "encoding the key");
    secret_sha256_hex(encoded, (size_t)size, ret_hex);
    OPENSSL_free(encoded);
    return 0;
}

/* --- The authority --- */

static int authority_make(struct ca *ca, char ret_error[static CA_ERROR_SIZE])
{
    static const struct extension EXTENSIONS[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_subject_key_identifier, "hash"},
    };
    int result = ca_key_new(&ca->key, ret_error);
    if (result < 0)
        return result;
    ca->certificate = certificate_start("vendgate private CA", NULL, ca->key, AUTHORITY_DAYS);
    if (!ca->certificate ||
        !extensions_add(ca->certificate, ca->certificate, EXTENSIONS, ARRAY_SIZE(EXTENSIONS)) ||
        !X509_sign(ca->certificate, ca->key, EVP_sha256()))
        return refuse_openssl(ret_error, "making the CA");
    return 0;
}

int ca_create(const char *folder, char ret_error[static CA_ERROR_SIZE])
{
    _cleanup_(memory_text_free) char *certificate_path = memory_format("%s/ca.pem", folder);
    _cleanup_(memory_text_free) char *key_path = memory_format("%s/ca.key", folder);
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return refuse(-errno, ret_error, "%s: %s", folder, strerror(errno));
    if (access(key_path, F_OK) == 0)
        return refuse(-EEXIST, ret_error, "%s exists already", key_path);
    struct ca ca = {0};
    int result = authority_make(&ca, ret_error);
    if (result == 0)
        result = ca_write_key(key_path, ca.key, ret_error);
    if (result == 0)
        result = ca_write_certificate(certificate_path, ca.certificate, ret_error);
    ca_done(&ca);
    return result;
}

int ca_open(const char *folder, struct ca *ret_ca, char ret_error[static CA_ERROR_SIZE])
{
    _cleanup_(memory_text_free) char *certificate_path = memory_format("%s/ca.pem", folder);
    _cleanup_(memory_text_free) char *key_path = memory_format("%s/ca.key", folder);
    FILE *file = open_to_read(certificate_path, ret_error);
    if (!file)
        return -ENOENT;
    _cleanup_(certificate_done) X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = open_to_read(key_path, ret_error);
    if (!file)
        return -ENOENT;
    _cleanup_(key_done) EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    if (!certificate || !key)
        return refuse_openssl(ret_error, folder);
    if (X509_check_private_key(certificate, key) != 1)
        return refuse(-EINVAL, ret_error, "%s does not belong to %s", key_path, certificate_path);
    *ret_ca = (struct ca){.certificate = TAKE(certificate), .key = TAKE(key)};
    return 0;
}

void ca_done(struct ca *ca)
{
    X509_free(TAKE(ca->certificate));
    EVP_PKEY_free(TAKE(ca->key));
}
