"""A private PostgreSQL for the test run, and databases in it."""
import itertools
import os
import subprocess
import urllib.parse

import psycopg2
import psycopg2.extras

from .places import ROOT, program

TEMPLATE = "migrated"


class Cluster:
    """A cluster made by scripts/cluster that ends with this process, or an existing server.

    VENDGATE_TEST_DATABASE_URL names an existing server instead, where the role may create databases; a cluster that
    is `named` is one of its own nevertheless, for those who break it.
    """

    def __init__(self, named=None):
        self.name = f"{named or 'test'}-{os.getpid()}"
        self.own = bool(named) or "VENDGATE_TEST_DATABASE_URL" not in os.environ
        self._numbers = itertools.count(1)
        if self.own:
            command = [str(ROOT / "scripts/cluster"), "start", self.name, "--owner", str(os.getpid())]
            self.url = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        else:
            self.url = os.environ["VENDGATE_TEST_DATABASE_URL"]
        self._made = []
        self._template = self._create(f"{TEMPLATE}_{os.getpid()}", "template0")
        subprocess.run([program("vendctl"), "migrate", "--database", self._template.url], check=True)

    def _create(self, name, template, tablespace="pg_default"):
        database = Database(name, _with_database(self.url, name))
        _execute(self.url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" TABLESPACE "{tablespace}"')
        self._made.append(name)
        return database

    def database(self, tablespace="pg_default"):
        """A fresh database with every migration applied (a copy of a template: about 50 ms)."""
        return self._create(f"vendgate_{os.getpid()}_{next(self._numbers)}", self._template.name, tablespace)

    def copy(self, database):
        """A copy of a database to which no program is connected."""
        database.close()
        return self._create(f"copy_{os.getpid()}_{next(self._numbers)}", database.name)

    def empty_database(self):
        """A fresh database without migrations."""
        return self._create(f"empty_{os.getpid()}_{next(self._numbers)}", "template0")

    def drop(self, database):
        """Drops a database, whoever is still connected."""
        database.close()
        _execute(self.url, f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')
        self._made.remove(database.name)

    def stop(self):
        """Ends the cluster, or drops what was made in an existing server."""
        if self.own:
            subprocess.run([str(ROOT / "scripts/cluster"), "stop", self.name], check=True)
        else:
            for name in self._made:
                _execute(self.url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Database:
    """One database: `url` for the programs, `rows` and `value` for looking inside."""

    def __init__(self, name, url):
        self.name = name
        self.url = url
        self._connection = None

    def _cursor(self):
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(self.url)
            self._connection.autocommit = True
        return self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)

    def rows(self, sql, *parameters):
        """The rows as dicts; parameters as %s. Each statement is its own transaction."""
        with self._cursor() as cursor:
            cursor.execute(sql, parameters)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def value(self, sql, *parameters):
        """The first column of the first row, or None without rows."""
        rows = self.rows(sql, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def connection(self):
        """A connection of the test's own, for locks and transactions."""
        return psycopg2.connect(self.url)

    def kick(self):
        """Ends every other connection, as a restart of PostgreSQL would."""
        self.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND pid <> pg_backend_pid()")

    def close(self):
        if self._connection:
            self._connection.close()
        self._connection = None


def _with_database(url, name):
    parts = urllib.parse.urlsplit(url)
    # urlunsplit drops an empty host ("postgresql:///x"), so the pieces are put together here.
    return f"{parts.scheme}://{parts.netloc}/{name}?{parts.query}"


def _execute(url, sql):
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        connection.cursor().execute(sql)
    finally:
        connection.close()
