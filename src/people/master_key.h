/* master_key.h - the file with the keys that seal secrets in the database.
 *
 * Lines of base64, 32 bytes each, newest first: the first one seals, all of them open, so that a
 * key can be replaced while secrets under the old one are still there. Blank lines and lines that
 * begin with '#' are passed over. Blocking; small files. */
#ifndef VENDGATE_PEOPLE_MASTER_KEY_H
#define VENDGATE_PEOPLE_MASTER_KEY_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MASTER_KEY_SIZE 32
#define MASTER_KEYS_MAX 8
#define MASTER_KEY_ID_SIZE 9 /* the first 8 hexadecimal digits of the key's SHA-256 and a NUL */
#define MASTER_KEY_ERROR_SIZE 512

struct master_key {
    uint8_t bytes[MASTER_KEY_SIZE];
    char id[MASTER_KEY_ID_SIZE];
};

struct master_keys {
    struct master_key keys[MASTER_KEYS_MAX];
    size_t count;
};

/* 0, or a negative errno with what is wrong and the remedy in ret_error; the output is untouched
 * then. -EACCES: others than its owner may read it. (A file below $CREDENTIALS_DIRECTORY may be
 * readable by its group: systemd grants its service the access through an ACL, whose mask shows
 * there, and guards the folder.) */
MUST_CHECK int master_keys_read(const char *path, struct master_keys *ret_keys,
                                char ret_error[static MASTER_KEY_ERROR_SIZE]);
/* Wipes. */
void master_keys_done(struct master_keys *keys);

/* Writes a file with a new key, readable by its owner only; whole or not at all. -EEXIST: there is
 * one already. With `renew` there must be one: its keys follow below the new one. */
MUST_CHECK int master_key_make(const char *path, bool renew, struct master_key *ret_key,
                               char ret_error[static MASTER_KEY_ERROR_SIZE]);

/* $CREDENTIALS_DIRECTORY/master_key, if systemd gave us that; the caller frees. NULL: no. */
char *master_key_credential(void);

#endif
