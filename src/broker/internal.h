/* internal.h - what the files of the broker share.
 *
 * Everything that can move a transaction is an input in the mailbox of its machine. A mailbox works
 * off one input at a time: while its step is being committed the others wait, so each is judged
 * against what is on disk (transaction.md: one step in flight per row).
 *
 *   post -> [mailbox] -> work: judge -> step_take -> store -> act -> input_done -> next
 */
#ifndef VENDGATE_BROKER_INTERNAL_H
#define VENDGATE_BROKER_INTERNAL_H

#include "broker/work.h"

#include <utlist.h>

#endif
