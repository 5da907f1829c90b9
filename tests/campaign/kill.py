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
from vendgate.reconcile import Reconciliation
from vendgate.waiting import wait_until

from world import World

PERIOD = 50  # kills between two comparisons
WINDOW = 0.55  # a kill comes at a moment uniform in so many seconds after the start
QUIET = 0.4  # nothing may be under way for so long, so that no call that is still asked begins something
END_WITHIN = 150  # seconds for everything that is under way to end
NORMAL = 0.5  # the share of sessions in which nothing goes wrong
MISFORTUNES = [
    *(f"{misfortune}@{point}" for misfortune in ("power_loss", "reconnect") for point in (
        "lock_received", "lock_taken", "lock_replied", "selection_made", "selection_sent", "selection_acked",
        "approve_received", "approve_taken", "approve_replied", "on_bus", "fell", "result_written", "result_sent",
        "result_acked")),
    "withdraw", "withdraw_select", "change_mind", "repeat_selection", "give_up", "select_give_up", "cash", "door",
    "jam", "cancelled", "no_drop", "duplicate_events", "slow_dispense", "buy_again", "refuse_cash_in_use"]
# One shop buys one thing a session, the other whatever a customer can make of a session.
ALLOW = ((), ("allow_rename", "allow_multi_vend"))


class Campaign:
    """The world and what has been counted in it; `count` is what count.json holds."""

    def __init__(self, folder, database, seed):
        self.folder = pathlib.Path(folder)
        self._file = self.folder / "count.json"
        self.count = json.loads(self._file.read_text()) if self._file.exists() else {
            "seed": seed or random.randbytes(8).hex(), "kills": 0, "seconds": 0.0, "hit_purchase": 0, "hit_callback": 0,
            "hit_states": {}, "comparisons": 0, "ends": {}, "callbacks": 0, "fell": 0, "renamed": 0, "place": None}
        self.database = Database(*database)
        self.world = World(self.folder, self.database, ALLOW)
        self.world.start()

    def _save(self):
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self.count, indent=1))
        new.replace(self._file)

    def run(self, kills):
        """Until so many kills in all; first what a run that was cut off has left."""
        began = time.monotonic()
        self.world.start_gateway()
        self._compare()
        while self.count["kills"] < kills:
            began = time.monotonic()
            self._buy()
            for _ in range(min(kills - self.count["kills"], PERIOD - self.count["kills"] % PERIOD)):
                self._kill()
            self._compare()
            self.count["seconds"] += time.monotonic() - began
            self._save()
            print(self._line(), flush=True)

    def _buy(self):
        for shop in self.world.shops:
            shop.buy(str(self.count["kills"]))

    def _kill(self):
        """One cycle: let it run for a moment, kill it, see what it was about, start it again."""
        chance = random.Random(f"{self.count['seed']}/{self.count['kills']}")
        for vm_id in self.world.vm_ids:
            if chance.random() > NORMAL:
                self.world.order(vm_id, chance.choice(MISFORTUNES))
        time.sleep(chance.uniform(0, WINDOW))
        ended = self.world.gateway.process.poll()
        assert ended is None, f"vendgated ended by itself with {ended}: see {self.world.gateway.log_file}"
        self.world.gateway.kill()
        self._look()
        self.world.start_gateway()
        self.count["kills"] += 1

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
        """Nobody buys; everything ends; the records agree."""
        assert self.world.all_running(), f"a machine or an integrator has ended: see {self.folder}"
        for shop in self.world.shops:
            shop.rest()
        self._wait_for_the_end()
        result = Reconciliation(self.database, self.world.simulator.state, self.world.logs(), self.world.calls(),
                                self.count["place"])
        if result.differences:
            raise SystemExit("\n".join(["the records differ:", *result.differences]))
        self.count["comparisons"] += 1
        self.count["place"] = result.place
        self.count["fell"] += sum(map(len, result.goods.values()))
        self.count["renamed"] += len(result.successors)
        for row in result.rows:
            end = row["state"] + ("" if row["lock_answered"] else " (never locked)")
            self.count["ends"][end] = self.count["ends"].get(end, 0) + 1
        self._save()
        self._fold_logs()

    def _wait_for_the_end(self):
        last_busy = time.monotonic()

        def ended():
            nonlocal last_busy
            if not self.world.quiet():
                last_busy = time.monotonic()
            return time.monotonic() - last_busy > QUIET
        try:
            wait_until(ended, END_WITHIN)
        except AssertionError:
            left = self.database.rows("SELECT * FROM txn_live") + self.database.rows("SELECT * FROM callback_waiting")
            raise SystemExit("\n".join([f"not ended within {END_WITHIN} s:", *map(str, left)])) from None

    def _fold_logs(self):
        """Only what led to the last two comparisons is kept of the stories."""
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
        campaign.report()
    finally:
        campaign.world.stop()


if __name__ == "__main__":
    sys.exit(main())
