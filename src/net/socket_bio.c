#include "net/socket_bio.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

static int socket_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static bool worth_a_retry(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int socket_bio_write(BIO *bio, const char *bytes, size_t size, size_t *ret_written)
{
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(socket_of(bio), bytes, size, MSG_NOSIGNAL);
    if (sent >= 0) {
        *ret_written = (size_t)sent;
        return 1;
    }
    *ret_written = 0;
    if (worth_a_retry(errno))
        BIO_set_retry_write(bio);
    return 0;
}

static int socket_bio_read(BIO *bio, char *bytes, size_t size, size_t *ret_read)
{
    BIO_clear_retry_flags(bio);
    ssize_t received = recv(socket_of(bio), bytes, size, 0);
    *ret_read = received > 0 ? (size_t)received : 0;
    if (received > 0)
        return 1;
    if (received == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF); /* OpenSSL tells an end from an error by it */
    else if (worth_a_retry(errno))
        BIO_set_retry_read(bio);
    return 0;
}

static long socket_bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: /* nothing is held back here */
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static int socket_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *socket_bio_method(void)
{
    BIO_METHOD *method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vendgate socket");
    if (!method)
        return NULL;
    if (BIO_meth_set_write_ex(method, socket_bio_write) != 1 ||
        BIO_meth_set_read_ex(method, socket_bio_read) != 1 ||
        BIO_meth_set_ctrl(method, socket_bio_control) != 1 ||
        BIO_meth_set_create(method, socket_bio_create) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *socket_bio_new(const BIO_METHOD *method, int fd)
{
    BIO *bio = BIO_new(method);
    if (bio)
        BIO_set_data(bio, (void *)(intptr_t)fd);
    return bio;
}
