#include "bench/sender/journal.h"

void journal_record(struct store *store, const struct outbound_attempt *attempt,
                    store_recorded_cb *recorded, void *arg)
{
    const struct store_callback_attempt row = {
        .callback_id = attempt->callback_id,
        .number = attempt->number,
        .started_ms = attempt->started_ms,
        .dns_us = attempt->dns_us,
        .connect_us = attempt->connect_us,
        .tls_us = attempt->tls_us,
        .first_byte_us = attempt->first_byte_us,
        .total_us = attempt->total_us,
        .remote = attempt->remote,
        .result = attempt_result_name(attempt->result),
        .error = attempt->error,
        .answer = attempt->answer,
        .http_status = attempt->http_status,
        .fate = callback_fate_name(attempt->fate),
    };
    store_callback_attempt_save(store, &row, recorded, arg);
}
