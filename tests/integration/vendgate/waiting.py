"""Waiting for things to come true, always with a deadline."""
import time


def wait_until(predicate, timeout=10, what=None):
    """Calls `predicate` until its result is true and returns that result.

    Fails the test after `timeout` seconds, naming `what` (or the predicate); a function is asked only then, so that
    it can tell how things stand. Checks every 10 ms at first, then every 50 ms.
    """
    began = time.monotonic()
    while True:
        result = predicate()
        if result:
            return result
        waited = time.monotonic() - began
        if waited > timeout:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what or predicate}")
        time.sleep(0.01 if waited < 0.5 else 0.05)


def stays(predicate, seconds=1.0, what=None):
    """Fails the test if `predicate` becomes false within `seconds`: for things that must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert predicate(), f"did not stay true for {seconds} s: {what or predicate}"
        time.sleep(0.02)
