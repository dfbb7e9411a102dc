"""One round of active learning: fit, estimate, rank."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning import audit
from active_learning.batch import diverse_head
from active_learning.cold_start import spread
from active_learning.errors import NotEnoughLabels
from active_learning.features import stored_values
from active_learning.learners.linear import LinearModel, fit_linear
from active_learning.registry import strategy_named
from active_learning.types import (
    UNLABELED,
    AuditEstimate,
    Candidates,
    Fit,
    Floats,
    Ints,
    Model,
    Pool,
    QueryStrategy,
    Queue,
    Reason,
    Serving,
)

MIN_LABELS = 2
MIN_CLASSES = 2


def fit(pool: Pool, *, previous: Model | None = None, seed: int = 0) -> Fit:
    """Fit a model on all labels of the pool.

    Parameters
    ----------
    previous : Model, optional
        The last model: the search starts there. It does not change what is found.
    seed : int
        Keep it the same over the life of a project, and a label stays in its fold.

    Raises
    ------
    NotEnoughLabels
        Fewer than two classes have a label.
    """
    classes = np.unique(pool.y[pool.labeled])
    if len(classes) < MIN_CLASSES:
        have = ", ".join(repr(pool.classes[index]) for index in classes) or "none"
        raise NotEnoughLabels(
            f"{len(pool.labeled)} labels in {len(classes)} classes ({have}); a model needs at "
            f"least {MIN_LABELS} labels in {MIN_CLASSES} classes"
        )
    start = previous if isinstance(previous, LinearModel) else None
    return fit_linear(pool, previous=start, seed=seed)


def restore(arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> Model:
    """Rebuild a model from what its `to_arrays` returned.

    Raises
    ------
    InvalidInput
        The arrays are damaged or belong to other classes.
    """
    return LinearModel.from_arrays(arrays, classes)


def estimate_audit(
    pool: Pool, *, model: Model | None = None, seed: int = 0, held: Collection[int] = ()
) -> AuditEstimate:
    """Estimate the accuracy of the current model on the whole pool; see `audit.estimate`."""
    temperature = model.temperature if isinstance(model, LinearModel) else 1.0
    return audit.estimate(pool, seed=seed, held=held, temperature=temperature)


def rank(  # noqa: PLR0913 - one round needs the pool, the model, the choices and the audit's books
    pool: Pool,
    model: Model | None,
    *,
    strategy: str | QueryStrategy,
    k: int,
    epsilon: float,
    seed: int,
    n_resolved: int,
    audit_resolved: int,
) -> Queue:
    """Return the head of the queue.

    Parameters
    ----------
    model : Model or None
        None before the first fit: the tasks are then spread over the pool.
    strategy : str or QueryStrategy
        Scores the candidates; a name is looked up among `registry.strategies`.
    k : int
        Tasks wanted. Skipped tasks that Label Studio gives back come last, and only if fewer than
        `k` others wait.
    epsilon : float
        Share of audit tasks, in [0, 1].
    n_resolved, audit_resolved : int
        Tasks resolved so far, and how many of them were audit tasks.

    Raises
    ------
    UnknownComponent
        No strategy has that name.
    """
    k, rng = max(k, 0), np.random.default_rng(seed)
    waiting = np.flatnonzero((pool.serving == Serving.YES) & ~pool.resolved)
    if model is None:
        opinion, ranked = None, _spread(pool, waiting, k, rng)
    else:
        opinion = _score(pool, model, strategy, rng)
        ranked = _best(opinion, waiting, k, rng)
    rows, is_audit = audit.interleave(
        ranked,
        audit_rows=waiting[np.argsort(pool.u[waiting], kind="stable")],
        epsilon=epsilon,
        n_resolved=n_resolved,
        audit_resolved=audit_resolved,
        k=k,
    )
    otherwise = Reason.COLD_START if opinion is None else Reason.STRATEGY
    reasons = [Reason.AUDIT if audited else otherwise for audited in is_audit]
    given_back = _given_back(pool, opinion)[: max(k - len(rows), 0)]
    rows = np.concatenate([rows, given_back])
    return Queue(
        ids=pool.ids[rows],
        rows=rows,
        scores=np.ones(len(rows)) if opinion is None else opinion.scores[rows],
        reasons=(*reasons, *[Reason.SKIPPED] * len(given_back)),
        proba=None if opinion is None else opinion.proba[rows],
    )


@dataclass(frozen=True, eq=False)
class _Opinion:
    """What a model and a strategy say; `proba` and `scores` have a row for every task."""

    proba: Floats
    scores: Floats
    asked: Ints
    candidates: Candidates


def _score(
    pool: Pool, model: Model, strategy: str | QueryStrategy, rng: np.random.Generator
) -> _Opinion:
    scorer = strategy_named(strategy) if isinstance(strategy, str) else strategy
    asked = np.flatnonzero(pool.serving != Serving.NO)
    # A task that waits for its second annotator is not a duplicate of itself.
    answered = np.flatnonzero((pool.y != UNLABELED) & (pool.serving == Serving.NO))
    proba = model.predict_proba(pool.X)
    candidates = Candidates(
        proba=proba[asked],
        X=model.weigh(pool.X[asked]),
        X_labeled=model.weigh(pool.X[answered]),
        rng=rng,
    )
    scores = np.zeros(len(pool.ids))
    # A row of zeros is the most uncertain of all, and its label would teach the model nothing.
    scores[asked] = scorer.score(candidates) * (stored_values(candidates.X) > 0)
    return _Opinion(proba, scores, asked, candidates)


def _best(opinion: _Opinion, waiting: Ints, k: int, rng: np.random.Generator) -> Ints:
    places = np.searchsorted(opinion.asked, waiting)
    head = diverse_head(
        opinion.scores[waiting],
        opinion.candidates.X[places],
        k,
        X_labeled=opinion.candidates.X_labeled,
        rng=rng,
    )
    return waiting[head]


def _spread(pool: Pool, waiting: Ints, k: int, rng: np.random.Generator) -> Ints:
    # Answered tasks take part: their theme is covered, and the themes stay as they were.
    rows = np.union1d(waiting, np.flatnonzero(pool.resolved))
    asked = np.flatnonzero(~np.isin(rows, waiting))
    return rows[spread(pool.X[rows], k, rng=rng, asked=asked)]


def _given_back(pool: Pool, opinion: _Opinion | None) -> Ints:
    rows = np.flatnonzero(pool.serving == Serving.LAST)
    first = pool.u[rows] if opinion is None else -opinion.scores[rows]
    return rows[np.argsort(first, kind="stable")]
