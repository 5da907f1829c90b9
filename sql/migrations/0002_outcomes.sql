-- 0002_outcomes.sql - purchases that take over from each other, late evidence, groups of machines, kept answers, and the
-- chain of hashes over each machine's journal.

-- Transactions -----------------------------------------------------------------------------------------------------

ALTER TABLE txn
    ADD COLUMN keys_n bigint NOT NULL DEFAULT 0,
    ADD COLUMN keys_digest bigint NOT NULL DEFAULT 0,
    ADD COLUMN predecessor_id bigint REFERENCES txn;
CREATE UNIQUE INDEX txn_one_successor ON txn (predecessor_id) WHERE predecessor_id IS NOT NULL;
COMMENT ON COLUMN txn.keys_n IS 'Number of the last keys that the machine was told to press; 0: none.';
COMMENT ON COLUMN txn.keys_digest IS 'Digest of those keys: a repeat of the same call is known by it.';
COMMENT ON COLUMN txn.predecessor_id IS 'The row of the same session whose ref this one took over; NULL: none.';

CREATE TABLE txn_adjustment (
    adjustment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    txn_id bigint NOT NULL REFERENCES txn,
    step bigint NOT NULL,
    says text NOT NULL CHECK (says IN ('dispensed', 'not_dispensed')),
    outcome txn_state NOT NULL CHECK (outcome IN ('VENDED', 'FAILED', 'CLOSED')),
    evidence jsonb NOT NULL,
    CONSTRAINT txn_adjustment_once UNIQUE (txn_id, says)
);
COMMENT ON TABLE txn_adjustment IS 'Evidence that came after the end and contradicts it: the outcome stays, a person settles the difference.';
COMMENT ON COLUMN txn_adjustment.adjustment_id IS 'Key.';
COMMENT ON COLUMN txn_adjustment.at IS 'Start of the commit that wrote it.';
COMMENT ON COLUMN txn_adjustment.txn_id IS 'Which transaction.';
COMMENT ON COLUMN txn_adjustment.step IS 'Random number of the operation; its row in txn_event has the same.';
COMMENT ON COLUMN txn_adjustment.says IS 'What the machine says now: dispensed, not_dispensed.';
COMMENT ON COLUMN txn_adjustment.outcome IS 'The final state that this contradicts.';
COMMENT ON COLUMN txn_adjustment.evidence IS 'What it said.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON txn_adjustment FOR EACH ROW EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON txn_adjustment EXECUTE FUNCTION refuse_change('a journal only grows');

-- The chain: each journal row carries a hash over itself and its predecessor of the same machine, whose link state keeps
-- the last one. A row without a machine stands alone, over an empty predecessor.

ALTER TABLE txn_event
    ADD COLUMN vm_id text,
    ADD COLUMN chain_hash bytea;
CREATE INDEX txn_event_chain ON txn_event (vm_id, event_id);
COMMENT ON COLUMN txn_event.vm_id IS 'Whose chain it belongs to; NULL: no machine, or written before there was a chain.';
COMMENT ON COLUMN txn_event.chain_hash IS 'txn_event_hash() over the row before of this machine, and this row; NULL: written before there was a chain.';

ALTER TABLE machine_link_state ADD COLUMN chain_hash bytea NOT NULL DEFAULT '';
COMMENT ON COLUMN machine_link_state.chain_hash IS 'Hash of the machine''s last row in txn_event; empty: it has none.';

CREATE FUNCTION txn_event_hash(previous bytea, event_id bigint, at timestamptz, txn_id bigint, vm_id text, version bigint,
        from_state text, to_state text, event text, actor text, evidence jsonb, callback_ids bigint[],
        cancelled_callback_id bigint, step bigint, instance_id bigint)
    RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
    RETURN sha256(previous || convert_to(jsonb_build_array(event_id, (extract(epoch FROM at) * 1000000)::bigint, txn_id, vm_id,
        version, from_state, to_state, event, actor, evidence, callback_ids, cancelled_callback_id, step, instance_id)::text,
        'UTF8'));
COMMENT ON FUNCTION txn_event_hash(bytea, bigint, timestamptz, bigint, text, bigint, text, text, text, text, jsonb, bigint[],
        bigint, bigint, bigint)
    IS 'SHA-256 over the predecessor''s hash (empty for the first) and the row as the text of a jsonb array of the other arguments, at in microseconds since 1970-01-01 UTC.';

