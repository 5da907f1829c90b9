#include "store/statements.h"

#include "base/macros.h"

/* $1 is always this process's instance_id and $2 its epoch, as of the moment of sending. A guard is
 * a join: no row, no effect. What must not change until the commit is locked, because under READ
 * COMMITTED a bare WHERE is not enough: FENCE holds the gateway_instance row for the whole batch,
 * and OWNED the machine's. */

/* Laid out by hand: SQL is read by its own lines. */
// clang-format off

/* The parameters that all steps of a transaction share; encoded by step_encode() in txn.c. */
#define STEP_TYPES                                                                                 \
    "ii"                /* $1 instance, $2 epoch */                                                \
    "iittitiiiitiiiitit" /* $3 id .. $20 journal, see TXN_VALUES */                               \
    "tiibtiii"          /* $21 timer .. $28 created_ms */                                          \
    "iitttj"            /* $29 owner epoch, $30 step, $31 from, $32 event, $33 actor, $34 evidence */ \
    "tiiiytiiI"         /* $35 machine event's name, $36 epoch, $37 seq, $38 time, $39 raw, $40 problem, $41-$43 state */ \
    "TTIITIBi"          /* $44 kinds .. $50 renames, $51 callback to cancel */                     \
    "iiIt"              /* $52 keys' number, $53 and digest, $54 the callbacks' transactions, $55 what a note adjusts */
/* And what STATEMENT_TXN_SUCCEED says of the former row. */
#define SUCCEED_TYPES                                                                              \
    STEP_TYPES                                                                                     \
    "iiittti"           /* $56 id, $57 version, $58 lane sequence, $59 from, $60 to, $61 closed by, $62 code */

/* One row if this process and (unless $29 is 0) its hold on the machine are current; with the head of the
 * machine's chain, which nobody else can move until the commit. */
#define OWNED_START                                                                                \
    "WITH owned AS (SELECT vm_id, s.chain_hash FROM gateway_instance g, machine m"                 \
    "    JOIN machine_link_state s USING (vm_id)"                                                  \
    "  WHERE g.instance_id = $1 AND g.epoch = $2 AND vm_id = $6"
#define OWNER " AND m.owner_instance = $1 AND m.owner_epoch = $29"
#define OWNER_OR_NOBODY " AND ($29 = 0 OR m.owner_instance = $1 AND m.owner_epoch = $29)"
/* The event's number must be new. */
#define FRESH " AND ($37 IS NULL OR $36 <> s.event_epoch OR ($37 > s.mark AND $37 <> ALL (s.above)))"
#define OWNED_END "  FOR SHARE OF m FOR NO KEY UPDATE OF s),"

/* Of callback_queue q: written or taken by this process and not taken over since, or taken over by it. */
#define MINE                                                                                       \
    "(q.owner_instance = $1 AND q.owner_epoch > (SELECT coalesce(max(a.through), 0) FROM lane_adoption a WHERE a.instance_id = $1)" \
    " OR EXISTS (SELECT FROM lane_adoption a WHERE a.adopted_by = $1 AND a.instance_id = q.owner_instance" \
    "     AND q.owner_epoch > a.above AND q.owner_epoch <= a.through))"
/* What is still to be sent of it. The order is that of row_read() in callback.c. */
#define CALLBACK_ROWS(which, order)                                                                \
    "SELECT c.callback_id, c.integrator_id, coalesce(c.txn_id, 0), q.lane, c.lane_sequence,"       \
    "     unix_ms(coalesce(q.expires_at, c.expires_at)), c.kind, c.webhook_id, c.body, q.attempts, c.renames," \
    "     unix_ms(q.not_before), q.replays > 0"                                                    \
    " FROM (SELECT * FROM callback_queue q WHERE " which " AND NOT q.parked AND " MINE order ") q" \
    " JOIN callback c USING (callback_id, created_at) ORDER BY callback_id"
/* This outcome of callback $3 is on disk: it is told again after a lost connection. */
#define TOLD_BEFORE(number, started_ms)                                                            \
    "EXISTS (SELECT FROM callback_attempt b WHERE b.callback_id = $3 AND b.number = " number       \
    "   AND b.started_at = from_unix_ms(" started_ms "))"
/* Of callback $3, whoever has it or has delivered it; 0: it has none, or a person took it out. */
#define LANE_NOW                                                                                   \
    " coalesce((SELECT q.lane FROM callback_queue q WHERE q.callback_id = $3),"                    \
    "     (SELECT 0 FROM callback_attempt s WHERE s.callback_id = $3 AND s.fate = 'skipped' LIMIT 1)," \
    "     (SELECT c.lane FROM callback c WHERE c.callback_id = $3), 0)"
/* The callbacks of a live purchase's lane follow its machine: one process sends them, in order. */
#define LANES_OF(machines)                                                                         \
    "UPDATE callback_queue q SET owner_instance = $1, owner_epoch = $2 FROM " machines ", txn t, txn s" \
    "   WHERE t.vm_id = m.vm_id AND t.live AND s.vm_id = m.vm_id AND s.session = t.session AND q.txn_id = s.txn_id" \
    "     AND NOT " MINE

/* What a step entails comes from `moved` (txn_id, version), which has one row if it applies. First what it owes: callbacks, their queue,
 * and a callback taken back. */
#define CALLS                                                                                      \
    ", made AS (SELECT nextval('callback_id_seq') AS callback_id, coalesce(nullif(c.whose, 0), moved.txn_id) AS txn_id, c.*" \
    "   FROM moved, unnest($44, $45, $46, $47, $48, $49, $50, $54) WITH ORDINALITY"                \
    "        AS c(kind, webhook_id, lane, lane_sequence, body, expires_ms, renames, whose, n)),"   \
    " stored AS (INSERT INTO callback (callback_id, created_at, integrator_id, txn_id, kind, webhook_id, lane, lane_sequence," \
    "     renames, expires_at, body)"                                                              \
    "   SELECT callback_id, now(), $4, txn_id, kind, webhook_id, lane, lane_sequence, renames,"    \
    "     from_unix_ms(expires_ms), body FROM made),"                                              \
    " queued AS (INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, txn_id, kind," \
    "     renames) SELECT callback_id, now(), $1, $2, $4, lane, txn_id, kind, renames FROM made)," \
    " cancelled AS (DELETE FROM callback_queue q USING moved WHERE q.callback_id = $51 AND " MINE \
    "     AND q.attempts = 0 AND NOT q.renames RETURNING q.callback_id),"                          \
    " fate AS (INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"  \
    "   SELECT callback_id, 0, now(), $1, 'cancelled' FROM cancelled)"

