"""What models, and then a strategy, say of the tasks that may be asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import rankdata

from active_learning.features import stored_values
from active_learning.outcomes import Choice, Model, Opinion
from active_learning.protocols import Chooser, QueryStrategy
from active_learning.registry import learner_of
from active_learning.scaling import scaling_of
from active_learning.types import Candidates, Features, Floats, Ints, Kind, Pool, Serving

PROBABILITIES = 10_000_000
"""Held of one round, 80 MB: of ten classes those of a million tasks, of 1,000 those of 10,000."""


@dataclass(frozen=True, eq=False)
class Round:
    """What is said of the tasks of one round.

    Attributes
    ----------
    asked : (m,) int64
        Rows of the pool that are judged, ascending.
    X, X_labeled : (m, d), (l, d)
        Their features, and those of the answered tasks; rows of unit length.
    scores : (n,)
        One a task of the pool, 0 for those not asked about.
    opinions : tuple of Opinion or None
        One a control, of the tasks asked about.
    choices : tuple of Choice or None
        One a control.
    """

    asked: Ints
    X: Features
    X_labeled: Features
    scores: Floats
    opinions: tuple[Opinion | None, ...]
    choices: tuple[Choice | None, ...]

    def verdicts(self, rows: Ints) -> tuple[Any, ...]:
        """Return what each control's model answers for rows of the pool."""
        places = np.searchsorted(self.asked, rows)
        return tuple(o.verdicts(places) if o is not None else None for o in self.opinions)


def judge(
    pools: Sequence[Pool],
    models: Sequence[Model | None],
    scorer: QueryStrategy,
    rows: Ints,
    *,
    wanted: int,
    rng: np.random.Generator,
) -> Round:
    """Score some tasks, ascending rows of the pool; see `active_learning.loop.rank`.

    A strategy that chooses one task after the other spends its choices on these alone. Of more
    than `PROBABILITIES` allows, a random part is looked at.
    """
    pool, asked = pools[0], _looked_at(pools, rows, wanted, rng)
    # A task that waits for its second annotator is not a duplicate of itself.
    done = np.unique(np.concatenate([each.labeled for each in pools]))
    answered = done[pool.serving[done] == Serving.NO]
    scaling = scaling_of(pool)
    X, X_labeled = scaling.apply(pool.X[asked]), scaling.apply(pool.X[answered])
    opinions: list[Opinion | None] = []
    choices: list[Choice | None] = []
    columns = []
    for each, model in zip(pools, models, strict=True):
        opinion = None if model is None else opine(model, each, asked)
        opinions.append(opinion)
        if model is None or opinion is None:
            choices.append(None)
            continue
        candidates = Candidates(
            proba=_questions(opinion),
            X=X,
            X_labeled=X_labeled,
            rng=rng,
            kind=each.kind,
            starts=opinion.starts,
            y=None if each.kind is Kind.SEQUENCE else each.y[done],
            wanted=wanted,
            committee=_committee(each, model, asked, int(rng.integers(2**31))),
        )
        choices.append(_choice(scorer, candidates))
        columns.append(candidates.best(scorer.score(candidates)))
    own = columns[0] if len(columns) == 1 else np.mean([_ranks(c) for c in columns], axis=0)
    scores = np.zeros(len(pool.ids))
    # A row of zeros is the most uncertain of all, and its label would teach the model nothing.
    scores[asked] = own * (stored_values(X) > 0)
    return Round(asked, X, X_labeled, scores, tuple(opinions), tuple(choices))


def _looked_at(pools: Sequence[Pool], rows: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """Return the rows to judge: all, or as many drawn alike as `PROBABILITIES` allows.

    Those first in the audit order are among them: they may be asked whatever is said of them.
    """
    fits = max(int(PROBABILITIES / sum(map(_width, pools))), wanted)
    if fits >= len(rows):
        return rows
    audit = rows[np.argsort(pools[0].u[rows], kind="stable")[:wanted]]
    return np.union1d(rng.choice(rows, fits, replace=False, shuffle=False), audit)


def _width(pool: Pool) -> float:
    """Return how many probabilities there are of an average task."""
    if pool.units is not None:
        of_units = pool.units.X.shape[0] / max(len(pool.ids), 1)
        return max((1 + len(pool.classes)) * of_units, 1.0)
    return (2 if pool.kind is Kind.MULTIPLE else 1) * max(len(pool.classes), 1)


def opine(model: Model, pool: Pool, rows: Ints) -> Opinion:
    """Return what a model says of some tasks of its pool."""
    if pool.units is None:
        return model.predict(pool.X[rows])
    units, starts = pool.units.of(rows)
    return model.predict(pool.units.X[units], starts)


def _questions(opinion: Opinion) -> Floats:
    """Return the questions of an opinion; of numbers, known and not known, see `Candidates`."""
    if opinion.questions is not None:
        return opinion.questions
    deviations = np.zeros(0) if opinion.deviations is None else opinion.deviations
    most = deviations.max(initial=0.0)
    unknown = deviations / (2 * most) if most > 0 else np.zeros(len(deviations))
    return np.stack([1 - unknown, unknown], axis=1)


def _committee(pool: Pool, model: Model, asked: Ints, seed: int) -> Callable[[Ints], Floats] | None:
    if pool.kind is Kind.NUMBER:
        return None

    @cache
    def members() -> tuple[Model, ...]:
        return learner_of(pool.kind).committee(pool, model=model, seed=seed)

    def committee(tasks: Ints) -> Floats:
        opinions = [opine(member, pool, asked[tasks]).questions for member in members()]
        return np.stack([questions for questions in opinions if questions is not None])

    return committee


def _choice(scorer: QueryStrategy, candidates: Candidates) -> Choice:
    return scorer.choose(candidates) if isinstance(scorer, Chooser) else Choice(scorer.name)


def _ranks(scores: Floats) -> Floats:
    """Return the share of tasks that score no higher, ties alike, in (0, 1]."""
    return np.asarray(rankdata(scores, method="max") / max(len(scores), 1))
