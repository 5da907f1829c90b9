-- 0004_callbacks.sql - callbacks under people's hands: endpoints with limits, holds and pins, feeds by subscription, repair,
-- and lanes that another process takes over.

-- Endpoints --------------------------------------------------------------------------------------------------------

ALTER TABLE integrator_endpoint
    ADD COLUMN allow_cidr cidr[] NOT NULL DEFAULT '{}',
    ADD COLUMN client_cert_file text,
    ADD COLUMN client_key_file text,
    ADD COLUMN public_key_pins text[] NOT NULL DEFAULT '{}',
    ADD COLUMN rate_per_second bigint NOT NULL DEFAULT 0 CHECK (rate_per_second BETWEEN 0 AND 1000000),
    ADD COLUMN v1a_only boolean NOT NULL DEFAULT false,
    ADD COLUMN held_at timestamptz,
    ADD COLUMN held_by text,
    ADD COLUMN held_reason text,
    ADD CONSTRAINT endpoint_client_certificate_whole CHECK ((client_cert_file IS NULL) = (client_key_file IS NULL)),
    ADD CONSTRAINT endpoint_hold_whole CHECK ((held_at IS NULL) = (held_by IS NULL) AND (held_at IS NULL) = (held_reason IS NULL));
UPDATE integrator_endpoint
   SET allow_cidr = '{10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7}' WHERE allow_private;
ALTER TABLE integrator_endpoint DROP COLUMN allow_private;
COMMENT ON COLUMN integrator_endpoint.allow_cidr IS 'Networks that are reached though they are not public (private, loopback ...); everything else of that kind is refused.';
COMMENT ON COLUMN integrator_endpoint.client_cert_file IS 'PEM chain on the gateway''s host that we present in TLS; NULL: none.';
COMMENT ON COLUMN integrator_endpoint.client_key_file IS 'Its private key, a PEM file on the gateway''s host.';
COMMENT ON COLUMN integrator_endpoint.public_key_pins IS 'sha256//<base64> of the server''s public key; one of them must match. Empty: any that its authority vouches for.';
COMMENT ON COLUMN integrator_endpoint.rate_per_second IS 'Most attempts a second; 0: no limit.';
COMMENT ON COLUMN integrator_endpoint.v1a_only IS 'It verifies v1a, so v1 is left out when a v1a key is live.';
COMMENT ON COLUMN integrator_endpoint.held_at IS 'Since when nothing is sent to it; NULL: not held.';
COMMENT ON COLUMN integrator_endpoint.held_by IS 'Who holds it: a person, or vendgate after an answer 410.';
COMMENT ON COLUMN integrator_endpoint.held_reason IS 'Why.';

ALTER TABLE integrator_signing_key
    DROP CONSTRAINT integrator_signing_key_secret_check,
    ADD COLUMN public_key text,
    ADD CONSTRAINT signing_key_form CHECK (secret ~ '^(whsec_|whsk_|sealed:)[A-Za-z0-9+/=:._-]+$');
DROP INDEX integrator_signing_key_live;
CREATE INDEX integrator_signing_key_integrator ON integrator_signing_key (integrator_id);
COMMENT ON COLUMN integrator_signing_key.secret IS 'Sealed under the master key ("sealed:..."), or plain: whsec_ (v1, HMAC-SHA256) or whsk_ (v1a, ed25519) and base64. Secret.';
COMMENT ON COLUMN integrator_signing_key.public_key IS 'whpk_ and base64 of a v1a key''s public half; NULL: a v1 key.';
COMMENT ON COLUMN integrator_signing_key.retired_at IS 'When it stops signing, which may lie ahead (rotation with overlap); NULL: live.';

