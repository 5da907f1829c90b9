"""What PostgreSQL's processes have used of the processor, with those that have ended."""
import os
import pathlib
import time

TICKS = os.sysconf("SC_CLK_TCK")


def _fields(pid):
    """The fields behind the name: [1] is the parent, [11:15] user, system and those of ended children."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _children_ticks(parent):
    ticks = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = _fields(process.name)
        except OSError:
            continue  # not a child that matters: see below
        if int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks


def _own_ticks(pid):
    return sum(int(field) for field in _fields(pid)[11:15])


def postgres_cpu_s(database):
    """Of the whole server, when nobody but us is connected to this database any more."""
    while database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                         " AND pid <> pg_backend_pid()"):
        time.sleep(0.01)
    postmaster = int(_fields(database.value("SELECT pg_backend_pid()"))[1])
    while True:
        before = _own_ticks(postmaster)
        children = _children_ticks(postmaster)
        if _own_ticks(postmaster) == before:  # else a child may have ended in between, and counts twice or not at all
            return (before + children) / TICKS
