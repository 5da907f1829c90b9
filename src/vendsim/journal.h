/* journal.h - the non-volatile memory of one simulated machine: an append-only file of JSON lines,
 * and beside it the record of what really fell.
 *
 * <state-dir>/<vm_id>.journal is the device's memory. Every line has `t` (unix milliseconds) and
 * one or more of:
 *   {"journal":ID, "epoch":E, "seq":S}   birth, a new epoch, or the head of a compacted file; may
 * carry "highest_n", "planogram_known"
 *   {"approval":ID, "verdict":"taken", "n":N, "session":.., "request":.., "item":.., "price":..,
 * "amount":..}
 *   {"approval":ID, "verdict":"void", "n":N, "reason":".."}
 *   {"approval":ID, "on_bus":true}       written before the approval is put on the machine's bus
 *   {"approval":ID, "result":"dispensed"|"not_dispensed"|"interrupted", "item":.., "price":..,
 * "amount":.., "code":.., "on_bus":.., "event":{..}}     the result and the event that will tell
 * it, in one line
 *   {"event":{..}}                       an event as it is sent, its event_epoch and seq inside
 *   {"events":[..]}                      replaces the events that are kept (renumbering)
 *   {"acked":[E,S]}, {"drop_to":[E,S]}   the gateway has acknowledged one; has them all up to that
 * one
 *   {"session":S, "request":R}, {"ended":[S]}
 * A torn last line (a crash while writing) is cut off at the next open. The file is compacted when
 * it has passed 4 MiB: the memory is kept, old approvals (more than 32) go.
 *
 * <state-dir>/<vm_id>.goods is the world's memory, for a reconciler: one line
 *   {"t":.., "approval":ID, "item":.., "price":.., "amount":..}
 * per item that fell into the tray, written at the moment it falls. It is never compacted and
 * survives what the device does not: a power cut before the result, the loss of the journal. A lost
 * journal is kept as <vm_id>.journal.lost-<unix ms>.
 *
 * A journal that cannot be written ends the process: nothing it would say could be trusted. Writes
 * are synchronous (fdatasync); put the state directory on a tmpfs to simulate thousands of buying
 * machines on one disk. */
#ifndef VENDGATE_VENDSIM_JOURNAL_H
#define VENDGATE_VENDSIM_JOURNAL_H

#include "vendsim/ledger.h"

struct journal;

/* Reads the file, or begins a new one with a random id. A file that makes no sense counts as lost
 * and is put aside. Negative errno: the directory cannot be used. */
MUST_CHECK int journal_open(const char *directory, const char *vm_id, struct journal **ret_journal);
/* NULL inside is fine. */
void journal_close(struct journal **journal);

/* Borrowed, valid as long as the journal; changed by each write. */
struct ledger *journal_ledger(struct journal *journal);

/* Takes the line (and adds `t`), makes it durable, then applies it. */
void journal_write(struct journal *journal, json_t *line);
/* The same without waiting for the disk: for what may be forgotten without harm. */
void journal_note(struct journal *journal, json_t *line);

/* Something fell: takes the line, makes it durable in the goods file. */
void journal_goods_fell(struct journal *journal, json_t *line);

/* What the device knows after a power cut: the ledger as the file has it. */
void journal_reload(struct journal *journal);
/* The memory is gone: a new journal with a new id and no past. */
void journal_lose(struct journal *journal);

#endif
