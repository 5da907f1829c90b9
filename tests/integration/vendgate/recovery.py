"""How long the service took to come back after each fault: collected from the tests, printed at the end of the run."""
import pytest

from .load import WITHIN

_PROPERTY = "recovered_s"


@pytest.fixture
def measured(record_property, request):
    """measured(seconds, within=WITHIN): notes and prints a recovery time, and fails the test if it is too long."""
    def note(seconds, within=WITHIN):
        record_property(_PROPERTY, seconds)
        print(f"{request.node.name}: service back {seconds:.3f} s after the cause ended")
        assert seconds <= within, f"the service was back only after {seconds:.3f} s"
    return note


def pytest_terminal_summary(terminalreporter):
    """A line a fault; with several workers too, because a report carries its test's properties."""
    found = sorted((report.nodeid.rpartition("/")[2], value) for reports in terminalreporter.stats.values()
                   for report in reports if getattr(report, "when", None) == "call"
                   for name, value in report.user_properties if name == _PROPERTY)
    if not found:
        return
    terminalreporter.section("service back after the cause of a fault ended")
    for name, seconds in found:
        terminalreporter.write_line(f"{seconds:7.3f} s  {name}")
    terminalreporter.write_line(f"{max(seconds for _, seconds in found):7.3f} s  at most")
