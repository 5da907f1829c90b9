/* outbound_binding.c - outbound's attempts go to the store, its endpoints come from people, its
 * fates are judged. */
#include "broker/internal.h"

#include "base/log.h"
#include "store/callback.h"

#define NOT_RECORDED_WAIT_MS 60000

/* Another process has the whole lane: none of it goes on here because this one has ended. Should
 * some of it be ours after all, it is found again. */
static void lost(struct broker *broker, int64_t callback_id, int64_t lane)
{
    if (lane != 0) {
        outbound_forget_lane(broker->outbound, lane);
        outbox_again(broker, 0);
    }
    outbound_forget(broker->outbound, callback_id);
}

/* Of an attempt that ends nothing. */
static void attempt_recorded(void *arg, int64_t callback_id, enum store_recorded recorded,
                             int64_t lane)
{
    if (recorded == STORE_NOT_OURS)
        lost(arg, callback_id, lane);
}

static void end_recorded(void *arg, int64_t callback_id, enum store_recorded recorded, int64_t lane)
{
    struct broker *broker = arg;
    if (recorded == STORE_NOT_OURS) {
        lost(broker, callback_id, lane);
        return;
    }
    outbound_recorded(broker->outbound, callback_id);
    if (recorded == STORE_NOT_RECORDED)
        outbox_again(broker, NOT_RECORDED_WAIT_MS); /* it is still owed on disk */
}

static void record(void *arg, const struct outbound_attempt *attempt)
{
    struct broker *broker = arg;
    struct store_callback_attempt row = {
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
    store_callback_attempt_save(broker->store, &row,
                                attempt->fate == CALLBACK_PENDING ? attempt_recorded : end_recorded,
                                broker);
}

static void settle(void *arg, int64_t callback_id, enum callback_fate fate)
{
    struct broker *broker = arg;
    store_callback_settle(broker->store, callback_id, callback_fate_name(fate), end_recorded,
                          broker);
}

static int64_t now_ms(void *arg)
{
    const struct broker *broker = arg;
    return store_now_ms(broker->store);
}

void broker_outbound_journal(struct outbound_journal *ret_journal)
{
    *ret_journal = (struct outbound_journal){.record = record, .settle = settle, .now_ms = now_ms};
}

static_assert(OUTBOUND_KEYS_MAX == STORE_SIGNING_KEYS_MAX, "as many keys sign as are kept");

static bool endpoint(void *arg, int64_t integrator_id, struct outbound_endpoint *ret_endpoint)
{
    const struct broker *broker = arg;
    const struct integrator *integrator = people_integrator(broker->people, integrator_id);
    if (!integrator || !integrator->callback_url || integrator->held)
        return false;
    *ret_endpoint = (struct outbound_endpoint){
        .base_url = integrator->callback_url,
        .ca_file = integrator->callback_ca_file,
        .allow_http = integrator->allow_http,
        .allow_cidr = integrator->allow_cidr,
        .client_cert_file = integrator->client_cert_file,
        .client_key_file = integrator->client_key_file,
        .public_key_pins = integrator->public_key_pins,
        .rate_per_second = integrator->rate_per_second,
        .v1a_only = integrator->v1a_only,
        .api_key = integrator->present_api_key,
        .user = integrator->present_user,
        .password = integrator->present_password,
    };
    for (size_t i = 0; i < OUTBOUND_KEYS_MAX; i++)
        ret_endpoint->signing_keys[i] = (struct outbound_key){
            .secret = integrator->signing_keys[i],
            .until_ms = integrator->signing_until_ms[i],
        };
    return true;
}

void broker_outbound_directory(struct outbound_directory *ret_directory)
{
    *ret_directory = (struct outbound_directory){.endpoint = endpoint};
}

static void request_failed(struct broker *broker, const struct outbound_callback *callback,
                           enum callback_fate fate)
{
    struct live *live = live_find_id(broker, callback->txn_id);
    if (!live || live->request_callback_id != callback->callback_id)
        return; /* of a choice that was taken back, or the transaction has ended */
    mailbox_signal(live->machine,
                   fate == CALLBACK_REFUSED ? TXN_REQUEST_REFUSED : TXN_REQUEST_UNDELIVERABLE,
                   live->txn.id);
}

static void request_arrived(const struct broker *broker, const struct outbound_callback *callback)
{
    struct live *live = live_find_id(broker, callback->txn_id);
    if (live && live->request_callback_id == callback->callback_id)
        live->rename_unconfirmed = false;
}

static void settled(void *arg, const struct outbound_callback *callback, enum callback_fate fate,
                    const char *message UNUSED)
{
    struct broker *broker = arg;
    bool arrived = fate == CALLBACK_DELIVERED || fate == CALLBACK_IMPLIED;
    if (arrived && callback->kind == CALLBACK_REQUEST)
        request_arrived(broker, callback);
    if (arrived && callback->kind == CALLBACK_VEND)
        open_session_vend_delivered(broker, callback->callback_id, callback->txn_id);
    if (!arrived && callback->kind == CALLBACK_REQUEST)
        request_failed(broker, callback, fate);
    if (!arrived && callback->kind == CALLBACK_VEND) {
        metric_add(metrics_cell(broker->metrics, &BROKER_ALERTS, "vend_callback_parked"), 1);
        log_error("alert", LOG_TEXT("level", "High"), LOG_TEXT("what", "vend_callback_parked"),
                  LOG_INT("callback", callback->callback_id), LOG_INT("txn", callback->txn_id),
                  LOG_INT("integrator", callback->integrator_id));
    }
}

static void room(void *arg, int64_t integrator_id)
{
    outbox_room(arg, integrator_id);
}

static void hold_saved(void *arg, enum store_outcome outcome)
{
    (void)arg;
    (void)outcome; /* it is held in memory; its next answer 410 writes it again */
}

/* Only a person can know whether the integrator has moved or left. */
static void gone(void *arg, int64_t integrator_id)
{
    struct broker *broker = arg;
    metric_add(metrics_cell(broker->metrics, &BROKER_ALERTS, "endpoint_gone"), 1);
    log_error("alert", LOG_TEXT("level", "High"), LOG_TEXT("what", "endpoint_gone"),
              LOG_INT("integrator", integrator_id),
              LOG_TEXT("remedy", "ask the integrator, then vendctl callback release"));
    store_endpoint_hold(broker->store, integrator_id, "it answered 410 Gone", hold_saved, broker);
}

void broker_outbound_handlers(struct outbound_handlers *ret_handlers)
{
    *ret_handlers = (struct outbound_handlers){.settled = settled, .room = room, .gone = gone};
}
