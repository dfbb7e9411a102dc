"""Replays several strategies under several seeds, in pairs: same tasks, same test, same ties."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

import numpy as np

from active_learning import NotEnoughLabels, Pool, Round, Setup, loop, registry, simulate
from active_learning.curves import Arrival, Interval, area, labels_to, ratio
from active_learning.errors import UnknownComponent
from active_learning.held_out import quality
from active_learning.simulation import answered, at_random, part_of
from active_learning.types import Ints
from ls_active.errors import BadRequest

RANDOM = "random"
"""What the others are measured by: any task, as without active learning."""

SHARE = 0.95
"""Of the quality with all labels: what has to be reached."""

TEST_SHARE = 0.3

MOST_TESTS = 2_000


@dataclass(frozen=True)
class Replay:
    """One strategy under one seed; `full` is the quality of a model of all labels."""

    strategy: str
    seed: int
    rounds: Sequence[Round]
    full: float

    @property
    def labels(self) -> list[int]:
        """How many there were at each point of the curve."""
        return [each.labels for each in self.rounds]

    @property
    def scores(self) -> list[float]:
        """How good the model was there."""
        return [each.score for each in self.rounds]

    @property
    def area(self) -> float:
        """The mean height of the curve."""
        return area(self.labels, self.scores)

    @property
    def arrival(self) -> Arrival:
        """When it was as good as it has to be."""
        return labels_to(self.labels, self.scores, SHARE * self.full)


def known(names: Sequence[str]) -> list[str]:
    """Return strategies without repeats, `random` among them.

    Raises
    ------
    BadRequest
        One does not exist; says which do.
    """
    for name in names:
        try:
            registry.strategy_named(name)
        except UnknownComponent as error:
            raise BadRequest(f"--strategy: {error}") from None
    return list(dict.fromkeys([*names, RANDOM]))


def cut(pool: Pool, seed: int) -> Ints:
    """Return the rows that models are judged on, three tenths of all but 2,000 at most."""
    n = len(pool.ids)
    size = min(round(TEST_SHARE * n), MOST_TESTS)
    return np.sort(np.random.default_rng(seed).permutation(n)[:size])


def replays(
    pool: Pool, strategies: Sequence[str], setup: Setup, seeds: int, advance: Callable[[int], None]
) -> Iterator[Replay]:
    """Replay all strategies under all seeds.

    Parameters
    ----------
    pool : Pool
        Every task has its label.
    advance : callable
        Called with the number of labels after each batch.
    """
    for seed in range(seeds):
        test = cut(pool, seed)
        full = _full(pool, test, macro=setup.macro)
        for name in strategies:
            asker = at_random if name == RANDOM else name
            rounds = []
            for each in simulate(pool, asker, setup, seed=seed, test=test, clock=time.perf_counter):
                advance(len(each.asked))
                rounds.append(each)
            yield Replay(name, seed, rounds, full)


def _full(pool: Pool, test: Ints, *, macro: bool) -> float:
    rest = np.setdiff1d(np.arange(len(pool.ids)), test)
    taught = answered(part_of(pool, rest), np.arange(len(rest)))
    try:
        model = loop.fit(taught).model
    except NotEnoughLabels as lacking:
        raise BadRequest(f"with all labels there is still no model: {lacking}") from None
    return quality(model, taught, part_of(pool, test), macro=macro)


class Comparison:
    """What replays say of each strategy, beside random."""

    def __init__(self, found: Sequence[Replay]) -> None:
        self.replays = found
        self.strategies = list(dict.fromkeys(each.strategy for each in found))
        self.seeds = len({each.seed for each in found})

    def of(self, name: str) -> list[Replay]:
        """Return the replays of a strategy, by seed."""
        return [each for each in self.replays if each.strategy == name]

    @property
    def full(self) -> float:
        """The mean quality of a model of all labels."""
        return mean(each.full for each in self.of(RANDOM))

    def area(self, name: str) -> float:
        """Return the mean area under the curves."""
        return mean(each.area for each in self.of(name))

    def needed(self, name: str) -> float:
        """Return the median labels that the arrival took, those of a late one being the budget."""
        return median(each.arrival.labels for each in self.of(name))

    def late(self, name: str) -> int:
        """Return in how many replays it was not there at the end."""
        return sum(each.arrival.censored for each in self.of(name))

    def label_ratio(self, name: str) -> Interval | None:
        """Return the labels it took beside random's; None where neither ever arrived."""
        if self.late(name) == self.late(RANDOM) == self.seeds:
            return None
        return _ratio(*([each.arrival.labels for each in self.of(n)] for n in (name, RANDOM)))

    def area_ratio(self, name: str) -> Interval | None:
        """Return its area beside random's; None where one is nothing."""
        return _ratio(*([each.area for each in self.of(n)] for n in (name, RANDOM)))

    def query(self, name: str) -> float:
        """Return the median seconds of a query."""
        return median(point.seconds_to_ask for each in self.of(name) for point in each.rounds)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> Interval | None:
    return ratio(ours, theirs) if min(*ours, *theirs) > 0 else None
