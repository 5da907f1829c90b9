-- 0003_settlements.sql - late evidence that a person has settled with the integrator.

CREATE TABLE txn_settlement (
    adjustment_id bigint PRIMARY KEY REFERENCES txn_adjustment,
    at timestamptz NOT NULL DEFAULT now(),
    settled_by text NOT NULL DEFAULT session_user,
    because text NOT NULL CONSTRAINT txn_settlement_because CHECK (because ~ '[^[:space:]]' AND length(because) <= 200)
);
COMMENT ON TABLE txn_settlement IS 'The adjustments that need nobody any more; one without a row here is open.';
COMMENT ON COLUMN txn_settlement.adjustment_id IS 'Which adjustment.';
COMMENT ON COLUMN txn_settlement.at IS 'When it was settled.';
COMMENT ON COLUMN txn_settlement.settled_by IS 'Database role of the person.';
COMMENT ON COLUMN txn_settlement.because IS 'What was done, in their words.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON txn_settlement FOR EACH ROW EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON txn_settlement EXECUTE FUNCTION refuse_change('a journal only grows');

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
            txn_event, txn_adjustment, txn_settlement, machine_event, callback, callback_attempt, callback_queue, txn_timeline,
            txn_live, callback_waiting TO vendgate_reader;
    END IF;
END $$;
