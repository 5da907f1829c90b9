-- 0001_core.sql - people, machines, transactions, callbacks, and their journals.
--
-- Applied by `vendctl migrate` in one transaction. Needs no extension and no superuser, only the right to create in the
-- current schema. Times are timestamptz, money is an integer in the smallest currency unit.

-- Helpers ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION unix_ms(at timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (extract(epoch FROM at) * 1000)::bigint;
COMMENT ON FUNCTION unix_ms IS 'Milliseconds since 1970-01-01 UTC; NULL stays NULL.';

CREATE FUNCTION from_unix_ms(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp(ms / 1000.0);
COMMENT ON FUNCTION from_unix_ms IS 'The inverse of unix_ms.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;
COMMENT ON FUNCTION refuse_change IS 'Trigger: keeps what must never change; its argument says why.';

CREATE SEQUENCE change_seq;
COMMENT ON SEQUENCE change_seq IS 'Rises with every change of master data; told with each NOTIFY.';

CREATE FUNCTION announce_change(what text, key text) RETURNS void LANGUAGE sql
    RETURN pg_notify('vendgate_change', nextval('change_seq') || ' ' || what || ' ' || key);
COMMENT ON FUNCTION announce_change IS 'Tells every gateway process, at commit, that a row of master data changed: "seq what key".';

CREATE FUNCTION announce_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM announce_change(TG_ARGV[0], changed ->> TG_ARGV[1]);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION announce_row IS 'Trigger: announce_change(family, key column), so that a change by hand is heard too.';

-- Processes --------------------------------------------------------------------------------------------------------

CREATE TABLE gateway_instance (
    instance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    epoch bigint NOT NULL DEFAULT 1,
    epoch_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    backend_pid integer,
    backend_start timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE gateway_instance IS 'One row per gateway process name; its epoch fences the writes of a former connection.';
COMMENT ON COLUMN gateway_instance.instance_id IS 'Owner number in machine and callback_queue.';
COMMENT ON COLUMN gateway_instance.name IS 'The process''s name from its configuration.';
COMMENT ON COLUMN gateway_instance.epoch IS 'Raised at each connect; a commit holds this row FOR SHARE with its own epoch.';
COMMENT ON COLUMN gateway_instance.epoch_at IS 'When the epoch was raised last.';
COMMENT ON COLUMN gateway_instance.heartbeat_at IS 'Renewed every two seconds while the process lives.';
COMMENT ON COLUMN gateway_instance.backend_pid IS 'The backend that holds this epoch; ended when it hangs on to an old one.';
COMMENT ON COLUMN gateway_instance.backend_start IS 'Tells that backend from a later one with the same process id.';

-- People -----------------------------------------------------------------------------------------------------------

CREATE TABLE integrator (
    integrator_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT integrator_name_unique UNIQUE
        CONSTRAINT integrator_name_form CHECK (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    enabled boolean NOT NULL DEFAULT true,
    amount_max bigint NOT NULL DEFAULT 0 CHECK (amount_max >= 0),
    requests_per_second bigint NOT NULL DEFAULT 0 CHECK (requests_per_second >= 0),
    allow_rename boolean NOT NULL DEFAULT false,
    allow_multi_vend boolean NOT NULL DEFAULT false,
    strict_codes boolean NOT NULL DEFAULT false,
    doubt_policy text NOT NULL DEFAULT 'refund' CHECK (doubt_policy IN ('refund', 'capture', 'hold')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE integrator IS 'A third party that sells through our machines.';
COMMENT ON COLUMN integrator.integrator_id IS 'Key.';
COMMENT ON COLUMN integrator.name IS 'Short name for people and logs.';
COMMENT ON COLUMN integrator.enabled IS 'False: its keys are not accepted.';
COMMENT ON COLUMN integrator.amount_max IS 'Limit of one purchase, smallest currency unit; 0: none.';
COMMENT ON COLUMN integrator.requests_per_second IS 'Rate limit of its calls; 0: none.';
COMMENT ON COLUMN integrator.allow_rename IS 'It understands new_txn_ref in /txn/request.';
COMMENT ON COLUMN integrator.allow_multi_vend IS 'Several purchases in one session.';
COMMENT ON COLUMN integrator.strict_codes IS 'It gets only the published codes in /txn/vend.';
COMMENT ON COLUMN integrator.doubt_policy IS 'What an outcome that stays unknown counts as: refund, capture, hold.';
COMMENT ON COLUMN integrator.created_at IS 'When it was added.';

CREATE TABLE integrator_endpoint (
    integrator_id bigint PRIMARY KEY REFERENCES integrator,
    callback_url text NOT NULL CONSTRAINT endpoint_url_form CHECK (callback_url ~ '^https?://[^@[:space:]]+$'),
    callback_ca_file text,
    allow_http boolean NOT NULL DEFAULT false,
    allow_private boolean NOT NULL DEFAULT false,
    present_api_key text,
    present_user text,
    present_password text,
    CONSTRAINT endpoint_https CHECK (allow_http OR callback_url LIKE 'https://%'),
    CHECK ((present_user IS NULL) = (present_password IS NULL))
);
COMMENT ON TABLE integrator_endpoint IS 'Where an integrator wants its callbacks, and what we present there.';
COMMENT ON COLUMN integrator_endpoint.integrator_id IS 'Whose.';
COMMENT ON COLUMN integrator_endpoint.callback_url IS 'Base address; the path of the callback is appended.';
COMMENT ON COLUMN integrator_endpoint.callback_ca_file IS 'PEM file on the gateway''s host, instead of the system''s authorities.';
COMMENT ON COLUMN integrator_endpoint.allow_http IS 'Plain http is permitted.';
COMMENT ON COLUMN integrator_endpoint.allow_private IS 'Private and loopback addresses are permitted.';
COMMENT ON COLUMN integrator_endpoint.present_api_key IS 'X-API-Key that we send. Secret.';
COMMENT ON COLUMN integrator_endpoint.present_user IS 'Basic user that we send.';
COMMENT ON COLUMN integrator_endpoint.present_password IS 'Basic password that we send. Secret.';

CREATE TABLE integrator_signing_key (
    signing_key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    integrator_id bigint NOT NULL REFERENCES integrator,
    secret text NOT NULL CHECK (secret ~ '^whsec_[A-Za-z0-9+/=]+$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE INDEX integrator_signing_key_live ON integrator_signing_key (integrator_id) WHERE retired_at IS NULL;
COMMENT ON TABLE integrator_signing_key IS 'Keys that sign our callbacks (Standard Webhooks); every live one signs, newest first.';
COMMENT ON COLUMN integrator_signing_key.signing_key_id IS 'Key.';
COMMENT ON COLUMN integrator_signing_key.integrator_id IS 'Whose callbacks.';
COMMENT ON COLUMN integrator_signing_key.secret IS 'whsec_ and base64. Secret.';
COMMENT ON COLUMN integrator_signing_key.created_at IS 'When it was made.';
COMMENT ON COLUMN integrator_signing_key.retired_at IS 'When it stopped signing; NULL: live.';

CREATE TABLE integrator_key (
    key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    integrator_id bigint NOT NULL REFERENCES integrator,
    kind text NOT NULL CHECK (kind IN ('api_key', 'basic')),
    user_name text CONSTRAINT integrator_key_user_form CHECK (user_name ~ '^[^:[:cntrl:]]{1,64}$'),
    digest text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CHECK ((kind = 'basic') = (user_name IS NOT NULL))
);
CREATE UNIQUE INDEX integrator_key_api_key_unique ON integrator_key (digest) WHERE kind = 'api_key';
CREATE UNIQUE INDEX integrator_key_user_unique ON integrator_key (user_name) WHERE kind = 'basic' AND revoked_at IS NULL;
CREATE INDEX integrator_key_integrator ON integrator_key (integrator_id);
COMMENT ON TABLE integrator_key IS 'What an integrator presents to us; only digests are kept.';
COMMENT ON COLUMN integrator_key.key_id IS 'Key.';
COMMENT ON COLUMN integrator_key.integrator_id IS 'Whose.';
COMMENT ON COLUMN integrator_key.kind IS 'api_key or basic.';
COMMENT ON COLUMN integrator_key.user_name IS 'User of Basic; NULL for an API key.';
COMMENT ON COLUMN integrator_key.digest IS 'api_key: SHA-256 in hexadecimal; basic: scrypt$N$r$p$salt$hash.';
COMMENT ON COLUMN integrator_key.created_at IS 'When it was made.';
COMMENT ON COLUMN integrator_key.revoked_at IS 'When it was revoked; NULL: live.';

-- Machines ---------------------------------------------------------------------------------------------------------

CREATE TABLE machine (
    vm_id text PRIMARY KEY CONSTRAINT machine_vm_id_form CHECK (vm_id ~ '^[A-Za-z0-9._-]{1,64}$'),
    enabled boolean NOT NULL DEFAULT true,
    out_of_service boolean NOT NULL DEFAULT false,
    allow_tool boolean NOT NULL DEFAULT false,
    address text,
    business_address text,
    company_external_name text,
    operator_name text,
    operator_contact_number text,
    photo_url text,
    price_max bigint NOT NULL DEFAULT 0 CHECK (price_max >= 0),
    keypad jsonb,
    firmware text,
    model text,
    currency text,
    scale bigint NOT NULL DEFAULT 1 CHECK (scale >= 1),
    decimals bigint NOT NULL DEFAULT 2 CHECK (decimals BETWEEN 0 AND 9),
    max_response_s bigint NOT NULL DEFAULT 0 CHECK (max_response_s >= 0),
    owner_instance bigint REFERENCES gateway_instance,
    owner_epoch bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON TABLE machine IS 'A vending machine: what its operator says of it, what it told of itself, and which process holds it.';
COMMENT ON COLUMN machine.vm_id IS 'Its id in the contract.';
COMMENT ON COLUMN machine.enabled IS 'False: it may not connect, and nothing is sold.';
COMMENT ON COLUMN machine.out_of_service IS 'True: connected, but nothing is sold.';
COMMENT ON COLUMN machine.allow_tool IS 'A second connection may play the machine (sandbox).';
COMMENT ON COLUMN machine.address IS 'Where it stands.';
COMMENT ON COLUMN machine.business_address IS 'Address of the business.';
COMMENT ON COLUMN machine.company_external_name IS 'Company as customers know it.';
COMMENT ON COLUMN machine.operator_name IS 'Who runs it.';
COMMENT ON COLUMN machine.operator_contact_number IS 'How to reach them.';
COMMENT ON COLUMN machine.photo_url IS 'Picture of it.';
COMMENT ON COLUMN machine.price_max IS 'Operator''s limit for one amount, smallest unit; 0: none.';
COMMENT ON COLUMN machine.keypad IS 'Keypad configuration as it told last; NULL: never.';
COMMENT ON COLUMN machine.firmware IS 'Firmware as it told last.';
COMMENT ON COLUMN machine.model IS 'Model as it told last.';
COMMENT ON COLUMN machine.currency IS 'Currency as it told last.';
COMMENT ON COLUMN machine.scale IS 'MDB scale factor.';
COMMENT ON COLUMN machine.decimals IS 'MDB decimal places.';
COMMENT ON COLUMN machine.max_response_s IS 'Its patience with an open vend request; 0: not told.';
COMMENT ON COLUMN machine.owner_instance IS 'The process that took its connection last; NULL: nobody yet.';
COMMENT ON COLUMN machine.owner_epoch IS 'Raised with each take-over; a write with an older one matches nothing.';
COMMENT ON COLUMN machine.created_at IS 'When it was added.';

CREATE TABLE machine_link_state (
    vm_id text PRIMARY KEY REFERENCES machine,
    event_epoch bigint NOT NULL DEFAULT 0,
    mark bigint NOT NULL DEFAULT -1,
    above bigint[] NOT NULL DEFAULT '{}' CHECK (cardinality(above) <= 64),
    approval_n bigint NOT NULL DEFAULT 0,
    journal text NOT NULL DEFAULT '',
    online boolean NOT NULL DEFAULT false,
    presence_reason text,
    presence_at timestamptz,
    last_event_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE machine_link_state IS 'Which events of a machine are stored already, and its presence; written by its owner only.';
COMMENT ON COLUMN machine_link_state.vm_id IS 'Which machine.';
COMMENT ON COLUMN machine_link_state.event_epoch IS 'Epoch of its event numbers; 0 before the first event.';
COMMENT ON COLUMN machine_link_state.mark IS 'Highest number below which nothing is missing; -1: none.';
COMMENT ON COLUMN machine_link_state.above IS 'Numbers stored above the mark.';
COMMENT ON COLUMN machine_link_state.approval_n IS 'Highest approval number given out.';
COMMENT ON COLUMN machine_link_state.journal IS 'Id of the device''s journal as it told last; empty: never.';
COMMENT ON COLUMN machine_link_state.online IS 'Connected and reconciled, as of presence_at.';
COMMENT ON COLUMN machine_link_state.presence_reason IS 'Why it went offline (or came).';
COMMENT ON COLUMN machine_link_state.presence_at IS 'When that changed.';
COMMENT ON COLUMN machine_link_state.last_event_at IS 'When its last numbered event was stored.';

CREATE FUNCTION machine_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO machine_link_state (vm_id) VALUES (NEW.vm_id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION machine_added IS 'Trigger: a machine always has its machine_link_state.';
CREATE TRIGGER machine_added AFTER INSERT ON machine FOR EACH ROW EXECUTE FUNCTION machine_added();

CREATE TABLE machine_credential (
    credential_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vm_id text NOT NULL REFERENCES machine,
    kind text NOT NULL CHECK (kind IN ('certificate', 'token')),
    digest text NOT NULL CONSTRAINT machine_credential_digest_form CHECK (digest ~ '^[0-9a-f]{64}$'),
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT machine_credential_unique UNIQUE (kind, digest)
);
CREATE INDEX machine_credential_machine ON machine_credential (vm_id) WHERE enabled;
CREATE UNIQUE INDEX machine_credential_one_token ON machine_credential (vm_id) WHERE enabled AND kind = 'token';
COMMENT ON TABLE machine_credential IS 'What a machine proves itself with: at most two live certificates (rotation) and one token.';
COMMENT ON COLUMN machine_credential.credential_id IS 'Key.';
COMMENT ON COLUMN machine_credential.vm_id IS 'Whose.';
COMMENT ON COLUMN machine_credential.kind IS 'certificate or token.';
COMMENT ON COLUMN machine_credential.digest IS 'SHA-256 in hexadecimal, of the certificate''s public key (SubjectPublicKeyInfo) or of the token.';
COMMENT ON COLUMN machine_credential.enabled IS 'False: refused, and a live connection is cut.';
COMMENT ON COLUMN machine_credential.created_at IS 'When it was registered.';

CREATE FUNCTION machine_credential_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM machine WHERE vm_id = NEW.vm_id FOR NO KEY UPDATE;
    IF (SELECT count(*) FROM machine_credential WHERE vm_id = NEW.vm_id AND kind = 'certificate' AND enabled) > 2 THEN
        RAISE EXCEPTION 'machine % has two live certificates already', NEW.vm_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'machine_credential_two';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION machine_credential_limit IS 'Trigger: at most two live certificates of a machine.';
CREATE TRIGGER machine_credential_limit AFTER INSERT OR UPDATE ON machine_credential
    FOR EACH ROW WHEN (NEW.enabled AND NEW.kind = 'certificate') EXECUTE FUNCTION machine_credential_limit();

CREATE TABLE machine_grant (
    integrator_id bigint NOT NULL REFERENCES integrator,
    vm_id text NOT NULL REFERENCES machine,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (integrator_id, vm_id)
);
CREATE INDEX machine_grant_machine ON machine_grant (vm_id);
COMMENT ON TABLE machine_grant IS 'Which integrator may see and use which machine; without a row the machine does not exist for it.';
COMMENT ON COLUMN machine_grant.integrator_id IS 'Who.';
COMMENT ON COLUMN machine_grant.vm_id IS 'Which machine.';
COMMENT ON COLUMN machine_grant.created_at IS 'Since when.';

CREATE TABLE coil (
    vm_id text NOT NULL REFERENCES machine,
    code bigint NOT NULL,
    formatted_code text,
    name text,
    placeholder boolean NOT NULL DEFAULT false,
    price bigint,
    capacity bigint,
    restock_count bigint,
    current_stock bigint,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (vm_id, code)
) WITH (fillfactor = 70);
COMMENT ON TABLE coil IS 'The planogram: what is in a machine, coil by coil.';
COMMENT ON COLUMN coil.vm_id IS 'Which machine.';
COMMENT ON COLUMN coil.code IS 'Raw MDB item code.';
COMMENT ON COLUMN coil.formatted_code IS 'The code as the machine shows it.';
COMMENT ON COLUMN coil.name IS 'Product name.';
COMMENT ON COLUMN coil.placeholder IS 'The name was generated, nobody typed it.';
COMMENT ON COLUMN coil.price IS 'Smallest currency unit.';
COMMENT ON COLUMN coil.capacity IS 'How many fit.';
COMMENT ON COLUMN coil.restock_count IS 'Par level.';
COMMENT ON COLUMN coil.current_stock IS 'How many are left; below 0 when the machine sold more than was counted.';
COMMENT ON COLUMN coil.updated_at IS 'Last change.';

-- Transactions -----------------------------------------------------------------------------------------------------

-- The names are those of enum txn_state (src/txn/state.h); a test compares them.
CREATE DOMAIN txn_state AS text CHECK (VALUE IN (
    'LOCKING', 'LOCKED', 'REQUESTED', 'WITHDRAWN', 'PAID', 'VENDING', 'IN_DOUBT', 'VENDED', 'FAILED', 'CLOSED'));
COMMENT ON DOMAIN txn_state IS 'State of a transaction.';

CREATE SEQUENCE txn_id_seq;
COMMENT ON SEQUENCE txn_id_seq IS 'Numbers of transactions.';

CREATE TABLE txn (
    txn_id bigint PRIMARY KEY DEFAULT nextval('txn_id_seq'),
    integrator_id bigint NOT NULL REFERENCES integrator,
    ref text NOT NULL CHECK (length(ref) BETWEEN 1 AND 128),
    vm_id text REFERENCES machine,
    session bigint NOT NULL,
    state txn_state NOT NULL,
    live boolean NOT NULL GENERATED ALWAYS AS (state NOT IN ('VENDED', 'FAILED', 'CLOSED')) STORED,
    version bigint NOT NULL,
    balance bigint NOT NULL,
    request bigint NOT NULL,
    item bigint NOT NULL,
    selection text NOT NULL,
    price bigint NOT NULL,
    surcharge bigint NOT NULL,
    discount bigint NOT NULL,
    amount bigint NOT NULL,
    approval text,
    approval_n bigint NOT NULL,
    journal text NOT NULL,
    timer text,
    deadline_at timestamptz,
    lane_sequence bigint NOT NULL,
    lock_answered boolean NOT NULL,
    closed_by text,
    outcome_code integer NOT NULL,
    last_step bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    paid_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT txn_ref_unique UNIQUE (integrator_id, ref),
    CONSTRAINT txn_paid_or_not CHECK (CASE
        WHEN state IN ('PAID', 'VENDING', 'IN_DOUBT', 'VENDED', 'FAILED') THEN paid_at IS NOT NULL AND approval IS NOT NULL
        ELSE paid_at IS NULL END),
    CONSTRAINT txn_amount_adds_up CHECK (paid_at IS NULL OR (amount >= 0 AND amount = price + surcharge - discount)),
    CONSTRAINT txn_live_has_machine CHECK (vm_id IS NOT NULL OR state = 'CLOSED')
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX txn_one_live ON txn (vm_id) WHERE live;
CREATE UNIQUE INDEX txn_approval_unique ON txn (approval) WHERE approval IS NOT NULL;
CREATE INDEX txn_machine ON txn (vm_id, txn_id);
COMMENT ON TABLE txn IS 'One purchase: a row per integrator and txnRef, for ever. Live rows: at most one per machine.';
COMMENT ON COLUMN txn.txn_id IS 'Key.';
COMMENT ON COLUMN txn.integrator_id IS 'Whose transaction.';
COMMENT ON COLUMN txn.ref IS 'The integrator''s txnRef.';
COMMENT ON COLUMN txn.vm_id IS 'Which machine; NULL: the ref was used up without one.';
COMMENT ON COLUMN txn.session IS 'Machine session and lane of its callbacks: txn_id of the session''s first row.';
COMMENT ON COLUMN txn.state IS 'Where it stands.';
COMMENT ON COLUMN txn.live IS 'Not final. An indexed column of its own, so that a step that stays live does not touch an index.';
COMMENT ON COLUMN txn.version IS 'Rises by one with every step.';
COMMENT ON COLUMN txn.balance IS 'As given to lock, smallest unit; 65535: unknown.';
COMMENT ON COLUMN txn.request IS 'The machine''s number of the choice; -1: none.';
COMMENT ON COLUMN txn.item IS 'Raw MDB item code; -1: none.';
COMMENT ON COLUMN txn.selection IS 'The selection as the machine shows it.';
COMMENT ON COLUMN txn.price IS 'As selected, smallest unit.';
COMMENT ON COLUMN txn.surcharge IS 'As paid.';
COMMENT ON COLUMN txn.discount IS 'As paid.';
COMMENT ON COLUMN txn.amount IS 'price + surcharge - discount, as the approval carries it.';
COMMENT ON COLUMN txn.approval IS 'Approval id, 128 random bits; NULL before PAID.';
COMMENT ON COLUMN txn.approval_n IS 'The machine''s rising approval number; 0: none.';
COMMENT ON COLUMN txn.journal IS 'Id of the device''s journal as of the PAID step; empty before.';
COMMENT ON COLUMN txn.timer IS 'Which deadline runs; NULL: none.';
COMMENT ON COLUMN txn.deadline_at IS 'When it ends.';
COMMENT ON COLUMN txn.lane_sequence IS 'Number of the lane''s last callback.';
COMMENT ON COLUMN txn.lock_answered IS 'The lock call was answered success:true, so an ending callback is owed.';
COMMENT ON COLUMN txn.closed_by IS 'The event that made it final; NULL while live.';
COMMENT ON COLUMN txn.outcome_code IS 'Code of its final callback; 0: success or none.';
COMMENT ON COLUMN txn.last_step IS 'Random number of the last step.';
COMMENT ON COLUMN txn.created_at IS 'When it was locked.';
COMMENT ON COLUMN txn.paid_at IS 'When /api/paid was accepted; NULL: not paid.';
COMMENT ON COLUMN txn.updated_at IS 'When the last step was committed.';

CREATE TRIGGER txn_final_stays BEFORE UPDATE ON txn FOR EACH ROW
    WHEN (NOT OLD.live AND (NEW.state, NEW.amount, NEW.outcome_code) IS DISTINCT FROM (OLD.state, OLD.amount, OLD.outcome_code))
    EXECUTE FUNCTION refuse_change('a final transaction never changes');
CREATE TRIGGER txn_stays BEFORE DELETE ON txn FOR EACH ROW EXECUTE FUNCTION refuse_change('a ref is used up for ever');

-- Journals: append-only, one partition a day; rows of a day without one are kept in the default partition. No foreign
-- keys: rows are inserted from the row that they belong to, and are dropped by the day.

CREATE SEQUENCE txn_event_id_seq;
COMMENT ON SEQUENCE txn_event_id_seq IS 'Numbers of journal rows.';
CREATE TABLE txn_event (
    event_id bigint NOT NULL DEFAULT nextval('txn_event_id_seq'),
    at timestamptz NOT NULL DEFAULT now(),
    txn_id bigint NOT NULL,
    version bigint NOT NULL,
    from_state txn_state,
    to_state txn_state NOT NULL,
    event text NOT NULL,
    actor text NOT NULL CHECK (actor IN ('integrator', 'machine', 'timer', 'operator', 'gateway')),
    evidence jsonb NOT NULL DEFAULT '{}',
    callback_ids bigint[] NOT NULL DEFAULT '{}',
    cancelled_callback_id bigint,
    step bigint NOT NULL,
    instance_id bigint NOT NULL,
    PRIMARY KEY (event_id, at)
) PARTITION BY RANGE (at);
CREATE INDEX txn_event_txn ON txn_event (txn_id);
COMMENT ON TABLE txn_event IS 'Journal of the transactions: every step and every refused or late event, with its evidence.';
COMMENT ON COLUMN txn_event.event_id IS 'Key; rises.';
COMMENT ON COLUMN txn_event.at IS 'Start of the commit that wrote it; what it caused has the same time.';
COMMENT ON COLUMN txn_event.txn_id IS 'Which transaction.';
COMMENT ON COLUMN txn_event.version IS 'The transaction''s version after it.';
COMMENT ON COLUMN txn_event.from_state IS 'State before; NULL: there was no row.';
COMMENT ON COLUMN txn_event.to_state IS 'State after; the same: nothing moved.';
COMMENT ON COLUMN txn_event.event IS 'What happened (enum txn_event).';
COMMENT ON COLUMN txn_event.actor IS 'Who made it happen.';
COMMENT ON COLUMN txn_event.evidence IS 'The facts that it was decided on.';
COMMENT ON COLUMN txn_event.callback_ids IS 'Callbacks that it caused.';
COMMENT ON COLUMN txn_event.cancelled_callback_id IS 'Callback that it took back; NULL: none.';
COMMENT ON COLUMN txn_event.step IS 'Random number of the operation: tells after a lost connection whether it was committed.';
COMMENT ON COLUMN txn_event.instance_id IS 'The process that wrote it.';

CREATE TABLE machine_event (
    received_at timestamptz NOT NULL DEFAULT now(),
    vm_id text NOT NULL,
    event_epoch bigint,
    seq bigint,
    told_at timestamptz,
    name text NOT NULL,
    raw bytea NOT NULL,
    body_hash bytea NOT NULL,
    problem text,
    txn_id bigint,
    step bigint NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX machine_event_number ON machine_event (vm_id, event_epoch, seq);
COMMENT ON TABLE machine_event IS 'What machines said, byte by byte. (vm_id, event_epoch, seq) comes once: machine_link_state guards it in the same commit.';
COMMENT ON COLUMN machine_event.received_at IS 'Start of the commit that stored it; its acknowledgement followed.';
COMMENT ON COLUMN machine_event.vm_id IS 'Which machine.';
COMMENT ON COLUMN machine_event.event_epoch IS 'Epoch of its number; NULL: it carried no usable number.';
COMMENT ON COLUMN machine_event.seq IS 'Its number; NULL likewise.';
COMMENT ON COLUMN machine_event.told_at IS 'Time on the machine''s clock; NULL: not told.';
COMMENT ON COLUMN machine_event.name IS 'Field `event` of the body.';
COMMENT ON COLUMN machine_event.raw IS 'The body as received.';
COMMENT ON COLUMN machine_event.body_hash IS 'SHA-256 of raw: a repeated number with another body is no repeat.';
COMMENT ON COLUMN machine_event.problem IS 'Why it could not be understood; NULL: it was.';
COMMENT ON COLUMN machine_event.txn_id IS 'The transaction it belongs to; NULL: none.';
COMMENT ON COLUMN machine_event.step IS 'Random number of the operation that stored it.';

CREATE SEQUENCE callback_id_seq;
COMMENT ON SEQUENCE callback_id_seq IS 'Numbers of callbacks.';
CREATE TABLE callback (
    callback_id bigint NOT NULL DEFAULT nextval('callback_id_seq'),
    created_at timestamptz NOT NULL DEFAULT now(),
    integrator_id bigint NOT NULL,
    txn_id bigint,
    kind text NOT NULL,
    webhook_id text NOT NULL,
    lane bigint NOT NULL,
    lane_sequence bigint NOT NULL,
    renames boolean NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (callback_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX callback_txn ON callback (txn_id);
COMMENT ON TABLE callback IS 'Every callback that we owe or owed, with its exact body.';
COMMENT ON COLUMN callback.callback_id IS 'Key; rises.';
COMMENT ON COLUMN callback.created_at IS 'Start of the commit of the step that caused it.';
COMMENT ON COLUMN callback.integrator_id IS 'To whom.';
COMMENT ON COLUMN callback.txn_id IS 'Which transaction; NULL: none (feeds).';
COMMENT ON COLUMN callback.kind IS 'Its path, "/txn/vend".';
COMMENT ON COLUMN callback.webhook_id IS 'Header webhook-id, the same over all attempts.';
COMMENT ON COLUMN callback.lane IS 'Ordering key: the machine session.';
COMMENT ON COLUMN callback.lane_sequence IS 'Its number in the lane.';
COMMENT ON COLUMN callback.renames IS 'It carries new_txn_ref, so it is never cancelled.';
COMMENT ON COLUMN callback.expires_at IS 'No attempt after this.';
COMMENT ON COLUMN callback.body IS 'Exact bytes of the body.';

CREATE TABLE callback_attempt (
    callback_id bigint NOT NULL,
    number integer NOT NULL CHECK (number >= 0),
    started_at timestamptz NOT NULL,
    instance_id bigint NOT NULL,
    dns_us bigint,
    connect_us bigint,
    tls_us bigint,
    first_byte_us bigint,
    total_us bigint,
    remote text,
    http_status integer,
    result text,
    error text,
    answer text,
    fate text NOT NULL CHECK (fate IN ('pending', 'delivered', 'refused', 'expired', 'parked', 'cancelled', 'implied')),
    PRIMARY KEY (callback_id, number, started_at)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE callback_attempt IS 'Every attempt to deliver a callback; number 0: its fate was settled without one.';
COMMENT ON COLUMN callback_attempt.callback_id IS 'Which callback.';
COMMENT ON COLUMN callback_attempt.number IS 'From 1; 0: no attempt was made.';
COMMENT ON COLUMN callback_attempt.started_at IS 'When it began.';
COMMENT ON COLUMN callback_attempt.instance_id IS 'The process that made it.';
COMMENT ON COLUMN callback_attempt.dns_us IS 'Name resolved, microseconds since the start; NULL: not reached.';
COMMENT ON COLUMN callback_attempt.connect_us IS 'Connected, likewise.';
COMMENT ON COLUMN callback_attempt.tls_us IS 'TLS agreed, likewise.';
COMMENT ON COLUMN callback_attempt.first_byte_us IS 'First byte of the answer, likewise.';
COMMENT ON COLUMN callback_attempt.total_us IS 'Done, likewise.';
COMMENT ON COLUMN callback_attempt.remote IS 'Address that it was sent to.';
COMMENT ON COLUMN callback_attempt.http_status IS 'Status of the answer; NULL: none.';
COMMENT ON COLUMN callback_attempt.result IS 'delivered, refused, retry, permanent, gone, aborted; NULL: no attempt.';
COMMENT ON COLUMN callback_attempt.error IS 'What went wrong in transport or with the answer.';
COMMENT ON COLUMN callback_attempt.answer IS 'First 4 KiB of the answer.';
COMMENT ON COLUMN callback_attempt.fate IS 'What became of the callback: pending means that it is tried again.';

CREATE TABLE callback_queue (
    callback_id bigint PRIMARY KEY,
    created_at timestamptz NOT NULL,
    owner_instance bigint NOT NULL REFERENCES gateway_instance,
    txn_id bigint,
    kind text NOT NULL,
    renames boolean NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    last_attempt_at timestamptz,
    parked boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
CREATE INDEX callback_queue_txn ON callback_queue (txn_id);
COMMENT ON TABLE callback_queue IS 'The undelivered callbacks, and only those.';
COMMENT ON COLUMN callback_queue.callback_id IS 'Which callback.';
COMMENT ON COLUMN callback_queue.created_at IS 'Its created_at: leads to the partition.';
COMMENT ON COLUMN callback_queue.owner_instance IS 'The process that delivers it.';
COMMENT ON COLUMN callback_queue.txn_id IS 'Its transaction; NULL: none.';
COMMENT ON COLUMN callback_queue.kind IS 'Its path.';
COMMENT ON COLUMN callback_queue.renames IS 'Never cancelled.';
COMMENT ON COLUMN callback_queue.attempts IS 'Attempts recorded so far.';
COMMENT ON COLUMN callback_queue.last_attempt_at IS 'When the last one began.';
COMMENT ON COLUMN callback_queue.parked IS 'Given up for now; kept until an operator acts.';

CREATE TABLE txn_event_default PARTITION OF txn_event DEFAULT;
CREATE TABLE machine_event_default PARTITION OF machine_event DEFAULT;
CREATE TABLE callback_default PARTITION OF callback DEFAULT;
CREATE TABLE callback_attempt_default PARTITION OF callback_attempt DEFAULT;
COMMENT ON TABLE txn_event_default IS 'Rows of days that have no partition.';
COMMENT ON TABLE machine_event_default IS 'Rows of days that have no partition.';
COMMENT ON TABLE callback_default IS 'Rows of days that have no partition.';
COMMENT ON TABLE callback_attempt_default IS 'Rows of days that have no partition.';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON txn_event FOR EACH ROW EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON machine_event FOR EACH ROW EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON callback FOR EACH ROW EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON callback_attempt FOR EACH ROW EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON txn_event EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON machine_event EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON callback EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON callback_attempt EXECUTE FUNCTION refuse_change('a journal only grows');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON txn EXECUTE FUNCTION refuse_change('a ref is used up for ever');

-- Made apart and then attached: that does not wait for running queries of the parent. A day whose rows went to the default
-- partition already is left there.
CREATE FUNCTION make_partitions(days_ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    journal record;
    day date;
    partition text;
    occupied boolean;
    made integer := 0;
BEGIN
    FOR journal IN SELECT * FROM (VALUES ('txn_event', 'at'), ('machine_event', 'received_at'), ('callback', 'created_at'),
                                         ('callback_attempt', 'started_at')) AS j(name, key_column) LOOP
        FOR i IN 0..days_ahead LOOP
            day := (now() AT TIME ZONE 'UTC')::date + i;
            partition := journal.name || '_' || to_char(day, 'YYYYMMDD');
            CONTINUE WHEN to_regclass(quote_ident(partition)) IS NOT NULL;
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= %L AND %I < %L)', journal.name || '_default',
                           journal.key_column, day::text || ' 00:00Z', journal.key_column, (day + 1)::text || ' 00:00Z')
                INTO occupied;
            CONTINUE WHEN occupied;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, journal.name);
            EXECUTE format('COMMENT ON TABLE %I IS %L', partition, 'Rows of ' || journal.name || ' of one day (UTC).');
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', journal.name, partition,
                           day::text || ' 00:00Z', (day + 1)::text || ' 00:00Z');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION make_partitions IS 'Makes the journals'' partitions of today and the days ahead; returns how many were made.';
SELECT make_partitions(7);

-- Master data is announced, whoever changes it. Columns that the daemon itself writes are left out.
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON integrator FOR EACH ROW EXECUTE FUNCTION announce_row('integrator', 'integrator_id');
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON integrator_endpoint FOR EACH ROW EXECUTE FUNCTION announce_row('integrator', 'integrator_id');
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON integrator_signing_key FOR EACH ROW EXECUTE FUNCTION announce_row('integrator', 'integrator_id');
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON integrator_key FOR EACH ROW EXECUTE FUNCTION announce_row('integrator_key', 'integrator_id');
CREATE TRIGGER announce AFTER INSERT OR DELETE OR UPDATE OF enabled, out_of_service, allow_tool, address, business_address,
        company_external_name, operator_name, operator_contact_number, photo_url, price_max
    ON machine FOR EACH ROW EXECUTE FUNCTION announce_row('machine', 'vm_id');
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON machine_credential FOR EACH ROW EXECUTE FUNCTION announce_row('machine', 'vm_id');
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON machine_grant FOR EACH ROW EXECUTE FUNCTION announce_row('grant', 'vm_id');

-- For people in psql and `vendctl txn show` ---------------------------------------------------------------------------

CREATE VIEW txn_timeline AS
    SELECT i.name AS integrator, t.ref, t.txn_id, e.at, 'step' AS source, e.event AS what,
           json_strip_nulls(json_build_object('from', e.from_state, 'to', e.to_state, 'actor', e.actor, 'version', e.version,
               'evidence', nullif(e.evidence, '{}'), 'callbacks', nullif(e.callback_ids, '{}'),
               'cancelled', e.cancelled_callback_id)) AS detail
      FROM txn t JOIN integrator i USING (integrator_id) JOIN txn_event e USING (txn_id)
    UNION ALL
    SELECT i.name, t.ref, t.txn_id, m.received_at, 'machine', m.name,
           json_strip_nulls(json_build_object('epoch', m.event_epoch, 'seq', m.seq, 'problem', m.problem,
               'body', CASE WHEN m.problem IS NULL THEN convert_from(m.raw, 'UTF8')::json ELSE to_json(encode(m.raw, 'escape')) END))
      FROM txn t JOIN integrator i USING (integrator_id) JOIN machine_event m ON m.vm_id = t.vm_id AND m.txn_id = t.txn_id
    UNION ALL
    SELECT i.name, t.ref, t.txn_id, c.created_at, 'callback', c.kind,
           json_build_object('callback', c.callback_id, 'webhook_id', c.webhook_id, 'lane', c.lane,
               'lane_sequence', c.lane_sequence, 'body', c.body)
      FROM txn t JOIN integrator i USING (integrator_id) JOIN callback c USING (txn_id)
    UNION ALL
    SELECT i.name, t.ref, t.txn_id, a.started_at, 'attempt', c.kind,
           json_strip_nulls(json_build_object('callback', a.callback_id, 'number', a.number, 'result', a.result, 'fate', a.fate,
               'http_status', a.http_status, 'remote', a.remote, 'error', a.error, 'answer', a.answer, 'total_us', a.total_us))
      FROM txn t JOIN integrator i USING (integrator_id) JOIN callback c USING (txn_id)
      JOIN callback_attempt a ON a.callback_id = c.callback_id;
COMMENT ON VIEW txn_timeline IS 'Everything that is known of a purchase: journal, machine events, callbacks, attempts. Select by txn_id or ref, order by at.';

CREATE VIEW txn_live AS
    SELECT t.txn_id, i.name AS integrator, t.ref, t.vm_id, t.state, t.selection, t.price, t.amount, t.timer,
           t.deadline_at, now() - t.created_at AS age
      FROM txn t JOIN integrator i USING (integrator_id) WHERE t.live;
COMMENT ON VIEW txn_live IS 'The purchases under way.';

CREATE VIEW callback_waiting AS
    SELECT q.callback_id, i.name AS integrator, t.ref, q.kind, q.attempts, q.last_attempt_at, q.parked, c.expires_at,
           c.lane, c.lane_sequence
      FROM callback_queue q JOIN callback c USING (callback_id, created_at) JOIN integrator i USING (integrator_id)
      LEFT JOIN txn t ON t.txn_id = q.txn_id;
COMMENT ON VIEW callback_waiting IS 'The callbacks not delivered yet, and those that were given up for now.';

-- An installation may give the daemon and its readers roles of less power than the owner's; `vendctl migrate` calls this.
CREATE FUNCTION grant_to_roles() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'vendgate_daemon') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO vendgate_daemon', current_schema());
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO vendgate_daemon', current_schema());
        GRANT INSERT ON txn_event, machine_event, callback, callback_attempt TO vendgate_daemon;
        GRANT INSERT, UPDATE ON txn, machine_link_state, gateway_instance TO vendgate_daemon;
        GRANT UPDATE ON machine TO vendgate_daemon;
        GRANT INSERT, UPDATE, DELETE ON callback_queue, coil TO vendgate_daemon;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'vendgate_reader') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO vendgate_reader', current_schema());
        GRANT SELECT ON gateway_instance, integrator, machine, machine_link_state, machine_grant, coil, txn, txn_event,
            machine_event, callback, callback_attempt, callback_queue, txn_timeline, txn_live, callback_waiting TO vendgate_reader;
    END IF;
END $$;
COMMENT ON FUNCTION grant_to_roles IS 'Gives vendgate_daemon and vendgate_reader, if these roles exist, what they need and no more.';
