/* roster.h - the machines to simulate, from the file given by --machines. Owns its texts.
 *
 * The file: an array of {"vm_id":"..", "cert_file":"..", "key_file":".."[, "behaviour":".."]}; or
 * an object whose field `machines` is that array, so that the sandbox's description serves as it
 * is. */
#ifndef VENDGATE_VENDSIM_ROSTER_H
#define VENDGATE_VENDSIM_ROSTER_H

#include "base/macros.h"
#include "vendsim/behaviour.h"

#include <stddef.h>

#define ROSTER_ERROR_SIZE 256

struct roster_entry {
    char *vm_id, *cert_file, *key_file;
    struct behaviour behaviour;
};

struct roster {
    struct roster_entry *entries;
    size_t count;
};

/* A machine without a behaviour gets `standard`. -EINVAL with the reason in ret_error. */
MUST_CHECK int roster_read(const char *path, const struct behaviour *standard,
                           struct roster *ret_roster, char ret_error[static ROSTER_ERROR_SIZE]);
void roster_done(struct roster *roster);

#endif
