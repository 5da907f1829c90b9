/* promises.h - what must hold after every step, whatever went wrong (transaction.md, "Promises").
 *
 * Checked at each moment at which it could break: a commit, a command, goods that fall, an
 * acknowledgement, an answer, a callback; and once at the end, when all is calm. A broken one ends
 * the program (trace.h). */
#ifndef VENDGATE_TESTS_SIMULATION_PROMISES_H
#define VENDGATE_TESTS_SIMULATION_PROMISES_H

#include "broker/broker.h"
#include "database.h"

#define PROMISE_PAID_FIRST \
    "promise 1: goods are released only for a row whose PAID commit came before the approval"
#define PROMISE_ONCE "promise 2: one approval id per row, executed by the machine at most once"
#define PROMISE_ENDING "promise 3: a lock that was answered success ends with exactly one ending"
#define PROMISE_PAID_ON_DISK \
    "promise 4: success on paid means that PAID is on disk and a /txn/vend follows"
#define PROMISE_OWED \
    "promise 5: VENDED is owed, FAILED and CLOSED are not; goods agree unless nobody can know"
#define PROMISE_FINAL "promise 6: final states never change; late evidence is an adjustment"
#define PROMISE_NO_SECOND_EFFECT "promise 7: a message that is repeated changes nothing"
#define PROMISE_SILENCE "promise 8: silence is never failure"
#define PROMISE_REFUND "refund is said only of a row that is CLOSED on disk, and nothing falls"
#define PROMISE_LOCKED_ON_DISK "success on lock means that LOCKED is on disk"
#define PROMISE_UNLOCKED_ON_DISK "success on unlock means that the row is CLOSED by it on disk"
#define PROMISE_OPERATOR "an operator's success is on disk"
#define PROMISE_ACKNOWLEDGED "a machine's event is acknowledged only when it is stored"
#define PROMISE_COMMIT_FIRST "nothing leaves the gateway before the commit"
#define PROMISE_JOURNAL "the journal has every version of a row, and the step table allows it"
#define PROMISE_CALLBACK "every callback sent equals a committed row"
#define PROMISE_LANE "callbacks of a lane are sent in order"
#define PROMISE_ONE_LIVE "a machine has at most one live row"
#define PROMISE_ANSWERED "every call is answered exactly once"
#define PROMISE_ASYNC "a callback never runs inside the call that asked for it"
#define PROMISE_LIVENESS "when all is calm everything comes to its end"
#define PROMISE_NOTHING_LEFT "a process that has ended leaves nothing behind"

struct device_event;
struct gateway;
struct request;
struct world;

/* Commits. */
void promise_row_begun(const struct database *database, const struct row *row);
void promise_row_moved(const struct database *database, struct row *row,
                       const struct txn_record *before, const struct operation *operation);
void promise_callback_committed(const struct database *database,
                                const struct callback_row *callback);
void promise_event_written(const struct machine_row *machine, const struct said_event *said);

/* Machines. */
void promise_command_sent(struct database *database, const char *vm_id,
                          const struct machine_command *command, int64_t generation);
void promise_approval_taken(const struct database *database, const char *vm_id,
                            const struct machine_command *command);
void promise_goods_fell(struct world *world, const char *vm_id, const char *approval);
/* The device's result is in its journal and will be told until it is acknowledged. */
void promise_result_written(const struct database *database, const char *approval, bool fallen);
void promise_event_acknowledged(struct database *database, const char *vm_id,
                                const struct device_event *event);

/* Integrators. */
void promise_answered(struct world *world, const struct request *request,
                      const struct broker_answer *answer);
void promise_attempt_begun(const struct database *database,
                           const struct outbound_callback *callback);
void promise_callback_arrived(const struct database *database,
                              const struct outbound_callback *callback);

/* Processes, and the end. */
void promise_nothing_left(struct gateway *gateway);
/* promises_end.c: NULL when all is quiet, else what is not. */
const char *promise_unrest(const struct world *world);
void promise_end(const struct world *world);

#endif
