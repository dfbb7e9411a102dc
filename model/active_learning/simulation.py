"""Replay the loop on tasks whose answers are known: what it would have cost to learn them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from active_learning import loop
from active_learning.audit import uniform_order
from active_learning.errors import InvalidInput, NotEnoughLabels
from active_learning.held_out import quality
from active_learning.outcomes import Fit, Model
from active_learning.protocols import QueryStrategy
from active_learning.types import UNLABELED, Ints, Kind, Pool, Reason, Serving, Units

Clock: TypeAlias = Callable[[], float]
"""Returns seconds, as `time.perf_counter` does."""


class Asker(Protocol):
    """Chooses what to ask next: a rule from elsewhere, in place of a strategy in the loop."""

    def __call__(self, pool: Pool, model: Model | None, k: int, rng: np.random.Generator) -> Ints:
        """Return `k` rows of the pool that are not labelled."""
        ...


@dataclass(frozen=True)
class Setup:
    """What is the same for everything that is compared.

    Attributes
    ----------
    labels : int
        Labels given in all; fewer if there are fewer tasks.
    batch : int
        Labels between two models.
    audit_share : float
        Share of tasks drawn at random for an honest estimate; 0 to compare strategies alone.
    macro : bool
        Judge classes that exclude each other by the mean of their F1 instead of accuracy: where
        most tasks are of one class, naming it every time is accurate.
    """

    labels: int
    batch: int = 10
    audit_share: float = 0.1
    macro: bool = False

    def __post_init__(self) -> None:
        if self.labels < 1 or self.batch < 1:
            raise InvalidInput(
                f"labels and batch are 1 or more, got {self.labels} and {self.batch}"
            )
        if not 0 <= self.audit_share <= 1:
            raise InvalidInput(f"audit_share is from 0 to 1, got {self.audit_share}")


@dataclass(frozen=True)
class Round:
    """One batch was asked and answered, and a model was fitted.

    Attributes
    ----------
    labels : int
        Answers so far.
    score : float
        Quality of the model on tasks nobody asked about, see `held_out.quality`; higher is better.
        NaN where no task is left to judge on.
    asked : tuple of int
        The rows that were asked, first asked first.
    strategy : str
        What chose them: of a strategy that picks one by stage, the one it picked.
    seconds_to_ask, seconds_to_fit : float
        Of choosing the batch, and of fitting; 0 without a clock.
    """

    labels: int
    score: float
    asked: tuple[int, ...]
    strategy: str
    seconds_to_ask: float
    seconds_to_fit: float


def at_random(pool: Pool, model: Model | None, k: int, rng: np.random.Generator) -> Ints:  # noqa: ARG001
    """Ask about any task: what a project without active learning does.

    Unlike the strategy `random`, not even the first questions are spread over the pool.
    """
    return rng.choice(waiting(pool), k, replace=False)


def simulate(
    truth: Pool,
    strategy: str | QueryStrategy | Asker,
    setup: Setup,
    *,
    seed: int = 0,
    test: Ints | None = None,
    clock: Clock = lambda: 0.0,
) -> Iterator[Round]:
    """Replay the loop, one round a batch.

    Parameters
    ----------
    truth : Pool
        All labels known; `serving`, `resolved` and `u` do not matter.
    strategy : str, QueryStrategy or Asker
        What `loop.rank` takes, or a function that chooses on its own, such as `at_random`.
    seed : int
        Fixes the audit order and everything random.
    test : (t,) int64, optional
        Rows that are never asked and that every model is judged on. Without them a model is
        judged on the rows that have not been asked yet, and after all were, not at all.
    clock : callable
        For the times; without one they are 0.

    Raises
    ------
    InvalidInput
        Rows lack a label, or no row is left to learn from.
    UnknownComponent
        No strategy has that name.
    """
    held = np.unique(np.asarray([] if test is None else test, dtype=np.int64))
    usable = np.setdiff1d(np.arange(len(truth.ids)), held)
    if len(truth.labeled) < len(truth.ids):
        raise InvalidInput(f"{len(truth.ids) - len(truth.labeled)} tasks have no label to replay")
    if not len(usable):
        raise InvalidInput("every task is a test task: nothing is left to learn from")
    replay = _Replay(truth, usable, held, strategy, setup, seed, clock)
    while len(replay.known) < min(setup.labels, len(usable)):
        yield replay.round()


class _Replay:
    """The state of one replay; `known` are rows of the part that may be asked."""

    def __init__(  # noqa: PLR0913, PLR0917 - all that one replay is made of
        self,
        truth: Pool,
        usable: Ints,
        held: Ints,
        strategy: str | QueryStrategy | Asker,
        setup: Setup,
        seed: int,
        clock: Clock,
    ) -> None:
        part = part_of(truth, usable)
        self._truth = replace(part, u=uniform_order("simulation", seed, part.ids))
        self._rows, self._strategy, self._setup = usable, strategy, setup
        self._test = part_of(truth, held) if len(held) else None
        self._seed, self._clock = seed, clock
        self._rng = np.random.default_rng(seed)
        self._fit: Fit | None = None
        self._audited = 0
        self.known: Ints = np.array([], dtype=np.int64)

    def round(self) -> Round:
        """Ask a batch, answer it, fit, and judge."""
        k = min(self._setup.batch, min(self._setup.labels, len(self._rows)) - len(self.known))
        began = self._clock()
        asked, name = self._ask(answered(self._truth, self.known), k)
        chosen = self._clock()
        self.known = np.concatenate([self.known, asked])
        pool = answered(self._truth, self.known)
        self._fit = self._fitted(pool)
        fitted = self._clock()
        return Round(
            labels=len(self.known),
            score=self._judge(pool),
            asked=tuple(self._rows[asked].tolist()),
            strategy=name,
            seconds_to_ask=chosen - began,
            seconds_to_fit=fitted - chosen,
        )

    def _ask(self, pool: Pool, k: int) -> tuple[Ints, str]:
        model = None if self._fit is None else self._fit.model
        if callable(self._strategy):
            rows = np.asarray(self._strategy(pool, model, k, self._rng), dtype=np.int64)
            _check_asked(rows, k, pool, name_of(self._strategy))
            return rows, name_of(self._strategy)
        queue = loop.rank(
            [pool],
            [model],
            strategy=self._strategy,
            k=k,
            audit_share=self._setup.audit_share,
            seed=int(self._rng.integers(2**31)),
            n_resolved=len(self.known),
            audit_resolved=self._audited,
        )
        self._audited += sum(reason is Reason.AUDIT for reason in queue.reasons)
        name = name_of(self._strategy) if queue.choice is None else queue.choice.strategy
        return queue.rows, name

    def _fitted(self, pool: Pool) -> Fit | None:
        previous = None if self._fit is None else self._fit.model
        try:
            return loop.fit(pool, previous=previous, seed=self._seed)
        except NotEnoughLabels:
            return None

    def _judge(self, pool: Pool) -> float:
        judged = self._test
        if judged is None:
            judged = part_of(self._truth, waiting(pool))
        model = None if self._fit is None else self._fit.model
        return quality(model, pool, judged, macro=self._setup.macro)


def _check_asked(rows: Ints, k: int, pool: Pool, name: str) -> None:
    fresh = np.unique(rows[np.isin(rows, waiting(pool))])
    if rows.shape != (k,) or len(fresh) != k:
        raise InvalidInput(
            f"{name} should choose {k} different rows that wait for a label, got {len(rows)} rows, "
            f"of which {len(fresh)} do"
        )


def name_of(strategy: str | QueryStrategy | Asker) -> str:
    """Return what a strategy is called."""
    if isinstance(strategy, str):
        return strategy
    return str(getattr(strategy, "name", None) or getattr(strategy, "__name__", "unnamed"))


def waiting(pool: Pool) -> Ints:
    """Return the rows that may be asked about."""
    return np.flatnonzero(pool.serving == Serving.YES)


def part_of(pool: Pool, rows: Ints) -> Pool:
    """Return some tasks of a pool, in the order of `rows`."""
    units, y = pool.units, pool.y
    if units is None:
        y = y[rows]
    else:
        of_rows, starts = units.of(rows)
        units, y = Units(units.X[of_rows], starts), y[of_rows]
    whole = {name: getattr(pool, name)[rows] for name in ("ids", "X", "serving", "resolved", "u")}
    return replace(pool, **whole, y=y, units=units)


def answered(truth: Pool, known: Ints) -> Pool:
    """Return a pool in which only the `known` rows have their labels."""
    resolved = np.zeros(len(truth.ids), dtype=np.bool_)
    resolved[known] = True
    serving = np.where(resolved, Serving.NO, Serving.YES).astype(np.int8)
    shown = resolved if truth.units is None else np.repeat(resolved, np.diff(truth.units.starts))
    y = truth.y.copy()
    y[~shown] = np.nan if truth.kind is Kind.NUMBER else UNLABELED
    return replace(truth, y=y, serving=serving, resolved=resolved)