CREATE TABLE feed_subscription (
    integrator_id bigint NOT NULL REFERENCES integrator,
    kind text NOT NULL CONSTRAINT feed_subscription_kind CHECK (kind IN (
        '/feed/transactions', '/feed/refills', '/feed/alerts', '/feed/button_actions')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (integrator_id, kind)
);
COMMENT ON TABLE feed_subscription IS 'Which feeds an integrator gets, of every machine that it was granted.';
COMMENT ON COLUMN feed_subscription.integrator_id IS 'Who.';
COMMENT ON COLUMN feed_subscription.kind IS 'Which feed, by its path.';
COMMENT ON COLUMN feed_subscription.created_at IS 'Since when.';

-- The queue --------------------------------------------------------------------------------------------------------

ALTER TABLE callback_queue
    ADD COLUMN owner_epoch bigint NOT NULL DEFAULT 1,
    ADD COLUMN integrator_id bigint,
    ADD COLUMN lane bigint,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN not_before timestamptz,
    ADD COLUMN replays integer NOT NULL DEFAULT 0,
    ADD COLUMN parked_at timestamptz,
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text;
UPDATE callback_queue q SET integrator_id = c.integrator_id, lane = c.lane, parked_at = CASE WHEN q.parked THEN now() END
  FROM callback c WHERE c.callback_id = q.callback_id AND c.created_at = q.created_at;
ALTER TABLE callback_queue
    ALTER COLUMN owner_epoch DROP DEFAULT,
    ALTER COLUMN integrator_id SET NOT NULL,
    ALTER COLUMN lane SET NOT NULL,
    ADD CONSTRAINT callback_queue_parked_since CHECK (parked = (parked_at IS NOT NULL)),
    ADD CONSTRAINT callback_queue_replay_has_time CHECK ((replays = 0) = (not_before IS NULL));
CREATE INDEX callback_queue_integrator ON callback_queue (integrator_id, callback_id);
CREATE INDEX callback_queue_parked ON callback_queue (parked_at, callback_id) WHERE parked AND acknowledged_at IS NULL;
CREATE INDEX callback_queue_replays ON callback_queue (not_before, callback_id) WHERE replays > 0 AND NOT parked;
COMMENT ON COLUMN callback_queue.owner_instance IS 'The process that wrote or took it, and delivers it unless lane_adoption names another; only the owner may take it out.';
COMMENT ON COLUMN callback_queue.owner_epoch IS 'That process''s epoch when it did.';
COMMENT ON COLUMN callback_queue.integrator_id IS 'To whom.';
COMMENT ON COLUMN callback_queue.lane IS 'Ordering key, as in callback; 0: no order (feeds, replays).';
COMMENT ON COLUMN callback_queue.expires_at IS 'Instead of the callback''s own, after a replay; NULL: as it was made.';
COMMENT ON COLUMN callback_queue.not_before IS 'Of a replay: no attempt before this (bulk replay at a rate); NULL: it is none.';
COMMENT ON COLUMN callback_queue.replays IS 'How often a person has sent it again; above 0 it carries webhook-replay.';
COMMENT ON COLUMN callback_queue.parked_at IS 'When it was given up; NULL: it is under way.';
COMMENT ON COLUMN callback_queue.acknowledged_at IS 'When a person took note of a parked one: it raises no alarm any more.';
COMMENT ON COLUMN callback_queue.acknowledged_by IS 'Who.';

ALTER TABLE callback_attempt
    DROP CONSTRAINT callback_attempt_fate_check,
    ADD CONSTRAINT callback_attempt_fate_check CHECK (fate IN (
        'pending', 'delivered', 'refused', 'expired', 'parked', 'cancelled', 'implied', 'skipped'));

CREATE TABLE callback_act (
    act_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    act text NOT NULL CHECK (act IN ('replay', 'skip', 'hold', 'release', 'acknowledge', 'test')),
    callback_id bigint,
    integrator_id bigint NOT NULL REFERENCES integrator,
    operator text NOT NULL,
    reason text
);
CREATE INDEX callback_act_callback ON callback_act (callback_id);
CREATE TRIGGER callback_act_stays BEFORE UPDATE OR DELETE ON callback_act
    FOR EACH ROW EXECUTE FUNCTION refuse_change('what a person did stays on record');
COMMENT ON TABLE callback_act IS 'What people did to callbacks and endpoints.';
COMMENT ON COLUMN callback_act.act_id IS 'Key; rises.';
COMMENT ON COLUMN callback_act.at IS 'When.';
COMMENT ON COLUMN callback_act.act IS 'What was done.';
COMMENT ON COLUMN callback_act.callback_id IS 'To which callback; NULL: to the endpoint.';
COMMENT ON COLUMN callback_act.integrator_id IS 'Whose callback or endpoint.';
COMMENT ON COLUMN callback_act.operator IS 'Who.';
COMMENT ON COLUMN callback_act.reason IS 'Why, in their words; NULL: not asked for.';

-- Processes --------------------------------------------------------------------------------------------------------

CREATE TABLE lane_adoption (
    instance_id bigint NOT NULL REFERENCES gateway_instance,
    above bigint NOT NULL,
    through bigint NOT NULL CHECK (through > above),
    adopted_by bigint NOT NULL REFERENCES gateway_instance,
    adopted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, through)
);
COMMENT ON TABLE lane_adoption IS 'Whose callbacks another process took over when the heartbeat lapsed: all lanes whole, without touching a row of the queue.';
COMMENT ON COLUMN lane_adoption.instance_id IS 'The process that was taken for dead.';
COMMENT ON COLUMN lane_adoption.above IS 'Rows of the queue with an owner_epoch above this ...';
COMMENT ON COLUMN lane_adoption.through IS '... up to and including this changed hands. What it writes later, under a higher epoch, is its own.';
COMMENT ON COLUMN lane_adoption.adopted_by IS 'Who delivers them now.';
COMMENT ON COLUMN lane_adoption.adopted_at IS 'Since when.';