/* The journal's row, with its place in the chain of `owned`. */
#define ENTRY(name, rows, previous, from, to, callback_ids, cancelled_id)                          \
    ", " name "_entry AS (SELECT nextval('txn_event_id_seq') AS event_id, r.txn_id, r.version,"      \
    "     coalesce(" previous ", '') AS previous, " callback_ids " AS callback_ids, " cancelled_id " AS cancelled_callback_id" \
    "   FROM " rows "),"                                                                           \
    " " name " AS (SELECT e.*, txn_event_hash(previous, event_id, now(), txn_id, $6, version, " from ", " to ", $32, $33, $34," \
    "     callback_ids, cancelled_callback_id, $30, $1) AS chain_hash FROM " name "_entry e)"

/* The machine's event and the state of its link. */
#define SAID                                                                                       \
    ", said AS (INSERT INTO machine_event (vm_id, event_epoch, seq, told_at, name, raw, body_hash, problem, txn_id, step)" \
    "   SELECT $6, $36, $37, to_timestamp($38), $35, $39, sha256($39), $40, moved.txn_id, $30 FROM moved WHERE $35 IS NOT NULL)," \
    " link AS (UPDATE machine_link_state s SET chain_hash = entry.chain_hash,"                     \
    "     event_epoch = CASE WHEN $36 >= s.event_epoch THEN $41 ELSE s.event_epoch END,"           \
    "     mark = CASE WHEN $36 >= s.event_epoch THEN $42 ELSE s.mark END,"                         \
    "     above = CASE WHEN $36 >= s.event_epoch THEN $43 ELSE s.above END,"                       \
    "     last_event_at = CASE WHEN $36 >= s.event_epoch THEN now() ELSE s.last_event_at END,"     \
    "     approval_n = greatest(s.approval_n, $19)"                                                \
    "   FROM entry WHERE s.vm_id = $6)"
#define SAID_NOTHING                                                                               \
    ", link AS (UPDATE machine_link_state s SET chain_hash = entry.chain_hash FROM entry WHERE s.vm_id = $6)"

/* The journal, always; its row is the answer. */
#define JOURNAL_INSERT(entry, from, to)                                                            \
    "INSERT INTO txn_event (event_id, at, txn_id, vm_id, version, from_state, to_state, event, actor, evidence, step," \
    "     instance_id, callback_ids, cancelled_callback_id, chain_hash)"                           \
    "   SELECT event_id, now(), txn_id, $6, version, " from ", " to ", $32, $33, $34, $30,"        \
    "     $1, callback_ids, cancelled_callback_id, chain_hash FROM " entry
#define JOURNAL " " JOURNAL_INSERT("entry", "$31", "$8") " RETURNING txn_id, callback_ids, cancelled_callback_id"

#define NO_CALLS "'{}'::bigint[]"
#define CALLS_MADE "ARRAY(SELECT callback_id FROM made ORDER BY n)"
#define NONE_CANCELLED "NULL::bigint"
#define CALL_CANCELLED "(SELECT callback_id FROM cancelled)"
#define STEP_ENTRY(callback_ids, cancelled_id)                                                     \
    ENTRY("entry", "moved r LEFT JOIN owned ON true", "owned.chain_hash", "$31", "$8", callback_ids, cancelled_id)
#define ENTRY_ALONE STEP_ENTRY(NO_CALLS, NONE_CANCELLED)
#define ENTRY_CALLS STEP_ENTRY(CALLS_MADE, CALL_CANCELLED)

/* A statement without the parts that a step does not need costs a fraction of the whole one, so there are four of each kind. */
#define STEP_VARIANTS(statement, name, owner, moved)                                               \
    [statement] = {name, ON_STEPS, true, STEP_TYPES,                                               \
                   OWNED_START owner OWNED_END moved ENTRY_ALONE SAID_NOTHING JOURNAL},            \
    [(statement) + STEP_SAYS] = {name "_said", ON_STEPS, true, STEP_TYPES,                         \
                                 OWNED_START owner FRESH OWNED_END moved ENTRY_ALONE SAID JOURNAL}, \
    [(statement) + STEP_CALLS] = {name "_calls", ON_STEPS, true, STEP_TYPES,                       \
                                  OWNED_START owner OWNED_END moved CALLS ENTRY_CALLS SAID_NOTHING JOURNAL}, \
    [(statement) + STEP_CALLS + STEP_SAYS] = {name "_said_calls", ON_STEPS, true, STEP_TYPES,      \
                                              OWNED_START owner FRESH OWNED_END moved CALLS ENTRY_CALLS SAID JOURNAL}

/* The former row's entry comes first in the chain; the callbacks are the new row's, the one taken back was the former's. */
#define SUCCEED_VARIANT(variant, name, fresh, calls, callback_ids, cancelled_id, said)             \
    [STATEMENT_TXN_SUCCEED + (variant)] = {name, ON_STEPS, true, SUCCEED_TYPES,                    \
        OWNED_START OWNER fresh OWNED_END FORMER calls                                             \
        ENTRY("ended", "former r, owned", "owned.chain_hash", "$59", "$60", NO_CALLS, cancelled_id) \
        ENTRY("entry", "moved r, ended", "ended.chain_hash", "$31", "$8", callback_ids, NONE_CANCELLED) \
        ", journalled AS (" JOURNAL_INSERT("ended", "$59", "$60") ")" said                         \
        " " JOURNAL_INSERT("entry", "$31", "$8") " RETURNING txn_id, callback_ids, " cancelled_id}

#define TXN_INSERT(predecessor)                                                                    \
    "INSERT INTO txn (txn_id, integrator_id, ref, vm_id, session, state, version, balance, request, item, selection, price," \
    "     surcharge, discount, amount, approval, approval_n, journal, timer, deadline_at, lane_sequence, lock_answered," \
    "     closed_by, outcome_code, paid_at, created_at, last_step, keys_n, keys_digest, predecessor_id)" \
    "   SELECT id.txn_id, $4, $5, $6, coalesce(nullif($7, 0), id.txn_id), $8, $9, $10, $11, $12, $13, $14," \
    "     $15, $16, $17, $18, $19, $20, $21, from_unix_ms($22), $23, $24,"                         \
    "     $25, $26::integer, from_unix_ms($27), coalesce(from_unix_ms($28), now()), $30, $52, $53, " predecessor \
    "   FROM id"

