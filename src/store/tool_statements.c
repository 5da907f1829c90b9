#include "store/tool_statements.h"

#include "base/macros.h"
#include "store/tool_callback_sql.h"
#include "store/tool_replay_sql.h"

#include <string.h>

#define SECRETS                                                                                  \
    "SELECT s.integrator_id, i.name AS integrator, 'signing' AS what, s.signing_key_id AS row, " \
    "s.secret AS text FROM integrator_signing_key s JOIN integrator i USING (integrator_id)"     \
    " UNION ALL SELECT e.integrator_id, i.name, 'api_key', e.integrator_id, e.present_api_key"   \
    "   FROM integrator_endpoint e JOIN integrator i USING (integrator_id)"                      \
    "   WHERE e.present_api_key IS NOT NULL"                                                     \
    " UNION ALL SELECT e.integrator_id, i.name, 'password', e.integrator_id, e.present_password" \
    "   FROM integrator_endpoint e JOIN integrator i USING (integrator_id)"                      \
    "   WHERE e.present_password IS NOT NULL"

static const struct tool_statement STATEMENTS[] = {
    /* name, url, ca file, allow http, allowed networks, presented key, user, password, signing
     * secret, api key's digest, basic user, basic digest, allow rename, allow multi-vend, strict
     * codes, doubt policy, id, client
     * certificate, its key, pins, rate */
    {"integrator_add", 21,
     "WITH i AS (INSERT INTO integrator (integrator_id, name, allow_rename, allow_multi_vend, "
     "strict_codes, doubt_policy)"
     "       OVERRIDING SYSTEM VALUE VALUES ($17::bigint, $1, $13::boolean, $14::boolean, "
     "$15::boolean, coalesce($16, 'refund'))"
     "       RETURNING integrator_id, name),"
     " e AS (INSERT INTO integrator_endpoint (integrator_id, callback_url, callback_ca_file, "
     "allow_http, allow_cidr,"
     "           present_api_key, present_user, present_password, client_cert_file, "
     "client_key_file, public_key_pins, rate_per_second)"
     "       SELECT integrator_id, $2, $3, $4::boolean, $5::cidr[], $6, $7, $8, $18, $19, "
     "$20::text[], $21::bigint FROM i),"
     " s AS (INSERT INTO integrator_signing_key (integrator_id, secret) SELECT integrator_id, $9 "
     "FROM i),"
     " a AS (INSERT INTO integrator_key (integrator_id, kind, digest) SELECT integrator_id, "
     "'api_key', $10 FROM i),"
     " b AS (INSERT INTO integrator_key (integrator_id, kind, user_name, digest)"
     "       SELECT integrator_id, 'basic', $11, $12 FROM i)"
     " SELECT integrator_id AS id, name FROM i"},
    {"integrator_next_id", 0,
     "SELECT nextval(pg_get_serial_sequence('integrator', 'integrator_id')) AS id"},
    {"integrator_find", 1, "SELECT integrator_id AS id FROM integrator WHERE name = $1"},
    {"integrator_list", 0,
     "SELECT i.integrator_id AS id, i.name, i.enabled, e.callback_url,"
     "       (SELECT count(*) FROM machine_grant g WHERE g.integrator_id = i.integrator_id) AS "
     "machines"
     "  FROM integrator i LEFT JOIN integrator_endpoint e USING (integrator_id) ORDER BY i.name"},
    {"integrator_show", 1,
     "SELECT i.integrator_id AS id, i.name, i.enabled, i.created_at, i.amount_max, "
     "i.requests_per_second, i.allow_rename,"
     "       i.allow_multi_vend, i.strict_codes, i.doubt_policy, e.callback_url, "
     "e.callback_ca_file, e.allow_http,"
     "       e.allow_cidr, e.present_api_key IS NOT NULL AS presents_api_key, e.present_user AS "
     "presents_user,"
     "       e.client_cert_file, e.client_key_file, e.public_key_pins, e.rate_per_second, "
     "e.v1a_only,"
     "       e.held_at, e.held_by, e.held_reason,"
     "       (SELECT coalesce(json_agg(json_build_object('key', k.key_id, 'kind', k.kind, "
     "'user', k.user_name,"
     "            'created_at', k.created_at, 'revoked_at', k.revoked_at) ORDER BY k.key_id), '[]')"
     "          FROM integrator_key k WHERE k.integrator_id = i.integrator_id) AS keys,"
     "       (SELECT count(*) FROM integrator_signing_key s WHERE s.integrator_id = i.integrator_id"
     "           AND (s.retired_at IS NULL OR s.retired_at > now())) AS signing_keys,"
     "       (SELECT coalesce(json_agg(g.vm_id ORDER BY g.vm_id), '[]') FROM machine_grant g"
     "         WHERE g.integrator_id = i.integrator_id) AS machines,"
     "       (SELECT coalesce(json_agg(f.kind ORDER BY f.kind), '[]') FROM feed_subscription f"
     "         WHERE f.integrator_id = i.integrator_id) AS feeds"
     "  FROM integrator i LEFT JOIN integrator_endpoint e USING (integrator_id) WHERE i.name = $1"},
    /* name, allow rename, allow multi-vend, strict codes, doubt policy, amount max (NULL: as is) */
    {"integrator_set", 6,
     "UPDATE integrator SET allow_rename = coalesce($2::boolean, allow_rename),"
     "       allow_multi_vend = coalesce($3::boolean, allow_multi_vend),"
     "       strict_codes = coalesce($4::boolean, strict_codes),"
     "       doubt_policy = coalesce($5, doubt_policy), amount_max = coalesce($6::bigint, "
     "amount_max)"
     " WHERE name = $1 RETURNING integrator_id AS id, name, allow_rename, allow_multi_vend, "
     "strict_codes, doubt_policy,"
     "       amount_max"},
    /* name, whether it verifies v1a: nothing is changed without a key that can then sign */
    {"endpoint_v1a_only", 2,
     "UPDATE integrator_endpoint e SET v1a_only = $2::boolean FROM integrator i"
     " WHERE i.integrator_id = e.integrator_id AND i.name = $1 AND EXISTS (SELECT FROM "
     "integrator_signing_key k"
     "       WHERE k.integrator_id = i.integrator_id AND k.retired_at IS NULL"
     "         AND (k.public_key IS NOT NULL) = $2::boolean) RETURNING i.name, e.v1a_only"},
    /* name, secret, public key (NULL: v1), overlap. Without room nothing is changed. */
    {"signing_key_rotate", 4,
     "WITH i AS (SELECT integrator_id, name FROM integrator WHERE name = $1 FOR UPDATE),"
     " live AS (SELECT k.signing_key_id, (k.public_key IS NULL) = ($3::text IS NULL) AS same"
     "       FROM integrator_signing_key k JOIN i USING (integrator_id)"
     "       WHERE k.retired_at IS NULL OR k.retired_at > now()),"
     " room AS (SELECT count(*) FILTER (WHERE NOT same OR $4::interval > '0') < 4 AS any FROM "
     "live),"
     " ended AS (UPDATE integrator_signing_key k"
     "       SET retired_at = least(k.retired_at, now() + $4::interval) FROM live, room"
     "       WHERE room.any AND live.same AND k.signing_key_id = live.signing_key_id RETURNING "
     "k.signing_key_id, k.retired_at),"
     " made AS (INSERT INTO integrator_signing_key (integrator_id, secret, public_key)"
     "       SELECT i.integrator_id, $2, $3 FROM i, room WHERE room.any"
     "       RETURNING signing_key_id, public_key, created_at)"
     " SELECT i.name AS integrator, made.signing_key_id AS key,"
     "       CASE WHEN $3::text IS NULL THEN 'v1' ELSE 'v1a' END AS kind, made.public_key, "
     "made.created_at,"
     "       (SELECT coalesce(json_agg(json_build_object('key', signing_key_id, 'ends_at', "
     "retired_at)"
     "            ORDER BY signing_key_id), '[]') FROM ended) AS former"
     "  FROM i LEFT JOIN made ON true"},
    {"signing_key_list", 1,
     "SELECT k.signing_key_id AS key, CASE WHEN k.public_key IS NULL THEN 'v1' ELSE 'v1a' END AS "
     "kind, k.public_key,"
     "       k.created_at, k.retired_at AS ends_at, coalesce(k.retired_at > now(), true) AS live,"
     "       k.secret LIKE 'sealed:%' AS sealed"
     "  FROM integrator_signing_key k JOIN integrator i USING (integrator_id) WHERE i.name = $1"
     " ORDER BY k.created_at DESC, k.signing_key_id DESC"},
    /* name, key. ended_at NULL: it stays, as nothing else without an end could sign. */
    {"signing_key_retire", 2,
     "WITH i AS (SELECT integrator_id, coalesce((SELECT e.v1a_only FROM integrator_endpoint e"
     "            WHERE e.integrator_id = n.integrator_id), false) AS v1a_only"
     "       FROM integrator n WHERE name = $1 FOR UPDATE),"
     " asked AS (SELECT k.signing_key_id, k.public_key FROM integrator_signing_key k JOIN i USING "
     "(integrator_id)"
     "       WHERE k.signing_key_id = $2::bigint AND (k.retired_at IS NULL OR k.retired_at > "
     "now())),"
     " done AS (UPDATE integrator_signing_key k SET retired_at = now() FROM asked"
     "       WHERE k.signing_key_id = asked.signing_key_id AND EXISTS (SELECT FROM "
     "integrator_signing_key o JOIN i"
     "            USING (integrator_id) WHERE o.signing_key_id <> asked.signing_key_id AND "
     "o.retired_at IS NULL"
     "            AND (o.public_key IS NULL OR i.v1a_only)) RETURNING k.signing_key_id, "
     "k.retired_at)"
     " SELECT asked.signing_key_id AS key, CASE WHEN asked.public_key IS NULL THEN 'v1' ELSE "
     "'v1a' END AS kind,"
     "       done.retired_at AS ended_at FROM asked LEFT JOIN done USING (signing_key_id)"},

    /* Every secret that we must be able to read again, with its place. */
    {"secret_list", 0, "SELECT * FROM (" SECRETS ") s ORDER BY integrator_id, what, row"},
    /* "sealed:<key id>:" of each master key in use */
    {"secret_seals", 0,
     "SELECT DISTINCT 'sealed:' || split_part(text, ':', 2) || ':' AS seal FROM (" SECRETS ") s"
     " WHERE text LIKE 'sealed:%'"},
    /* row, text as it was read, text */
    {"secret_put_signing", 3,
     "UPDATE integrator_signing_key SET secret = $3 WHERE signing_key_id = $1::bigint AND secret = "
     "$2 RETURNING 1"},
    {"secret_put_api_key", 3,
     "UPDATE integrator_endpoint SET present_api_key = $3"
     " WHERE integrator_id = $1::bigint AND present_api_key = $2 RETURNING 1"},
    {"secret_put_password", 3,
     "UPDATE integrator_endpoint SET present_password = $3"
     " WHERE integrator_id = $1::bigint AND present_password = $2 RETURNING 1"},

    /* Columns named as the options of `integrator endpoint`, all of them text. */
    {"endpoint_show", 1,
     "SELECT e.callback_url AS \"callback-url\", e.callback_ca_file AS \"callback-ca\","
     "       CASE WHEN e.allow_http THEN 'yes' ELSE 'no' END AS \"allow-http\","
     "       array_to_string(e.allow_cidr, ',') AS \"allow-cidr\","
     "       e.client_cert_file AS \"client-cert\", e.client_key_file AS \"client-key\","
     "       array_to_string(e.public_key_pins, ',') AS pin, e.rate_per_second::text AS rate"
     "  FROM integrator_endpoint e JOIN integrator i USING (integrator_id) WHERE i.name = $1"},
    /* name, url, ca file, allow http, allowed networks, client certificate, its key, pins, rate */
    {"endpoint_set", 9,
     "UPDATE integrator_endpoint e SET callback_url = $2, callback_ca_file = $3,"
     "       allow_http = $4::boolean, allow_cidr = $5::cidr[], client_cert_file = $6,"
     "       client_key_file = $7, public_key_pins = $8::text[], rate_per_second = $9::bigint"
     "  FROM integrator i WHERE i.integrator_id = e.integrator_id AND i.name = $1"
     " RETURNING i.integrator_id AS id, i.name, e.callback_url, e.callback_ca_file, e.allow_http,"
     "       e.allow_cidr, e.client_cert_file, e.client_key_file, e.public_key_pins,"
     "       e.rate_per_second"},
    {"integrator_enable", 2,
     "UPDATE integrator SET enabled = $2::boolean WHERE name = $1 RETURNING integrator_id AS id, "
     "name, enabled"},
    /* integrator, kind, user, digest */
    {"key_add", 4,
     "INSERT INTO integrator_key (integrator_id, kind, user_name, digest)"
     " SELECT integrator_id, $2, $3, $4 FROM integrator WHERE name = $1 RETURNING key_id AS key, "
     "kind, user_name AS user"},
    {"key_revoke", 2,
     "UPDATE integrator_key k SET revoked_at = now() FROM integrator i"
     " WHERE k.integrator_id = i.integrator_id AND i.name = $1 AND k.key_id = $2::bigint AND "
     "k.revoked_at IS NULL"
     " RETURNING k.key_id AS key, k.kind, k.revoked_at"},

    /* vm_id, allow_tool, operator, address, business address, company, contact, photo, group */
    {"machine_add", 9,
     "INSERT INTO machine (vm_id, allow_tool, operator_name, address, business_address, "
     "company_external_name,"
     "                     operator_contact_number, photo_url, group_id)"
     " VALUES ($1, $2::boolean, $3, $4, $5, $6, $7, $8, (SELECT group_id FROM machine_group WHERE "
     "name = $9))"
     " RETURNING vm_id, enabled, allow_tool, $9 AS \"group\""},
    /* vm_id, operator, address, business address, company, contact, photo, price max (NULL: as is),
     * whether the group changes, group (NULL: none) */
    {"machine_set", 10,
     "UPDATE machine m SET operator_name = coalesce($2, operator_name), address = coalesce($3, "
     "address),"
     "       business_address = coalesce($4, business_address),"
     "       company_external_name = coalesce($5, company_external_name),"
     "       operator_contact_number = coalesce($6, operator_contact_number),"
     "       photo_url = coalesce($7, photo_url), price_max = coalesce($8::bigint, price_max),"
     "       group_id = CASE WHEN $9::boolean THEN (SELECT group_id FROM machine_group WHERE name "
     "= $10) ELSE group_id END"
     " WHERE vm_id = $1 RETURNING vm_id, operator_name, operator_contact_number, "
     "company_external_name, address,"
     "       business_address, photo_url, price_max,"
     "       (SELECT name FROM machine_group g WHERE g.group_id = m.group_id) AS \"group\""},
    {"machine_list", 0,
     "SELECT m.vm_id, m.enabled, s.online, s.presence_at AS since, t.state AS transaction, g.name "
     "AS owner, m.operator_name,"
     "       m.model, m.firmware, r.name AS \"group\""
     "  FROM machine m JOIN machine_link_state s USING (vm_id) LEFT JOIN txn t ON t.vm_id = "
     "m.vm_id AND t.live"
     "  LEFT JOIN machine_group r USING (group_id)"
     "  LEFT JOIN gateway_instance g ON g.instance_id = m.owner_instance ORDER BY m.vm_id"},
    {"machine_show", 1,
     "SELECT m.vm_id, m.enabled, m.out_of_service, m.allow_tool, m.created_at, r.name AS "
     "\"group\", r.doubt_policy, m.operator_name, "
     "m.operator_contact_number,"
     "       m.company_external_name, m.address, m.business_address, m.photo_url, m.price_max, "
     "m.model, m.firmware,"
     "       m.currency, m.scale, m.decimals, m.max_response_s, m.keypad IS NOT NULL AS keypad, "
     "s.online, s.presence_at,"
     "       s.presence_reason, s.last_event_at, s.event_epoch, s.mark, s.approval_n, s.journal, "
     "g.name AS owner,"
     "       m.owner_epoch,"
     "       (SELECT coalesce(json_agg(json_build_object('credential', c.credential_id, 'kind', "
     "c.kind, 'digest', c.digest,"
     "            'enabled', c.enabled, 'created_at', c.created_at) ORDER BY c.credential_id), "
     "'[]')"
     "          FROM machine_credential c WHERE c.vm_id = m.vm_id) AS credentials,"
     "       (SELECT coalesce(json_agg(i.name ORDER BY i.name), '[]') FROM machine_grant r"
     "          JOIN integrator i USING (integrator_id) WHERE r.vm_id = m.vm_id) AS integrators,"
     "       (SELECT count(*) FROM coil WHERE coil.vm_id = m.vm_id) AS coils"
     "  FROM machine m JOIN machine_link_state s USING (vm_id) LEFT JOIN machine_group r USING "
     "(group_id)"
     "  LEFT JOIN gateway_instance g ON g.instance_id = m.owner_instance WHERE m.vm_id = $1"},
    {"machine_enable", 2,
     "UPDATE machine SET enabled = $2::boolean WHERE vm_id = $1 RETURNING vm_id, enabled"},
    /* vm_id, digest of the public key */
    {"certificate_add", 2,
     "INSERT INTO machine_credential (vm_id, kind, digest) SELECT vm_id, 'certificate', $2 FROM "
     "machine WHERE vm_id = $1"
     " RETURNING credential_id AS credential, vm_id, digest AS fingerprint"},
    /* vm_id, digest of the token; it takes the place of an older one */
    {"token_set", 2,
     "INSERT INTO machine_credential (vm_id, kind, digest) SELECT vm_id, 'token', $2 FROM machine "
     "WHERE vm_id = $1"
     " ON CONFLICT (vm_id) WHERE enabled AND kind = 'token' DO UPDATE SET digest = "
     "excluded.digest, created_at = now()"
     " RETURNING credential_id AS credential, vm_id"},
    {"credential_disable", 2,
     "UPDATE machine_credential SET enabled = false WHERE vm_id = $1 AND credential_id = "
     "$2::bigint AND enabled"
     " RETURNING credential_id AS credential, vm_id, kind, enabled"},

    {"group_add", 2,
     "INSERT INTO machine_group (name, doubt_policy) VALUES ($1, $2) RETURNING name, doubt_policy"},
    /* name, doubt policy (NULL: the integrators' own) */
    {"group_set", 2,
     "UPDATE machine_group SET doubt_policy = $2 WHERE name = $1 RETURNING name, doubt_policy"},
    {"group_find", 1, "SELECT name, doubt_policy FROM machine_group WHERE name = $1"},
    {"group_list", 0,
     "SELECT g.name, g.doubt_policy, count(m.vm_id) AS machines"
     "  FROM machine_group g LEFT JOIN machine m USING (group_id) GROUP BY g.group_id ORDER BY "
     "g.name"},

    {"grant_add", 2,
     "WITH found AS (SELECT i.integrator_id, i.name, m.vm_id FROM integrator i, machine m WHERE "
     "i.name = $1 AND m.vm_id = $2),"
     " added AS (INSERT INTO machine_grant (integrator_id, vm_id) SELECT integrator_id, vm_id FROM "
     "found"
     "           ON CONFLICT DO NOTHING)"
     " SELECT name AS integrator, vm_id FROM found"},
    {"grant_remove", 2,
     "DELETE FROM machine_grant g USING integrator i WHERE i.integrator_id = g.integrator_id AND "
     "i.name = $1 AND g.vm_id = $2"
     " RETURNING i.name AS integrator, g.vm_id"},

    /* ref, integrator or NULL */
    {"txn_find", 2,
     "SELECT t.txn_id, i.name AS integrator, t.ref, t.vm_id, t.state, t.selection, t.price, "
     "t.surcharge, t.discount, t.amount,"
     "       t.approval, t.session, t.version, t.timer, t.deadline_at, t.closed_by, "
     "t.outcome_code, t.created_at, t.paid_at,"
     "       t.updated_at, p.ref AS predecessor, s.ref AS successor,"
     "       (SELECT coalesce(json_agg(json_build_object('adjustment', a.adjustment_id, 'at', "
     "a.at, 'says', a.says)"
     "            ORDER BY a.adjustment_id), '[]') FROM txn_adjustment a WHERE a.txn_id = "
     "t.txn_id) AS adjustments"
     "  FROM txn t JOIN integrator i USING (integrator_id) LEFT JOIN txn p ON p.txn_id = "
     "t.predecessor_id"
     "  LEFT JOIN txn s ON s.predecessor_id = t.txn_id WHERE t.ref = $1 AND ($2::text IS NULL "
     "OR i.name = $2)"
     " ORDER BY t.txn_id"},
    {"txn_timeline", 1,
     "SELECT at, source, what, detail FROM txn_timeline WHERE txn_id = $1::bigint"
     " ORDER BY at, array_position('{machine,step,callback,attempt}', source)"},
    /* integrator, machine, state (each or NULL), limit */
    {"txn_list", 4,
     "SELECT t.txn_id, i.name AS integrator, t.ref, t.vm_id, t.state, t.selection, t.amount, "
     "t.closed_by, t.outcome_code,"
     "       t.created_at, t.updated_at"
     "  FROM txn t JOIN integrator i USING (integrator_id)"
     " WHERE ($1::text IS NULL OR i.name = $1) AND ($2::text IS NULL OR t.vm_id = $2) AND "
     "($3::text IS NULL OR t.state = $3)"
     " ORDER BY t.txn_id DESC LIMIT $4::bigint"},
    /* What waits for evidence, the policy or a verdict; the newest word of the machine with it. */
    {"doubt_list", 0,
     "SELECT i.name AS integrator, t.ref, t.vm_id, t.amount, date_trunc('second', now() - "
     "t.paid_at)::text AS age,"
     "       l.online, t.deadline_at, coalesce(g.doubt_policy, i.doubt_policy) AS policy, w.event "
     "AS last_word,"
     "       w.at AS said_at, w.evidence"
     "  FROM txn t JOIN integrator i USING (integrator_id) JOIN machine m USING (vm_id)"
     "  JOIN machine_link_state l USING (vm_id) LEFT JOIN machine_group g USING (group_id)"
     "  LEFT JOIN LATERAL (SELECT e.event, e.at, e.evidence FROM txn_event e WHERE e.txn_id = "
     "t.txn_id"
     "      AND e.actor = 'machine' ORDER BY e.event_id DESC LIMIT 1) w ON true"
     " WHERE t.live AND t.state = 'IN_DOUBT' ORDER BY t.paid_at"},
    /* whether only those that nobody has settled */
    {"adjustment_list", 1,
     "SELECT a.adjustment_id AS adjustment, a.at, i.name AS integrator, t.ref, t.vm_id, t.amount, "
     "a.outcome, a.says,"
     "       s.at AS settled_at, s.settled_by, s.because"
     "  FROM txn_adjustment a JOIN txn t USING (txn_id) JOIN integrator i USING (integrator_id)"
     "  LEFT JOIN txn_settlement s USING (adjustment_id)"
     " WHERE NOT ($1::boolean AND s.adjustment_id IS NOT NULL) ORDER BY a.adjustment_id"},
    /* number, because */
    {"adjustment_settle", 2,
     "INSERT INTO txn_settlement (adjustment_id, because)"
     " SELECT adjustment_id, $2 FROM txn_adjustment WHERE adjustment_id = $1::bigint"
     " RETURNING adjustment_id AS adjustment, at AS settled_at, settled_by, because"},
    {"callbacks", 0, "SELECT * FROM callback_waiting ORDER BY callback_id"},
    {"callback_list", 6, CALLBACK_LIST_SQL},
    {"callback_show", 1, CALLBACK_SHOW_SQL},
    {"replay_find", 1, REPLAY_FIND_SQL},
    {"replay_one", 3, REPLAY_ONE_SQL},
    {"replay_count", 5, REPLAY_COUNT_SQL},
    {"replay_many", 8, REPLAY_MANY_SQL},
    {"callback_skip", 3, CALLBACK_SKIP_SQL},
    {"callback_acknowledge", 3, CALLBACK_ACKNOWLEDGE_SQL},
    {"endpoint_hold", 3, ENDPOINT_HOLD_SQL},
    {"endpoint_release", 3, ENDPOINT_RELEASE_SQL},
    {"callback_test", 4, CALLBACK_TEST_SQL},
    {"feeds_drop", 0, FEEDS_DROP_SQL},
    {"feed_list", 1, FEED_LIST_SQL},
    {"feed_subscribe", 2, FEED_SUBSCRIBE_SQL},
    {"feed_unsubscribe", 2, FEED_UNSUBSCRIBE_SQL},
    {"instance_list", 0,
     "SELECT instance_id AS id, name, epoch, epoch_at, heartbeat_at, now() - heartbeat_at < "
     "interval '10 s' AS alive,"
     "       (SELECT count(*) FROM machine m WHERE m.owner_instance = g.instance_id) AS machines"
     "  FROM gateway_instance g ORDER BY name"},
    {"maintain", 1,
     "WITH forgotten AS (DELETE FROM idempotency_answer WHERE created_at < now() - interval '24 h')"
     " SELECT make_partitions($1::integer) AS partitions_made"},
};

