/* journal.h - outbound's outcomes go into the store, as in the daemon. */
#ifndef VENDGATE_BENCH_SENDER_JOURNAL_H
#define VENDGATE_BENCH_SENDER_JOURNAL_H

#include "outbound/outbound.h"
#include "store/callback.h"

/* `recorded` runs when the outcome is on disk, or was refused there. */
void journal_record(struct store *store, const struct outbound_attempt *attempt,
                    store_recorded_cb *recorded, void *arg);

#endif