/* The former row goes first: it makes room for a live one. Nothing can undo that afterwards, so whatever would refuse the
 * new row is looked for before; what comes in between raises a unique_violation, and the statement runs again (flight.c). */
#define FORMER                                                                                     \
    " former AS (UPDATE txn t SET state = $60, version = $57, lane_sequence = $58, closed_by = $61," \
    "     outcome_code = $62::integer, timer = NULL, deadline_at = NULL, last_step = $30, updated_at = now()" \
    "   FROM owned WHERE t.txn_id = $56 AND t.vm_id = owned.vm_id AND t.version = $57 - 1 AND t.state = $59" \
    "     AND t.integrator_id = $4 AND t.session = $7"                                             \
    "     AND NOT EXISTS (SELECT FROM txn x WHERE x.integrator_id = $4 AND x.ref = $5)"            \
    "     AND NOT EXISTS (SELECT FROM txn x WHERE x.vm_id = $6 AND x.live AND x.txn_id <> $56)"    \
    "     AND NOT EXISTS (SELECT FROM txn x WHERE x.predecessor_id = $56)"                         \
    "   RETURNING t.txn_id, t.version),"                                                           \
    " id AS (SELECT nextval('txn_id_seq') AS txn_id FROM former),"                                 \
    " moved AS (" TXN_INSERT("$56") " RETURNING txn_id, version)"

#define TXN_COLUMNS                                                                                \
    "t.txn_id, t.integrator_id, t.ref, coalesce(t.vm_id, ''), t.session, t.state::text, t.version, t.balance, t.request," \
    " t.item, t.selection, t.price, t.surcharge, t.discount, t.amount, coalesce(t.approval, ''), t.approval_n, t.journal," \
    " coalesce(t.timer, 'none'), coalesce(unix_ms(t.deadline_at), 0), t.lane_sequence, t.lock_answered," \
    " coalesce(t.closed_by, ''), t.outcome_code, unix_ms(t.created_at), coalesce(unix_ms(t.paid_at), 0)," \
    " t.keys_n, t.keys_digest, coalesce(t.predecessor_id, 0), coalesce(p.ref, ''), coalesce(p.state = 'CLOSED', false)," \
    " coalesce((SELECT s.ref FROM txn s WHERE s.predecessor_id = t.txn_id), '')"
#define TXN_FROM " FROM txn t LEFT JOIN txn p ON p.txn_id = t.predecessor_id"

/* The newest /txn/request of `t` that is still owed, an event that nobody could read, whether the integrator may know
 * only the former ref, and whether another process holds the machine. */
#define TXN_BESIDE                                                                                 \
    ", coalesce((SELECT max(q.callback_id) FROM callback_queue q"                                  \
    "     WHERE q.txn_id = t.txn_id AND q.kind = '/txn/request' AND NOT q.parked), 0)" \
    ", EXISTS (SELECT FROM txn_event j WHERE j.txn_id = t.txn_id AND j.evidence ? 'unreadable')"   \
    ", t.predecessor_id IS NOT NULL AND t.paid_at IS NULL AND NOT EXISTS ("                        \
    "     SELECT FROM callback c JOIN callback_attempt a USING (callback_id)"                      \
    "     WHERE c.txn_id = t.txn_id AND c.kind = '/txn/request' AND a.fate IN ('delivered', 'implied'))" \
    ", coalesce((SELECT o.owner_instance <> $1 FROM machine o WHERE o.vm_id = t.vm_id), false)"

#define MACHINE_SELECT                                                                             \
    "SELECT m.vm_id, m.enabled, m.allow_tool, m.out_of_service, m.address, m.business_address, m.company_external_name," \
    "     m.operator_name, m.operator_contact_number, m.photo_url, c.digests[1], c.digests[2],"    \
    "     (SELECT digest FROM machine_credential k WHERE k.vm_id = m.vm_id AND k.kind = 'token' AND k.enabled)," \
    "     m.keypad::text, m.firmware, m.model, m.currency, m.scale, m.decimals, m.max_response_s, m.price_max," \
    "     coalesce(m.owner_instance, 0), m.owner_epoch, b.doubt_policy"                            \
    " FROM machine m LEFT JOIN machine_group b USING (group_id), LATERAL (SELECT array_agg(k.digest ORDER BY k.credential_id) AS digests FROM machine_credential k" \
    "     WHERE k.vm_id = m.vm_id AND k.kind = 'certificate' AND k.enabled) c"

/* $3 vm_id, $4 owner epoch */
#define MACHINE_OWNED                                                                              \
    " owned AS (SELECT m.vm_id FROM gateway_instance g, machine m"                                 \
    "  WHERE g.instance_id = $1 AND g.epoch = $2 AND m.vm_id = $3 AND m.owner_instance = $1 AND m.owner_epoch = $4" \
    "  FOR SHARE OF m)"

