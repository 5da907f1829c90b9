"""The daemon dies at every place that has a name in it, under load, and nothing is lost and nothing happens twice.

The names are read from the binary (src/base/crash_point.h), so a new place is tested without being told here, and one
that no load reaches fails. Machines, shops and PostgreSQL stay up; afterwards all three records are compared.
"""
import random
import signal
import subprocess

import pytest

from vendgate.places import BUILD, program
from vendgate.waiting import wait_until
from vendgate.world import World

REACHED_WITHIN = 30
BEFALL_EVERY = 0.25
HITS = (1, 2, 3, 10, 30)  # the later ones meet what comes late in a purchase
POINTS = [] if BUILD.name == "release" else subprocess.run(
    [program("vendgated"), "--crash-points"], check=True, capture_output=True, text=True).stdout.split()


class Scene:
    """The world that all tests here share, and how far it has been compared."""

    def __init__(self, folder, database):
        self.world = World(folder, database)
        self.world.start()
        self.world.start_gateway()
        self._place = None
        self._chance = random.Random()

    def begin(self, name):
        """Purchases are under way, and the daemon is dead."""
        self.world.buy(name)
        wait_until(lambda: self.world.database.value("SELECT count(*) FROM txn WHERE live"), 20, "somebody buys")
        self.world.gateway.kill()

    def _die_at(self, point, hit):
        self.world.start_gateway({"VENDGATE_CRASH": f"{point}:{hit}"})
        process = self.world.gateway.process

        def ended():
            self.world.befall(self._chance)
            try:
                return process.wait(BEFALL_EVERY) or True
            except subprocess.TimeoutExpired:
                return False
        wait_until(ended, REACHED_WITHIN, f"hit {hit} of {point}: no test reaches it")
        assert process.returncode == -signal.SIGKILL, self.world.gateway.log()[-4000:]

    def die_at(self, point, hit):
        """At the first places that a start passes it can die only once; then so many starts in a row do."""
        for _ in range(hit if point.startswith("start_") else 1):
            self._die_at(point, 1 if point.startswith("start_") else hit)

    def settle(self):
        self.world.start_gateway()
        result = self.world.settle(self._place)
        self._place = result.place
        return result


@pytest.fixture(scope="module")
def scene(cluster, tmp_path_factory):
    made = Scene(tmp_path_factory.mktemp("crash"), cluster.database())
    yield made
    made.world.audit()
    made.world.stop()
    cluster.drop(made.world.database)


@pytest.mark.skipif(not POINTS, reason="a release build has no crash points")
@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_or_doubled_when_it_dies(point, scene, request):
    scene.begin(point)
    for hit in HITS if request.config.getoption("--full") else HITS[:1]:
        scene.die_at(point, hit)
    assert scene.settle().rows
