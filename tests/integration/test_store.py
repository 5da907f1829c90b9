"""The schema and the store on a real PostgreSQL."""
import json
import os
import subprocess
import threading

import psycopg2
import pytest

from vendgate.ctl import Ctl
from vendgate.places import ROOT, program


@pytest.fixture
def empty(cluster):
    """A database without schema."""
    made = cluster.empty_database()
    yield made
    cluster.drop(made)


def test_group_commit_survives_everything(database):
    """The C tests of the store: steps, conflicts, group commit, killed connections, fencing."""
    environment = dict(os.environ, VENDGATE_TEST_DATABASE_URL=database.url, CK_VERBOSITY="normal")
    result = subprocess.run([program("tests/integration/store/run")], env=environment, capture_output=True, text=True,
                            timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr[-4000:]


def test_without_a_database_the_store_tests_fail():
    environment = {key: value for key, value in os.environ.items() if key != "VENDGATE_TEST_DATABASE_URL"}
    assert subprocess.run([program("tests/integration/store/run")], env=environment, capture_output=True).returncode == 1


def test_migrations_apply_once(empty):
    ctl = Ctl(empty)
    first, second = ctl.json("migrate"), ctl.json("migrate")
    assert first["applied"] == len(list((ROOT / "sql/migrations").glob("*.sql")))
    assert second == {"applied": 0, "version": first["version"]}


def test_two_migrations_at_once_do_not_meet(empty):
    results = []
    threads = [threading.Thread(target=lambda: results.append(Ctl(empty).json("migrate"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result["applied"] for result in results)[:3] == [0, 0, 0]
    assert len(results) == 4


def test_a_newer_schema_is_refused(cluster):
    database = cluster.database()
    try:
        database.rows("INSERT INTO schema_migration (version, name, sha256) VALUES (9999, 'future', '') RETURNING 1")
        result = Ctl(database).run("migrate", check=False)
        assert result.returncode == 1
        assert "newer" in result.stderr
    finally:
        cluster.drop(database)


def test_a_changed_migration_is_refused(cluster):
    database = cluster.database()
    try:
        database.rows("UPDATE schema_migration SET sha256 = 'other' WHERE version = 1 RETURNING 1")
        result = Ctl(database).run("migrate", check=False)
        assert result.returncode == 1
        assert "another text" in result.stderr
    finally:
        cluster.drop(database)


def test_a_failed_migration_leaves_nothing(empty):
    empty.rows("CREATE TABLE txn (id int)")
    assert Ctl(empty).run("migrate", check=False).returncode == 1
    assert empty.value("SELECT count(*) FROM pg_class WHERE relname IN ('schema_migration', 'integrator')") == 0


def test_every_table_and_column_says_what_it_is(database):
    bare = database.rows("""
        SELECT c.relname AS table, a.attname AS column FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND (a.attnum > 0 AND NOT a.attisdropped OR a.attname = 'tableoid')
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND col_description(c.oid, CASE WHEN a.attnum > 0 THEN a.attnum ELSE 0 END) IS NULL""")
    assert bare == []


def test_journals_have_partitions_ahead_and_maintain_adds_them(database):
    def days(table):
        return database.value("SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass", table)

    before = days("txn_event")
    assert before >= 8
    Ctl(database).json("maintain", "--days", "20")
    assert days("txn_event") >= 22
    assert Ctl(database).json("maintain", "--days", "20") == {"partitions_made": 0, "feeds_dropped": 0}


def test_maintain_forgets_answers_after_a_day(database):
    database.rows("""WITH i AS (INSERT INTO integrator (name) VALUES ('forgetful') RETURNING integrator_id)
                     INSERT INTO idempotency_answer (integrator_id, key, path, body_sha256, status, body, created_at)
                     SELECT integrator_id, hours::text, '/api/lock', repeat('0', 64), 200, '{}', now() - hours * interval '1 h'
                       FROM i, unnest('{23,25}'::int[]) hours RETURNING 1""")
    Ctl(database).json("maintain")
    assert database.rows("""SELECT key FROM idempotency_answer JOIN integrator USING (integrator_id)
                            WHERE name = 'forgetful'""") == [{"key": "23"}]


@pytest.mark.parametrize("statement", [
    "UPDATE txn_event SET event = 'x'", "DELETE FROM txn_event", "TRUNCATE txn_event", "TRUNCATE txn CASCADE",
    "TRUNCATE callback", "TRUNCATE machine_event", "TRUNCATE txn_adjustment CASCADE"])
def test_journals_only_grow(database, statement):
    database.rows("""INSERT INTO txn_event (txn_id, version, to_state, event, actor, step, instance_id)
                     VALUES (1, 1, 'LOCKING', 'lock', 'integrator', 1, 1) RETURNING 1""")
    with pytest.raises(psycopg2.IntegrityError):
        database.rows(statement)


def test_roles_of_less_power_suffice(cluster):
    """An installation with a separate daemon role: it can work, and cannot touch people or journals."""
    database = cluster.database()
    try:
        database.rows("DO $$ BEGIN CREATE ROLE vendgate_daemon; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        Ctl(database).run("migrate")
        rights = json.loads(database.value("""SELECT json_build_object(
            'add', has_table_privilege('vendgate_daemon', 'txn_event', 'INSERT'),
            'edit', has_table_privilege('vendgate_daemon', 'txn_event', 'UPDATE'),
            'adjust', has_table_privilege('vendgate_daemon', 'txn_adjustment', 'INSERT'),
            'answer', has_table_privilege('vendgate_daemon', 'idempotency_answer', 'INSERT, UPDATE'),
            'group', has_table_privilege('vendgate_daemon', 'machine_group', 'UPDATE'),
            'people', has_table_privilege('vendgate_daemon', 'integrator', 'UPDATE'))::text"""))
        assert rights == {"add": True, "edit": False, "adjust": True, "answer": True, "group": False, "people": False}
    finally:
        database.rows("DROP OWNED BY vendgate_daemon")
        database.rows("DROP ROLE vendgate_daemon")
        cluster.drop(database)
