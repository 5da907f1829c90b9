/* statements.h - every statement that the daemon runs: one table, prepared at each connect.
 * Internal to store/. */
#ifndef VENDGATE_STORE_STATEMENTS_H
#define VENDGATE_STORE_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>

enum statement {
    STATEMENT_NONE = 0,
    /* around a batch */
    STATEMENT_BEGIN,
    STATEMENT_FENCE,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    /* this process */
    STATEMENT_EPOCH_TAKE,
    STATEMENT_EPOCH_HOLDER_END,
    STATEMENT_HEARTBEAT,
    STATEMENT_PEERS,
    STATEMENT_ADOPT,
    STATEMENT_LANES_CLAIM,
    STATEMENT_LISTEN,
    STATEMENT_PING,
    /* transactions; each of the first four has variants, see STEP_SAYS */
    STATEMENT_TXN_BEGIN,
    STATEMENT_TXN_ADVANCE = STATEMENT_TXN_BEGIN + 4,
    STATEMENT_TXN_NOTE = STATEMENT_TXN_ADVANCE + 4,
    STATEMENT_TXN_SUCCEED = STATEMENT_TXN_NOTE + 4,
    STATEMENT_TXN_LAST_VARIANT = STATEMENT_TXN_SUCCEED + 3,
    STATEMENT_TXN_SPEND,
    STATEMENT_TXN_PROBE,
    STATEMENT_TXN_SUCCEED_PROBE,
    STATEMENT_TXN_FIND,
    STATEMENT_TXN_FIND_APPROVAL,
    STATEMENT_TXN_FIND_ID,
    STATEMENT_TXN_STATUS,
    STATEMENT_TXN_LOAD_LIVE,
    STATEMENT_TXN_LOAD_OURS,
    /* machines */
    STATEMENT_MACHINE_LOAD,
    STATEMENT_MACHINE_LOAD_ALL,
    STATEMENT_MACHINE_OWN,
    STATEMENT_MACHINE_EVENT_SAVE,
    STATEMENT_MACHINE_EVENT_PROBE,
    STATEMENT_MACHINE_EVENT_COMPARE,
    STATEMENT_MACHINE_JOURNAL_SAVE,
    STATEMENT_MACHINE_PRESENCE_SAVE,
    /* people */
    STATEMENT_INTEGRATOR_LOAD,
    STATEMENT_KEY_LOAD,
    STATEMENT_GRANT_LOAD,
    /* answers */
    STATEMENT_ANSWER_FIND,
    STATEMENT_ANSWER_SAVE,
    /* callbacks */
    STATEMENT_CALLBACK_SURVEY,
    STATEMENT_CALLBACK_PAGE,
    STATEMENT_CALLBACK_LOOK,
    STATEMENT_CALLBACK_REPLAYS,
    STATEMENT_CALLBACK_ATTEMPT,
    STATEMENT_CALLBACK_SETTLE,
    STATEMENT_ENDPOINT_HOLD,
    STATEMENT_FEED_PUBLISH,
    STATEMENT_EVENT_LIST,
    STATEMENT_PARKED_LIST,
    STATEMENT_COUNT
};

/* Added to a step's statement: with a machine's event or approval number, with callbacks. */
enum { STEP_SAYS = 1, STEP_CALLS = 2 };

/* On which connection a statement is prepared. */
enum {
    ON_STEPS = 1,
    ON_OUTCOMES = 2,
    ON_NEWS = 4,
};

#define PARAMETERS_MAX 64

struct statement_info {
    const char *name;  /* its name in PostgreSQL and in metrics */
    unsigned on;       /* ON_STEPS | ... */
    bool guarded;      /* a row means that it applied, none a conflict; else rows are data */
    const char *types; /* of $1, $2, ...: i bigint, t text, b boolean, y bytea, j jsonb, I bigint[],
                          T text[], B boolean[] */
    const char *sql;
};

/* Never NULL; `statement` is none of NONE and COUNT. */
const struct statement_info *statement_info(enum statement statement);
/* Type of one letter as PostgreSQL counts it (pg_type.oid). */
unsigned statement_type_oid(char letter);

#endif
