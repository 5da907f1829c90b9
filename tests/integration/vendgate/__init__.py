"""Parts for tests that drive the real programs from outside: database, daemon, machines, integrators.

conftest.py puts them together as fixtures; start reading there.
"""
