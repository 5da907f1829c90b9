"""From arrivals to figures: delay, delivery, order; median and range over rounds."""
import collections
import math
import statistics

Arrival = collections.namedtuple("Arrival", "number intended_ns phase endpoint lane sequence arrived_ns answered")


def percentile(values, percent):
    """The smallest value that at least `percent` of a hundred do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


class Arrivals:
    """What the sink saw, in its order."""

    def __init__(self, path):
        with open(path) as lines:
            self.all = [Arrival(*map(int, line.split())) for line in lines]

    def first(self):
        """The first arrival of each event that was answered with success."""
        seen = {}
        for arrival in self.all:
            if arrival.answered:
                seen.setdefault(arrival.number, arrival)
        return list(seen.values())

    def missing(self, events):
        return set(range(events)) - {arrival.number for arrival in self.first()}

    def out_of_order(self):
        """First arrivals that came before their predecessor in the lane."""
        last = collections.Counter()
        broken = []
        for arrival in self.first():
            if arrival.sequence != last[arrival.lane] + 1:
                broken.append(arrival)
            last[arrival.lane] = max(last[arrival.lane], arrival.sequence)
        return broken

    def delays_ms(self, phases, without=()):
        """From the intended time of each event in these phases to its first arrival."""
        return [(arrival.arrived_ns - arrival.intended_ns) / 1e6 for arrival in self.first()
                if arrival.phase in phases and arrival.endpoint not in without]


class Spread:
    """One figure over the rounds."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)

    def told(self, form="{:.2f}"):
        low, high = form.format(min(self.values)), form.format(max(self.values))
        return f"{form.format(self.median)} ({low} .. {high})"

    def json(self):
        return {"median": self.median, "min": min(self.values), "max": max(self.values), "rounds": self.values}


def print_table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