static const struct statement_info STATEMENTS[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = {"begin", ON_STEPS | ON_OUTCOMES, false, "", "BEGIN"},
    [STATEMENT_FENCE] = {"fence", ON_STEPS, false, "ii",
                         "SELECT 1 FROM gateway_instance WHERE instance_id = $1 AND epoch = $2 FOR SHARE"},
    [STATEMENT_COMMIT] = {"commit", ON_STEPS | ON_OUTCOMES, false, "", "COMMIT"},
    [STATEMENT_ROLLBACK] = {"rollback", ON_STEPS | ON_OUTCOMES, false, "", "ROLLBACK"},

    /* Waits for a backend of our former connection that is still committing, and shuts it out. */
    [STATEMENT_EPOCH_TAKE] = {"epoch_take", ON_STEPS, false, "iit",
        "WITH before AS (SELECT heartbeat_at FROM gateway_instance WHERE name = $3)"
        " INSERT INTO gateway_instance AS g (name, backend_pid, backend_start)"
        " SELECT $3, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        " ON CONFLICT (name) DO UPDATE SET epoch = g.epoch + 1, epoch_at = now(), heartbeat_at = now(),"
        "     backend_pid = excluded.backend_pid, backend_start = excluded.backend_start"
        " RETURNING instance_id, epoch, unix_ms(clock_timestamp()),"
        "     coalesce((SELECT unix_ms(clock_timestamp()) - unix_ms(heartbeat_at) FROM before), 0)"},
    [STATEMENT_EPOCH_HOLDER_END] = {"epoch_holder_end", ON_STEPS, false, "iit",
        "SELECT pg_terminate_backend(a.pid) FROM gateway_instance g JOIN pg_stat_activity a ON a.pid = g.backend_pid"
        " WHERE g.name = $3 AND a.backend_start = g.backend_start AND a.pid <> pg_backend_pid()"},
    [STATEMENT_HEARTBEAT] = {"heartbeat", ON_STEPS, true, "ii",
        "UPDATE gateway_instance SET heartbeat_at = now() WHERE instance_id = $1 AND epoch = $2"
        " RETURNING unix_ms(clock_timestamp()), (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM callback_id_seq),"
        "     pg_current_xact_id()::text::bigint, pg_snapshot_xmin(pg_current_snapshot())::text::bigint"},
    [STATEMENT_PEERS] = {"peers", ON_STEPS, false, "ii",
        "SELECT instance_id, (extract(epoch FROM heartbeat_at) * 1000000)::bigint FROM gateway_instance WHERE instance_id <> $1"},
    /* $3 peer, $4 its heartbeat as it was seen a lease ago: unchanged, it is taken for dead. Its row is locked first, which
     * waits for a commit of its own, and the raised epoch shuts out every later one. Its heartbeat is moved, so
     * that of two who adopt at once only one finds it as it was. Without a new epoch since the last adoption it has written
     * nothing since. */
    [STATEMENT_ADOPT] = {"adopt", ON_STEPS, true, "iiii",
        "WITH dead AS (SELECT g.instance_id, g.epoch FROM gateway_instance g JOIN gateway_instance me ON me.instance_id = $1"
        "   WHERE g.instance_id = $3 AND (extract(epoch FROM g.heartbeat_at) * 1000000)::bigint = $4 AND me.epoch = $2"
        "   FOR UPDATE OF g),"
        " before AS (SELECT coalesce(max(a.through), 0) AS through FROM lane_adoption a WHERE a.instance_id = $3),"
        " fresh AS (SELECT dead.* FROM dead, before WHERE dead.epoch > before.through + (before.through > 0)::integer),"
        " raised AS (UPDATE gateway_instance g SET epoch = g.epoch + 1, heartbeat_at = g.heartbeat_at - interval '1 us' FROM fresh WHERE g.instance_id = fresh.instance_id),"
        " taken AS (INSERT INTO lane_adoption (instance_id, above, through, adopted_by)"
        "   SELECT fresh.instance_id, before.through, fresh.epoch, $1 FROM fresh, before RETURNING 1),"
        " passed AS (UPDATE lane_adoption a SET adopted_by = $1, adopted_at = now() FROM dead"
        "   WHERE a.adopted_by = dead.instance_id RETURNING 1)"
        " SELECT 1 FROM dead WHERE EXISTS (SELECT FROM taken) OR EXISTS (SELECT FROM passed)"},
    /* $3 machine; NULL: all that are ours. A statement of its own after the machine was taken: it sees what the former
     * owner's last commit added. */
    [STATEMENT_LANES_CLAIM] = {"lanes_claim", ON_STEPS, false, "iit", 
        "WITH fence AS (SELECT 1 FROM gateway_instance WHERE instance_id = $1 AND epoch = $2 FOR SHARE)"
        " " LANES_OF("fence, machine m") " AND m.owner_instance = $1 AND ($3 IS NULL OR m.vm_id = $3)"},
    [STATEMENT_LISTEN] = {"listen", ON_NEWS, false, "", "LISTEN vendgate_change"},
    [STATEMENT_PING] = {"ping", ON_NEWS, false, "", "SELECT 1"},

    STEP_VARIANTS(STATEMENT_TXN_BEGIN, "txn_begin", OWNER,
        " id AS (SELECT nextval('txn_id_seq') AS txn_id FROM owned),"
        " moved AS (" TXN_INSERT("NULL::bigint") " ON CONFLICT DO NOTHING RETURNING txn_id, version)"),
    STEP_VARIANTS(STATEMENT_TXN_ADVANCE, "txn_advance", OWNER,
        " moved AS (UPDATE txn t SET state = $8, version = $9, balance = $10, request = $11, item = $12, selection = $13,"
        "     price = $14, surcharge = $15, discount = $16, amount = $17, approval = $18, approval_n = $19, journal = $20,"
        "     timer = $21, deadline_at = from_unix_ms($22), lane_sequence = $23, lock_answered = $24, closed_by = $25,"
        "     outcome_code = $26::integer, paid_at = coalesce(t.paid_at, from_unix_ms($27)), last_step = $30, updated_at = now(),"
        "     keys_n = $52, keys_digest = $53"
        "   FROM owned WHERE t.txn_id = $3 AND t.vm_id = owned.vm_id AND t.version = $9 - 1 AND t.state = $31"
        "   RETURNING t.txn_id, t.version)"),
    /* Without an owner epoch no machine is held: a note of what an integrator said. */
    STEP_VARIANTS(STATEMENT_TXN_NOTE, "txn_note",
        OWNER_OR_NOBODY,
        " moved AS (SELECT t.txn_id, t.version FROM txn t, gateway_instance g WHERE t.txn_id = $3"
        "     AND g.instance_id = $1 AND g.epoch = $2 AND ($29 = 0 OR EXISTS (SELECT FROM owned))),"
        " adjusted AS (INSERT INTO txn_adjustment (txn_id, step, says, outcome, evidence)"
        "   SELECT txn_id, $30, $55, $8, $34 FROM moved WHERE $55 IS NOT NULL ON CONFLICT (txn_id, says) DO NOTHING)"),
    SUCCEED_VARIANT(0, "txn_succeed", "", "", NO_CALLS, NONE_CANCELLED, SAID_NOTHING),
    SUCCEED_VARIANT(STEP_SAYS, "txn_succeed_said", FRESH, "", NO_CALLS, NONE_CANCELLED, SAID),
    SUCCEED_VARIANT(STEP_CALLS, "txn_succeed_calls", "", CALLS, CALLS_MADE, CALL_CANCELLED, SAID_NOTHING),
    SUCCEED_VARIANT(STEP_CALLS + STEP_SAYS, "txn_succeed_said_calls", FRESH, CALLS, CALLS_MADE, CALL_CANCELLED, SAID),
    [STATEMENT_TXN_SPEND] = {"txn_spend", ON_STEPS, true, STEP_TYPES,
        "WITH id AS (SELECT nextval('txn_id_seq') AS txn_id FROM gateway_instance g"
        "     WHERE g.instance_id = $1 AND g.epoch = $2),"
        " moved AS (" TXN_INSERT("NULL::bigint") " ON CONFLICT DO NOTHING RETURNING txn_id, version)"
        ENTRY("entry", "moved r", "''::bytea", "$31", "$8", NO_CALLS, NONE_CANCELLED)
        JOURNAL},
    /* Whether an uncertain step was committed: its random number stands in the journal. */
    [STATEMENT_TXN_PROBE] = {"txn_probe", ON_STEPS, true, STEP_TYPES,
        "SELECT txn_id, callback_ids, cancelled_callback_id FROM txn_event"
        " WHERE txn_id = CASE WHEN $3 <> 0 THEN $3 ELSE (SELECT txn_id FROM txn WHERE integrator_id = $4 AND ref = $5) END"
        "   AND step = $30"},
    [STATEMENT_TXN_SUCCEED_PROBE] = {"txn_succeed_probe", ON_STEPS, true, SUCCEED_TYPES,
        "SELECT e.txn_id, e.callback_ids, former.cancelled_callback_id FROM txn_event e JOIN txn_event former USING (step)"
        " WHERE e.txn_id = (SELECT txn_id FROM txn WHERE integrator_id = $4 AND ref = $5)"
        "   AND e.step = $30 AND former.txn_id = $56"},
    [STATEMENT_TXN_FIND] = {"txn_find", ON_STEPS, false, "iiit",
        "SELECT " TXN_COLUMNS TXN_FROM " WHERE t.integrator_id = $3 AND t.ref = $4"},
    [STATEMENT_TXN_FIND_APPROVAL] = {"txn_find_approval", ON_STEPS, false, "iitt",
        "SELECT " TXN_COLUMNS TXN_FROM " WHERE t.approval = $4 AND t.vm_id = $3"},
    [STATEMENT_TXN_FIND_ID] = {"txn_find_id", ON_STEPS, false, "iii",
        "SELECT " TXN_COLUMNS TXN_FROM " WHERE t.txn_id = $3"},
    [STATEMENT_TXN_STATUS] = {"txn_status", ON_STEPS, false, "iiit",
        "SELECT json_build_object('txnRef', t.ref, 'vm_id', coalesce(t.vm_id, ''), 'state', t.state, 'final', NOT t.live,"
        "     'selection', t.selection, 'item', t.item, 'price', t.price, 'surcharge', t.surcharge, 'discount', t.discount,"
        "     'amount', t.amount, 'balance', t.balance, 'created', unix_ms(t.created_at) / 1000,"
        "     'paid', unix_ms(t.paid_at) / 1000, 'deadline', unix_ms(t.deadline_at) / 1000,"
        "     'timer', coalesce(t.timer, 'none'), 'code', CASE t.outcome_code WHEN 0 THEN '' ELSE t.outcome_code::text END,"
        "     'predecessor_ref', p.ref, 'new_txn_ref', (SELECT s.ref FROM txn s WHERE s.predecessor_id = t.txn_id),"
        "     'adjustments', (SELECT coalesce(json_agg(json_build_object('time', unix_ms(a.at) / 1000, 'says', a.says)"
        "         ORDER BY a.adjustment_id), '[]') FROM txn_adjustment a WHERE a.txn_id = t.txn_id),"
        "     'callbacks', (SELECT coalesce(json_agg(json_build_object('kind', c.kind, 'webhook_id', c.webhook_id,"
        "         'created', unix_ms(c.created_at) / 1000,"
        "         'state', CASE WHEN q.parked THEN 'parked' WHEN q.callback_id IS NOT NULL THEN 'waiting' ELSE h.fate END,"
        "         'attempts', h.attempts) ORDER BY c.callback_id), '[]')"
        "       FROM callback c LEFT JOIN callback_queue q USING (callback_id), LATERAL ("
        "         SELECT count(*) FILTER (WHERE a.number > 0) AS attempts, max(a.fate) FILTER (WHERE a.fate <> 'pending') AS fate"
        "         FROM callback_attempt a WHERE a.callback_id = c.callback_id) h"
        "       WHERE c.txn_id = t.txn_id AND c.integrator_id = t.integrator_id),"
        "     'timeline', (SELECT coalesce(json_agg(json_build_object('time', unix_ms(e.at) / 1000, 'event', e.event,"
        "         'from', e.from_state, 'to', e.to_state, 'actor', e.actor) ORDER BY e.event_id), '[]')"
        "       FROM (SELECT * FROM txn_event j WHERE j.txn_id = t.txn_id ORDER BY j.event_id DESC LIMIT 200) e))::text"
        TXN_FROM " WHERE t.integrator_id = $3 AND t.ref = $4"},
    [STATEMENT_TXN_LOAD_LIVE] = {"txn_load_live", ON_STEPS, false, "iit",
        "SELECT " TXN_COLUMNS TXN_BESIDE TXN_FROM " WHERE t.live AND t.vm_id = $3"},
    [STATEMENT_TXN_LOAD_OURS] = {"txn_load_ours", ON_STEPS, false, "ii",
        "SELECT " TXN_COLUMNS TXN_BESIDE TXN_FROM " JOIN machine m ON m.vm_id = t.vm_id"
        " WHERE t.live AND m.owner_instance = $1 ORDER BY t.txn_id"},

    [STATEMENT_MACHINE_LOAD] = {"machine_load", ON_STEPS, false, "iit", MACHINE_SELECT " WHERE m.vm_id = $3"},
    [STATEMENT_MACHINE_LOAD_ALL] = {"machine_load_all", ON_STEPS, false, "ii", MACHINE_SELECT " ORDER BY m.vm_id"},
    /* The link's state is read under a lock after the machine was taken, so it has what the former owner committed. */
    [STATEMENT_MACHINE_OWN] = {"machine_own", ON_STEPS, true, "iit",
        "WITH taken AS (UPDATE machine m SET owner_instance = $1, owner_epoch = m.owner_epoch + 1 FROM gateway_instance g"
        "     WHERE m.vm_id = $3 AND m.enabled AND g.instance_id = $1 AND g.epoch = $2 RETURNING m.vm_id, m.owner_epoch)"
        " SELECT t.owner_epoch, s.event_epoch, s.mark, s.above, s.approval_n, s.journal"
        " FROM taken t JOIN machine_link_state s USING (vm_id) FOR UPDATE OF s"},
    /* $3 vm_id, $4 owner epoch, $5 step, $6 name, $7 event epoch, $8 seq, $9 time, $10 raw, $11 problem, $12 state epoch, $13 mark,
     * $14 above, $15 keypad, $16 planogram, $17 firmware, $18 model, $19 currency, $20 scale, $21 decimals,
     * $22 max_response_s, $23 journal */
    [STATEMENT_MACHINE_EVENT_SAVE] = {"machine_event_save", ON_STEPS, true, "iitiitiiiytiiIjjtttiiit",
        "WITH" MACHINE_OWNED ","
        " fresh AS (SELECT o.vm_id, coalesce($7 >= s.event_epoch, false) AS numbered FROM owned o"
        "     JOIN machine_link_state s USING (vm_id)"
        "     WHERE $8 IS NULL OR $7 <> s.event_epoch OR ($8 > s.mark AND $8 <> ALL (s.above))),"
        " link AS (UPDATE machine_link_state s SET"
        "     event_epoch = CASE WHEN fresh.numbered THEN $12 ELSE s.event_epoch END,"
        "     mark = CASE WHEN fresh.numbered THEN $13 ELSE s.mark END,"
        "     above = CASE WHEN fresh.numbered THEN $14 ELSE s.above END,"
        "     last_event_at = now(), journal = coalesce($23, s.journal)"
        "   FROM fresh WHERE s.vm_id = fresh.vm_id),"
        " told AS (UPDATE machine m SET keypad = coalesce($15, m.keypad), firmware = coalesce($17, m.firmware),"
        "     model = coalesce($18, m.model), currency = coalesce($19, m.currency), scale = coalesce($20, m.scale),"
        "     decimals = coalesce($21, m.decimals), max_response_s = coalesce($22, m.max_response_s)"
        "   FROM fresh WHERE m.vm_id = fresh.vm_id AND coalesce($15::text, $17, $18, $19, $20::text, $21::text, $22::text) IS NOT NULL),"
        " coils AS (SELECT DISTINCT ON (c.code) fresh.vm_id, c.* FROM fresh, jsonb_to_recordset($16)"
        "     AS c(code bigint, formatted_code text, name text, placeholder boolean, price bigint, capacity bigint,"
        "          restock_count bigint, current_stock bigint) ORDER BY c.code),"
        " gone AS (DELETE FROM coil USING fresh WHERE coil.vm_id = fresh.vm_id AND $16 IS NOT NULL"
        "     AND NOT EXISTS (SELECT FROM coils c WHERE c.code = coil.code)),"
        " put AS (INSERT INTO coil (vm_id, code, formatted_code, name, placeholder, price, capacity, restock_count, current_stock)"
        "   SELECT vm_id, code, formatted_code, name, coalesce(placeholder, false), price, capacity, restock_count, current_stock"
        "     FROM coils"
        "   ON CONFLICT (vm_id, code) DO UPDATE SET formatted_code = excluded.formatted_code, name = excluded.name,"
        "     placeholder = excluded.placeholder, price = excluded.price, capacity = excluded.capacity,"
        "     restock_count = excluded.restock_count, current_stock = excluded.current_stock, updated_at = now())"
        " INSERT INTO machine_event (vm_id, event_epoch, seq, told_at, name, raw, body_hash, problem, step)"
        "   SELECT vm_id, $7, $8, to_timestamp($9), $6, $10, sha256($10), $11, $5 FROM fresh RETURNING 1"},
    [STATEMENT_MACHINE_EVENT_PROBE] = {"machine_event_probe", ON_STEPS, true, "iitiitiiiytiiIjjtttiiit",
        "SELECT 1 FROM machine_event WHERE vm_id = $3 AND event_epoch = $7 AND seq = $8 AND step = $5"
        " UNION ALL SELECT 1 FROM machine_event WHERE $8 IS NULL AND vm_id = $3 AND event_epoch IS NULL AND step = $5"},
    [STATEMENT_MACHINE_EVENT_COMPARE] = {"machine_event_compare", ON_STEPS, false, "iitiiy",
        "SELECT bool_or(body_hash = sha256($6)) FROM machine_event WHERE vm_id = $3 AND event_epoch = $4 AND seq = $5"},
    [STATEMENT_MACHINE_JOURNAL_SAVE] = {"machine_journal_save", ON_STEPS, true, "iitit",
        "WITH" MACHINE_OWNED
        " UPDATE machine_link_state s SET journal = $5 FROM owned WHERE s.vm_id = owned.vm_id RETURNING 1"},
    [STATEMENT_MACHINE_PRESENCE_SAVE] = {"machine_presence_save", ON_STEPS, true, "iitibt",
        "WITH" MACHINE_OWNED
        " UPDATE machine_link_state s SET online = $5, presence_reason = $6, presence_at = now()"
        "   FROM owned WHERE s.vm_id = owned.vm_id RETURNING 1"},

    /* Keys that sign, and behind them the newest v1 key though it is over: an endpoint is never left without one. */
    [STATEMENT_INTEGRATOR_LOAD] = {"integrator_load", ON_STEPS, false, "iii",
        "SELECT i.integrator_id, i.name, i.enabled, e.callback_url, e.callback_ca_file, coalesce(e.allow_http, false),"
        "     array_to_string(e.allow_cidr, ','), e.present_api_key, e.present_user, e.present_password,"
        "     s.secrets[1], s.secrets[2], s.secrets[3], s.secrets[4], s.ends[1], s.ends[2], s.ends[3], s.ends[4],"
        "     i.amount_max, i.allow_rename, i.allow_multi_vend, i.strict_codes, i.doubt_policy, i.requests_per_second,"
        "     e.client_cert_file, e.client_key_file, array_to_string(e.public_key_pins, ';'), e.rate_per_second,"
        "     coalesce(e.v1a_only, false), e.held_at IS NOT NULL"
        " FROM integrator i LEFT JOIN integrator_endpoint e USING (integrator_id), LATERAL ("
        "     SELECT array_agg(k.secret ORDER BY k.over, k.created_at DESC, k.signing_key_id DESC) AS secrets,"
        "         array_agg(unix_ms(k.retired_at) ORDER BY k.over, k.created_at DESC, k.signing_key_id DESC) AS ends"
        "     FROM (SELECT *, coalesce(retired_at <= now(), false) AS over, row_number() OVER ("
        "             ORDER BY public_key IS NOT NULL, created_at DESC, signing_key_id DESC) AS rank"
        "         FROM integrator_signing_key n WHERE n.integrator_id = i.integrator_id) k"
        "     WHERE NOT k.over OR k.rank = 1) s"
        " WHERE $3 = 0 OR i.integrator_id = $3 ORDER BY i.integrator_id"},
    [STATEMENT_KEY_LOAD] = {"key_load", ON_STEPS, false, "ii",
        "SELECT k.key_id, k.integrator_id, k.kind, k.user_name, k.digest FROM integrator_key k"
        " JOIN integrator i USING (integrator_id) WHERE i.enabled AND k.revoked_at IS NULL ORDER BY k.key_id"},
    [STATEMENT_GRANT_LOAD] = {"grant_load", ON_STEPS, false, "ii",
        "SELECT integrator_id, vm_id FROM machine_grant ORDER BY integrator_id, vm_id"},

    [STATEMENT_ANSWER_FIND] = {"answer_find", ON_STEPS, false, "iiit",
        "SELECT true, integrator_id, key, path, body_sha256, status, body FROM idempotency_answer"
        " WHERE integrator_id = $3 AND key = $4"},
    /* $3 integrator, $4 key, $5 path, $6 digest, $7 status, $8 body. What stands is touched, so that it is returned even if it
     * came after our snapshot; it is told from ours by its content, which makes a repeat harmless. */
    [STATEMENT_ANSWER_SAVE] = {"answer_save", ON_STEPS, true, "iiitttit",
        "INSERT INTO idempotency_answer AS a (integrator_id, key, path, body_sha256, status, body)"
        " SELECT $3, $4, $5, $6, $7::integer, $8 FROM gateway_instance g WHERE g.instance_id = $1 AND g.epoch = $2"
        " ON CONFLICT (integrator_id, key) DO UPDATE SET key = a.key"
        " RETURNING (path, body_sha256, status, body) = ($5, $6, $7::integer, $8),"
        "     integrator_id, key, path, body_sha256, status, body"},

    /* $3 integrator, $4 after, $5 at most, $6 with a lane */
    [STATEMENT_CALLBACK_PAGE] = {"callback_page", ON_STEPS, false, "iiiiib",
        CALLBACK_ROWS("q.integrator_id = $3 AND q.callback_id > $4 AND q.replays = 0 AND (q.lane <> 0) = $6",
                      " ORDER BY q.callback_id LIMIT $5")},
    [STATEMENT_CALLBACK_LOOK] = {"callback_look", ON_STEPS, false, "iii", CALLBACK_ROWS("q.callback_id = $3", "")},
    /* $3 after, $4 at most */
    [STATEMENT_CALLBACK_REPLAYS] = {"callback_replays", ON_STEPS, false, "iiii",
        CALLBACK_ROWS("q.replays > 0 AND q.not_before < now() + interval '10 s' AND q.callback_id > $3",
                      " ORDER BY q.callback_id LIMIT $4")},
    [STATEMENT_CALLBACK_SURVEY] = {"callback_survey", ON_STEPS, false, "ii",
        "SELECT DISTINCT q.integrator_id, q.lane <> 0 FROM callback_queue q WHERE NOT q.parked AND q.replays = 0 AND " MINE},
    [STATEMENT_ENDPOINT_HOLD] = {"endpoint_hold", ON_STEPS, false, "iiit",
        "WITH fence AS (SELECT 1 FROM gateway_instance WHERE instance_id = $1 AND epoch = $2 FOR SHARE),"
        " held AS (UPDATE integrator_endpoint SET held_at = now(), held_by = 'vendgate', held_reason = $4"
        "   FROM fence WHERE integrator_id = $3 AND held_at IS NULL RETURNING integrator_id)"
        " INSERT INTO callback_act (act, integrator_id, operator, reason) SELECT 'hold', integrator_id, 'vendgate', $4 FROM held"},
    /* $3 callback, $4 number, $5 started, $6 dns, $7 connect, $8 tls, $9 first byte, $10 total, $11 remote, $12 status, $13 result,
     * $14 error, $15 answer, $16 fate. A repeat moves nothing: a person may have had it sent again since. A refused /txn/vend waits for a person. Who does not own
     * the callback any more has made an attempt, but decides nothing. */
    [STATEMENT_CALLBACK_ATTEMPT] = {"callback_attempt", ON_OUTCOMES, false, "iiiiiiiiiititttt",
        "WITH mine AS (SELECT callback_id, $16 IN ('pending', 'parked') OR $16 = 'refused' AND kind = '/txn/vend' AS stays"
        "   FROM callback_queue q WHERE callback_id = $3 AND " MINE " AND NOT " TOLD_BEFORE("$4", "$5") " FOR UPDATE),"
        " attempt AS (INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, dns_us, connect_us, tls_us,"
        "     first_byte_us, total_us, remote, http_status, result, error, answer, fate)"
        "   VALUES ($3, $4::integer, from_unix_ms($5), $1, $6, $7, $8, $9, $10, $11, $12::integer, $13, $14, $15,"
        "     CASE WHEN EXISTS (SELECT FROM mine) THEN $16 ELSE 'pending' END)"
        "   ON CONFLICT DO NOTHING),"
        " kept AS (UPDATE callback_queue q SET attempts = greatest(attempts, $4::integer), last_attempt_at = from_unix_ms($5),"
        "     parked = $16 <> 'pending', parked_at = CASE WHEN $16 <> 'pending' THEN now() END,"
        "     acknowledged_at = NULL, acknowledged_by = NULL"
        "   FROM mine WHERE q.callback_id = mine.callback_id AND mine.stays),"
        " gone AS (DELETE FROM callback_queue q USING mine WHERE q.callback_id = mine.callback_id AND NOT mine.stays)"
        " SELECT EXISTS (SELECT FROM mine) OR EXISTS (SELECT FROM callback_attempt"
        "     WHERE callback_id = $3 AND number = $4 AND started_at = from_unix_ms($5) AND fate = $16)," LANE_NOW},
    /* $3 callback, $4 now, $5 fate */
    [STATEMENT_CALLBACK_SETTLE] = {"callback_settle", ON_OUTCOMES, false, "iiiit",
        "WITH mine AS (SELECT callback_id FROM callback_queue q WHERE callback_id = $3 AND " MINE
        "     AND NOT " TOLD_BEFORE("0", "$4") " FOR UPDATE),"
        " fate AS (INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"
        "   SELECT callback_id, 0, from_unix_ms($4), $1, $5 FROM mine ON CONFLICT DO NOTHING),"
        " kept AS (UPDATE callback_queue q SET parked = true, parked_at = now(), acknowledged_at = NULL, acknowledged_by = NULL"
        "   FROM mine WHERE q.callback_id = mine.callback_id AND $5 = 'parked'),"
        " gone AS (DELETE FROM callback_queue q USING mine WHERE q.callback_id = mine.callback_id AND $5 <> 'parked')"
        " SELECT EXISTS (SELECT FROM mine) OR EXISTS (SELECT FROM callback_attempt"
        "     WHERE callback_id = $3 AND number = 0 AND started_at = from_unix_ms($4) AND fate = $5)," LANE_NOW},
    /* $3 machine, $4 kind, $5 body, $6 key. The webhook-id comes from the key, so that a second run after a lost connection
     * repeats it. */
    [STATEMENT_FEED_PUBLISH] = {"feed_publish", ON_STEPS, false, "iitttt",
        "WITH fence AS (SELECT instance_id FROM gateway_instance WHERE instance_id = $1 AND epoch = $2 FOR SHARE),"
        " whom AS (SELECT i.integrator_id FROM fence, machine_grant g JOIN integrator i USING (integrator_id)"
        "     JOIN feed_subscription s USING (integrator_id)"
        "   WHERE g.vm_id = $3 AND s.kind = $4 AND i.enabled ORDER BY i.integrator_id),"
        " made AS (SELECT nextval('callback_id_seq') AS callback_id, integrator_id,"
        "     'msg_' || left(encode(sha256(convert_to($6 || integrator_id, 'UTF8')), 'hex'), 32) AS webhook_id FROM whom),"
        " stored AS (INSERT INTO callback (callback_id, created_at, integrator_id, kind, webhook_id, lane, lane_sequence,"
        "     expires_at, body)"
        "   SELECT callback_id, now(), integrator_id, $4, webhook_id, 0, 0, now() + interval '72 h', $5 FROM made),"
        " queued AS (INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, kind,"
        "     renames) SELECT callback_id, now(), $1, $2, integrator_id, 0, $4, false FROM made)"
        " SELECT callback_id, integrator_id, unix_ms(now() + interval '72 h'), webhook_id FROM made ORDER BY callback_id"},
    /* $3 integrator, $4 after, $5 horizon, $6 at most. 5,000 callbacks and 128 KiB of bodies are the most that one call costs. */
    [STATEMENT_EVENT_LIST] = {"event_list", ON_STEPS, false, "iiiiii",
        "WITH seen AS MATERIALIZED (SELECT * FROM callback WHERE callback_id > $4 AND callback_id <= $5"
        "     ORDER BY callback_id LIMIT 5000),"
        " mine AS (SELECT s.*, row_number() OVER w AS place, sum(octet_length(s.body)) OVER w - octet_length(s.body) AS before"
        "     FROM seen s WHERE s.integrator_id = $3 WINDOW w AS (ORDER BY s.callback_id)),"
        " told AS (SELECT * FROM mine WHERE place <= $6 AND before < 131072),"
        " reach AS (SELECT count(*) AS seen, coalesce(max(callback_id), $4) AS seen_id,"
        "     (SELECT count(*) FROM mine) > (SELECT count(*) FROM told) AS cut, (SELECT max(callback_id) FROM told) AS told_id FROM seen)"
        " SELECT (SELECT coalesce(json_agg(json_build_object('id', c.callback_id, 'kind', c.kind, 'webhook_id', c.webhook_id,"
        "         'created', unix_ms(c.created_at) / 1000, 'lane', c.lane, 'lane_sequence', c.lane_sequence, 'txn_ref', t.ref,"
        "         'body', c.body::json, 'attempts', h.attempts,"
        "         'state', CASE WHEN q.parked THEN 'parked' WHEN q.callback_id IS NOT NULL THEN 'waiting' ELSE h.fate END)"
        "         ORDER BY c.callback_id), '[]')::text"
        "       FROM told c LEFT JOIN txn t USING (txn_id) LEFT JOIN callback_queue q USING (callback_id), LATERAL ("
        "         SELECT count(*) FILTER (WHERE a.number > 0) AS attempts,"
        "             (array_agg(a.fate ORDER BY a.started_at DESC, a.number DESC) FILTER (WHERE a.fate <> 'pending'))[1] AS fate"
        "         FROM callback_attempt a WHERE a.callback_id = c.callback_id AND a.started_at >= c.created_at - interval '1 day') h),"
        "     CASE WHEN cut THEN told_id ELSE seen_id END, cut OR seen = 5000 FROM reach"},
    /* $3 at most */
    [STATEMENT_PARKED_LIST] = {"parked_list", ON_STEPS, false, "iii",
        "WITH parked AS (SELECT * FROM callback_queue WHERE parked AND acknowledged_at IS NULL)"
        " SELECT kind, count(*), 0::bigint, 0::bigint, 0::bigint, 0::bigint FROM parked GROUP BY kind UNION ALL"
        " (SELECT kind, 0, callback_id, integrator_id, coalesce(txn_id, 0), unix_ms(now()) - unix_ms(parked_at) FROM parked"
        "   WHERE kind = '/txn/vend' ORDER BY parked_at, callback_id LIMIT $3)"},
};
// clang-format on

const struct statement_info *statement_info(enum statement statement)
{
    assert(statement > STATEMENT_NONE && statement < STATEMENT_COUNT);
    return &STATEMENTS[statement];
}

unsigned statement_type_oid(char letter)
{
    static const struct {
        char letter;
        unsigned oid;
    } TYPES[] = {
        {'i', 20},   {'t', 25},   {'b', 16},   {'y', 17},
        {'j', 3802}, {'I', 1016}, {'T', 1009}, {'B', 1000},
    };
    size_t i = 0;
    while (i < ARRAY_SIZE(TYPES) && TYPES[i].letter != letter)
        i++;
    assert(i < ARRAY_SIZE(TYPES)); /* the letters stand in the table above */
    return TYPES[i].oid;
}