-- Who hears of what, who may do what -------------------------------------------------------------------------------

CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON feed_subscription
    FOR EACH ROW EXECUTE FUNCTION announce_row('integrator', 'integrator_id');

CREATE OR REPLACE VIEW callback_waiting AS
    SELECT q.callback_id, i.name AS integrator, t.ref, q.kind, q.attempts, q.last_attempt_at, q.parked,
           coalesce(q.expires_at, c.expires_at) AS expires_at, c.lane, c.lane_sequence, q.not_before, q.replays, q.parked_at,
           q.acknowledged_at, q.acknowledged_by, e.held_at IS NOT NULL AS held, g.name AS owner
      FROM callback_queue q JOIN callback c USING (callback_id, created_at) JOIN integrator i ON i.integrator_id = c.integrator_id
      LEFT JOIN integrator_endpoint e ON e.integrator_id = c.integrator_id
      LEFT JOIN gateway_instance g ON g.instance_id = q.owner_instance
      LEFT JOIN txn t ON t.txn_id = q.txn_id;

CREATE OR REPLACE FUNCTION grant_to_roles() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'vendgate_daemon') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO vendgate_daemon', current_schema());
        GRANT INSERT ON txn_event, machine_event, callback, callback_attempt, txn_adjustment, callback_act TO vendgate_daemon;
        GRANT INSERT, UPDATE ON txn, machine_link_state, gateway_instance, idempotency_answer, lane_adoption TO vendgate_daemon;
        GRANT UPDATE ON machine TO vendgate_daemon;
        GRANT UPDATE (held_at, held_by, held_reason) ON integrator_endpoint TO vendgate_daemon;
        GRANT INSERT, UPDATE, DELETE ON callback_queue, coil TO vendgate_daemon;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'vendgate_reader') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vendgate_reader', current_schema());
        GRANT SELECT ON gateway_instance, integrator, machine, machine_group, machine_link_state, machine_grant, coil, txn,
            txn_event, txn_adjustment, txn_settlement, machine_event, callback, callback_attempt, callback_queue, callback_act,
            lane_adoption, feed_subscription, txn_timeline, txn_live, callback_waiting TO vendgate_reader;
        GRANT SELECT (integrator_id, held_at, held_by, held_reason) ON integrator_endpoint TO vendgate_reader;
    END IF;
END $$;
