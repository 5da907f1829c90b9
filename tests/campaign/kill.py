"""The kill campaign behind kill.sh, which says what it does: kills, counts, compares, keeps the count."""
import argparse
import json
import os
import pathlib
import random
import sys
import time

from vendgate.ctl import Ctl
from vendgate.database import Database
from vendgate.world import World

PERIOD = 50  # kills between two comparisons
# A kill comes at a moment uniform in so many seconds after the start, or after the start is over.
START, STARTING, WORKING = 0.3, 0.2, 0.4  # the share of the former, and both windows
START_WITHIN = 2  # on a machine that is too busy it is killed all the same


class Campaign:
    """The world and what has been counted in it; `count` is what count.json holds."""

    def __init__(self, folder, database, seed):
        self.folder = pathlib.Path(folder)
        self._file = self.folder / "count.json"
        self.count = json.loads(self._file.read_text()) if self._file.exists() else {
            "seed": seed or random.randbytes(8).hex(), "runs": 0, "kills": 0, "seconds": 0.0, "hit_purchase": 0,
            "hit_callback": 0, "hit_states": {}, "comparisons": 0, "ends": {}, "fell": 0, "renamed": 0, "place": None}
        self.count["runs"] += 1
        self._save()
        self.database = Database(*database)
        self._log_size = 0  # when the daemon was started last
        self.world = World(self.folder, self.database)
        self.world.start()

    def _save(self):
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self.count, indent=1))
        new.replace(self._file)

    def run(self, kills):
        """Until so many kills in all; first what a run that was cut off has left."""
        self.world.start_gateway()
        self._compare()
        while self.count["kills"] < kills:
            began = time.monotonic()
            self.world.buy(f"{self.count['runs']}.{self.count['kills']}")  # a run that was cut off used its refs
            for _ in range(min(kills - self.count["kills"], PERIOD - self.count["kills"] % PERIOD)):
                self._kill()
            self._compare()
            self.count["seconds"] += time.monotonic() - began
            self._save()
            print(self._line(), flush=True)

    def _kill(self):
        """One cycle: let it run for a moment, kill it, see what it was about, start it again."""
        chance = random.Random(f"{self.count['seed']}/{self.count['kills']}")
        self.world.befall(chance)
        if chance.random() < START:
            time.sleep(chance.uniform(0, STARTING))
        else:
            self._wait_for_recovery()
            time.sleep(chance.uniform(0, WORKING))
        ended = self.world.gateway.process.poll()
        assert ended is None, f"vendgated ended by itself with {ended}: see {self.world.gateway.log_file}"
        self.world.gateway.kill()
        self._look()
        self._log_size = self.world.gateway.log_file.stat().st_size
        self.world.start_gateway()
        self.count["kills"] += 1

    def _wait_for_recovery(self):
        """Until it says that it has started; its log is the cheapest way to know."""
        until = time.monotonic() + START_WITHIN
        with open(self.world.gateway.log_file, "rb") as log:
            log.seek(self._log_size)
            text = b""
            while b"event=recovered" not in text and time.monotonic() < until:
                time.sleep(0.01)
                text += log.read()

    def _look(self):
        """What the kill hit, from the database."""
        rows = self.database.rows("SELECT state::text, count(*) AS number FROM txn WHERE live GROUP BY state"
                                  " UNION ALL SELECT 'callback', count(*) FROM callback_queue")
        found = {row["state"]: row["number"] for row in rows if row["number"]}
        self.count["hit_callback"] += "callback" in found
        self.count["hit_purchase"] += any(state != "callback" for state in found)
        for state, number in found.items():
            self.count["hit_states"][state] = self.count["hit_states"].get(state, 0) + number

    def _compare(self):
        """Nobody buys; everything ends; the records agree. Then it is counted."""
        result = self.world.settle(self.count["place"])
        self.count["comparisons"] += 1
        self.count["place"] = result.place
        self.count["fell"] += sum(map(len, result.goods.values()))
        self.count["renamed"] += len(result.successors)
        for row in result.rows:
            end = row["state"] + ("" if row["lock_answered"] else " (never locked)")
            self.count["ends"][end] = self.count["ends"].get(end, 0) + 1
        self._save()
        self._fold_logs()

    def _fold_logs(self):
        """Only what led to the last two comparisons is kept of the stories."""
        self._log_size = 0
        for path in [self.world.gateway.log_file, *(shop.story for shop in self.world.shops)]:
            if path.exists():
                path.with_suffix(".log.before").write_bytes(path.read_bytes())
                os.truncate(path, 0)

    def _line(self):
        count = self.count
        return (f"{count['kills']} kills, {count['seconds'] / max(count['kills'], 1):.2f} s each; in flight at"
                f" {count['hit_purchase']} (a callback at {count['hit_callback']}); ends {count['ends']};"
                f" {count['comparisons']} comparisons, lost 0, doubled 0")

    def report(self):
        print(self._line())
        print("purchases under way when it was killed, by state:", json.dumps(self.count["hit_states"], sort_keys=True))
        print(f"{self.count['fell']} items fell; {self.count['renamed']} purchases took over from another;"
              f" seed {self.count['seed']}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int)
    parser.add_argument("--state", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--seed")
    arguments = parser.parse_args()
    database = Database("postgres", arguments.database)
    Ctl(database).run("migrate")
    campaign = Campaign(arguments.state, ("postgres", arguments.database), arguments.seed)
    try:
        campaign.run(arguments.kills)
        campaign.world.audit()
        campaign.report()
    except AssertionError as error:
        raise SystemExit(str(error)) from None
    finally:
        campaign.world.stop()


if __name__ == "__main__":
    sys.exit(main())