CREATE FUNCTION txn_event_hash(previous bytea, entry txn_event) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
    RETURN txn_event_hash(previous, entry.event_id, entry.at, entry.txn_id, entry.vm_id, entry.version, entry.from_state::text,
        entry.to_state::text, entry.event, entry.actor, entry.evidence, entry.callback_ids, entry.cancelled_callback_id,
        entry.step, entry.instance_id);
COMMENT ON FUNCTION txn_event_hash(bytea, txn_event)
    IS 'The same of a stored row: it is unchanged if this is its chain_hash. Rows of a machine follow each other by event_id.';

-- Groups of machines -----------------------------------------------------------------------------------------------

CREATE TABLE machine_group (
    group_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT machine_group_name_unique UNIQUE
        CONSTRAINT machine_group_name_form CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    doubt_policy text CHECK (doubt_policy IN ('refund', 'capture', 'hold')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE machine_group IS 'Machines that an operator treats alike.';
COMMENT ON COLUMN machine_group.group_id IS 'Key.';
COMMENT ON COLUMN machine_group.name IS 'Short name for people.';
COMMENT ON COLUMN machine_group.doubt_policy IS 'What an outcome that stays unknown counts as: refund, capture, hold; NULL: as the integrator''s says.';
COMMENT ON COLUMN machine_group.created_at IS 'When it was added.';

ALTER TABLE machine ADD COLUMN group_id bigint REFERENCES machine_group;
CREATE INDEX machine_of_group ON machine (group_id) WHERE group_id IS NOT NULL;
COMMENT ON COLUMN machine.group_id IS 'Its group; NULL: none.';

DROP TRIGGER announce ON machine;
CREATE TRIGGER announce AFTER INSERT OR DELETE OR UPDATE OF enabled, out_of_service, allow_tool, address, business_address,
        company_external_name, operator_name, operator_contact_number, photo_url, price_max, group_id
    ON machine FOR EACH ROW EXECUTE FUNCTION announce_row('machine', 'vm_id');

CREATE FUNCTION announce_family() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM announce_change(TG_ARGV[0], '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION announce_family IS 'Trigger: announce_change(family, no key), which makes all rows of the family be read again.';
CREATE TRIGGER announce AFTER UPDATE ON machine_group FOR EACH STATEMENT EXECUTE FUNCTION announce_family('machine');

-- Answers kept for repeats of a call -------------------------------------------------------------------------------

CREATE TABLE idempotency_answer (
    integrator_id bigint NOT NULL REFERENCES integrator,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    path text NOT NULL,
    body_sha256 text NOT NULL CHECK (body_sha256 ~ '^[0-9a-f]{64}$'),
    status integer NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (integrator_id, key)
);
CREATE INDEX idempotency_answer_age ON idempotency_answer (created_at);
COMMENT ON TABLE idempotency_answer IS 'What was answered to calls with an Idempotency-Key; `vendctl maintain` deletes what is older than a day.';
COMMENT ON COLUMN idempotency_answer.integrator_id IS 'Whose call.';
COMMENT ON COLUMN idempotency_answer.key IS 'Value of the header.';
COMMENT ON COLUMN idempotency_answer.path IS 'Path of the call.';
COMMENT ON COLUMN idempotency_answer.body_sha256 IS 'SHA-256 of its body in hexadecimal: another call under the same key is refused.';
COMMENT ON COLUMN idempotency_answer.status IS 'HTTP status of the answer.';
COMMENT ON COLUMN idempotency_answer.body IS 'Exact bytes of the answer.';
COMMENT ON COLUMN idempotency_answer.created_at IS 'When it was answered.';

-- Roles ------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION grant_to_roles() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'vendgate_daemon') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO vendgate_daemon', current_schema());
        GRANT INSERT ON txn_event, machine_event, callback, callback_attempt, txn_adjustment TO vendgate_daemon;
        GRANT INSERT, UPDATE ON txn, machine_link_state, gateway_instance, idempotency_answer TO vendgate_daemon;
        GRANT UPDATE ON machine TO vendgate_daemon;
        GRANT INSERT, UPDATE, DELETE ON callback_queue, coil TO vendgate_daemon;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'vendgate_reader') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vendgate_reader', current_schema());
        GRANT SELECT ON gateway_instance, integrator, machine, machine_group, machine_link_state, machine_grant, coil, txn,
            txn_event, txn_adjustment, machine_event, callback, callback_attempt, callback_queue, txn_timeline, txn_live,
            callback_waiting TO vendgate_reader;
    END IF;
END $$;
