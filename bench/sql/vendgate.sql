-- vendgate.sql - whom the sender sends to: :endpoints integrators, each with :lanes machines that it may sell at,
-- and a finished transaction at each machine, which is its lane. Numbers as in bench/sender/commit.c.

INSERT INTO integrator (integrator_id, name) OVERRIDING SYSTEM VALUE
SELECT i, 'bench-' || i FROM generate_series(1, :endpoints) i;

INSERT INTO feed_subscription (integrator_id, kind) SELECT integrator_id, '/feed/alerts' FROM integrator;

INSERT INTO machine (vm_id) SELECT 'bench-' || lane FROM generate_series(0, :endpoints * :lanes - 1) lane;

INSERT INTO machine_grant (integrator_id, vm_id)
SELECT lane / :lanes + 1, 'bench-' || lane FROM generate_series(0, :endpoints * :lanes - 1) lane;

INSERT INTO txn (txn_id, integrator_id, ref, vm_id, session, state, version, balance, request, item, selection, price,
                 surcharge, discount, amount, approval_n, journal, lane_sequence, lock_answered, outcome_code, last_step)
SELECT lane + 1, lane / :lanes + 1, 'bench-' || lane, 'bench-' || lane, lane + 1, 'CLOSED', 1, 0, -1, -1, '', 0,
       0, 0, 0, 0, '', 0, true, 0, 0
  FROM generate_series(0, :endpoints * :lanes - 1) lane;
SELECT setval('txn_id_seq', max(txn_id)) FROM txn;

ANALYZE;
