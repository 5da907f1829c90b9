/* device.h - the firmware of a simulated machine: numbers its events, keeps its promises about
 * approvals, answers commands. Knows the machine protocol and the journal; knows nothing of
 * sockets, time or customers.
 *
 * Every promise is in the journal before the function that makes it returns. Events are numbered
 * and kept here; whoever holds the connection sends those of journal_ledger()->events that are not
 * acknowledged yet. */
#ifndef VENDGATE_VENDSIM_DEVICE_H
#define VENDGATE_VENDSIM_DEVICE_H

#include "vendsim/journal.h"

struct device;

/* What a command did, beyond its reply. */
enum device_effect {
    DEVICE_NOTHING = 0,
    DEVICE_ONLINE,         /* hello was answered: send what is not acknowledged */
    DEVICE_SESSION_OPENED, /* the customer may choose */
    DEVICE_SESSION_CLOSED,
    DEVICE_KEYS_PRESSED, /* see device_keys() */
    DEVICE_TAKEN,        /* ledger_unfinished() is to be dispensed now */
    DEVICE_DENIED,       /* the choice was refused; the session goes on */
    DEVICE_RESEND,       /* some events count as unacknowledged again: send them */
    DEVICE_REBOOT,
};

/* The journal is borrowed. */
struct device *device_new(struct journal *journal);
void device_free(struct device **device);

/* Power comes on: an approval without a result becomes interrupted, an open session ends, and the
 * machine introduces itself (info; planogram and keypad until a planogram was acknowledged).
 * Forgets what is only in RAM. */
void device_boot(struct device *device);

/* Works off one command that waited `waited_ms` since its arrival. The reply (caller owns), or NULL
 * when there is none to give: no command at all, or one of an older generation. A repeated id
 * repeats its reply, with no effect. */
json_t *device_command(struct device *device, const json_t *command, int64_t waited_ms,
                       enum device_effect *ret_effect);
/* The next `lock` is refused with this word (borrowed); NULL: locks are accepted. */
void device_refuse_locks(struct device *device, const char *reason);

/* The keys of the latest `keys` command; borrowed until the next. */
const json_t *device_keys(const struct device *device);

/* Numbers an event and keeps it until it is acknowledged: takes `body` (without numbers). -ENOBUFS:
 * 512 are waiting already; it did not happen. */
MUST_CHECK int device_event(struct device *device, json_t *body);

struct device_choice {
    int64_t item, price;
    const char *label; /* borrowed for the call */
};

/* Without an open session these do nothing. */
void device_select(struct device *device, const struct device_choice *choice);
void device_withdraw(struct device *device);
void device_end_session(struct device *device, const char *reason);
/* Tells the present choice again, as a machine does that lost an acknowledgement on its bus. */
void device_repeat_selection(struct device *device);
/* A choice waits for its approval. */
bool device_choosing(const struct device *device);

/* Of the unfinished approval, if there is one. Between the two the motor runs. */
void device_put_on_bus(struct device *device);
/* `code` as in /txn/vend; used when it was not dispensed. */
void device_finish(struct device *device, bool dispensed, int64_t code);

/* The gateway acknowledged this event. */
void device_acknowledged(struct device *device, int64_t epoch, int64_t seq);

#endif