const struct tool_statement *tool_statement_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(STATEMENTS); i++)
        if (!strcmp(STATEMENTS[i].name, name))
            return &STATEMENTS[i];
    return NULL;
}

const struct tool_statement *tool_statements(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(STATEMENTS);
    return STATEMENTS;
}

static const struct {
    const char *constraint, *meaning;
} CONSTRAINTS[] = {
    {"integrator_name_unique", "an integrator of this name exists already"},
    {"integrator_name_form", "a name is 1 to 64 of A-Z a-z 0-9 . _ -"},
    {"integrator_key_api_key_unique", "this API key is in use already"},
    {"integrator_key_user_unique", "this Basic user name is in use already"},
    {"integrator_key_user_form", "a Basic user name is 1 to 64 characters without ':'"},
    {"endpoint_url_form",
     "the callback URL must be http(s)://host[:port][/path], without user and blanks"},
    {"endpoint_https", "a callback URL with plain http needs --allow-http"},
    {"integrator_doubt_policy_check", "a doubt policy is refund, capture or hold"},
    {"integrator_amount_max_check", "--amount-max is 0 (no limit) or more"},
    {"machine_group_name_unique", "a group of this name exists already"},
    {"machine_group_name_form", "a name is 1 to 64 of A-Z a-z 0-9 . _ -"},
    {"machine_group_doubt_policy_check",
     "a doubt policy is refund, capture or hold (or `none` with `group set`)"},
    {"machine_price_max_check", "--price-max is 0 (no limit) or more"},
    {"txn_settlement_pkey", "this adjustment is settled already"},
    {"txn_settlement_because", "--because is 1 to 200 characters, not only blanks"},
    {"feed_subscription_kind", "a feed is transactions, refills, alerts or button_actions"},
    {"machine_pkey", "this machine exists already"},
    {"machine_vm_id_form", "a vm_id is 1 to 64 of A-Z a-z 0-9 . _ -"},
    {"machine_credential_unique", "this key or token is registered already"},
    {"machine_credential_two", "the machine has two live certificates already: disable one first"},
};

const char *tool_constraint_meaning(const char *constraint)
{
    for (size_t i = 0; i < ARRAY_SIZE(CONSTRAINTS); i++)
        if (!strcmp(CONSTRAINTS[i].constraint, constraint))
            return CONSTRAINTS[i].meaning;
    return NULL;
}
