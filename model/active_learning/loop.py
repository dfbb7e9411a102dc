"""One round of active learning: fit, estimate, rank."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from active_learning import audit
from active_learning.batch import apart, diverse_head
from active_learning.cold_start import spread
from active_learning.errors import NotEnoughLabels
from active_learning.judging import Round, judge, opine
from active_learning.outcomes import AuditEstimate, Choice, Fit, Model, Queue, Results
from active_learning.protocols import QueryStrategy
from active_learning.registry import learner_of, strategy_named
from active_learning.scaling import scaling_of
from active_learning.types import Floats, Ints, Kind, Pool, Reason, Serving

__all__ = ["estimate_audit", "fit", "opine", "rank", "restore"]

COLD = Choice("typiclust", "since there is no model yet")


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
        There is nothing to tell apart yet.
    """
    learner = learner_of(pool.kind)
    missing = learner.lacks(pool)
    if missing:
        raise NotEnoughLabels(missing)
    return learner.fit(pool, previous=previous, seed=seed)


def restore(kind: Kind, arrays: Mapping[str, NDArray[Any]], classes: tuple[str, ...]) -> Model:
    """Rebuild a model from what its `to_arrays` returned.

    Raises
    ------
    InvalidInput
        The arrays are damaged or belong to other classes.
    """
    return learner_of(kind).restore(arrays, classes)


def estimate_audit(
    pool: Pool,
    *,
    model: Model | None = None,
    seed: int = 0,
    held: Collection[int] = (),
    needed: int = audit.NEEDED,
) -> AuditEstimate:
    """Estimate how good the current model is on the whole pool.

    The audit set is cut into ten folds by near-duplicate group; each is predicted by the head
    refitted on **all other labels**, those we chose included, which is the model in use less a
    tenth of the audit. Below `needed` audit labels there are no figures, only the results by task.

    Parameters
    ----------
    held : collection of int
        Ids of tasks that wait for so long that they count as skipped.
    """
    rows, skipped = audit.audit_set(pool, held)
    found, results = None, Results()
    if len(rows) >= min(audit.COMPARED, max(needed, 1)):
        found = learner_of(pool.kind).estimate(pool, rows, model=model, seed=seed)
    if found is not None:
        judged = np.sort(rows)
        truths = tuple(_checksum(pool, row) for row in judged.tolist())
        results = Results(tuple(pool.ids[judged].tolist()), found.of_task, truths)
        found = replace(found, of_task=()) if len(rows) >= needed else None
    return AuditEstimate(len(rows), skipped, needed, found, results)


def _checksum(pool: Pool, row: int) -> int:
    label = pool.y[row] if pool.units is None else pool.y[pool.units.of(np.array([row]))[0]]
    return crc32(np.ascontiguousarray(label).tobytes())


def rank(  # noqa: PLR0913 - one round needs the pools, the models, the choices and the audit's books
    pools: Sequence[Pool],
    models: Sequence[Model | None],
    *,
    strategy: str | QueryStrategy,
    k: int,
    audit_share: float,
    seed: int,
    n_resolved: int,
    audit_resolved: int,
) -> Queue:
    """Return the head of the queue.

    A task asks as many questions as there are controls, classes and units in it. Its score for one
    control is that of its best question; of several controls, the mean of its ranks, since scores
    of a class, a number and a token do not compare.

    Parameters
    ----------
    pools : sequence of Pool
        The same tasks as each learned control sees them; one at least.
    models : sequence of Model or None
        One a pool. Without any, the tasks are spread over the pool.
    strategy : str or QueryStrategy
        Scores the candidates; a name is looked up among `registry.strategies`.
    k : int
        Tasks wanted. Skipped tasks that Label Studio gives back come last, and only if fewer than
        `k` others wait.
    audit_share : float
        Share of audit tasks, in [0, 1].
    n_resolved, audit_resolved : int
        Tasks resolved so far, and how many of them were audit tasks.

    Raises
    ------
    UnknownComponent
        No strategy has that name.

    References
    ----------
    Reichart et al. (2008), Multi-task active learning for linguistic annotations. ACL.
    """
    k, rng, pool = max(k, 0), np.random.default_rng(seed), pools[0]
    waiting = np.flatnonzero((pool.serving == Serving.YES) & ~pool.resolved)
    scorer = strategy_named(strategy) if isinstance(strategy, str) else strategy
    cold = all(model is None for model in models)
    judged = None if cold else judge(pools, models, scorer, waiting, wanted=k, rng=rng)
    rows, is_audit = audit.interleave(
        _spread(pool, waiting, k, rng) if judged is None else _best(judged, k, rng),
        audit_rows=waiting[np.argsort(pool.u[waiting], kind="stable")],
        audit_share=audit_share,
        n_resolved=n_resolved,
        audit_resolved=audit_resolved,
        k=k,
    )
    otherwise = Reason.COLD_START if cold else Reason.STRATEGY
    parts = [(judged, rows)]
    back = np.flatnonzero(pool.serving == Serving.LAST)
    if len(back) and len(rows) < k:
        # On their own: they would take choices from tasks that come before them all the same.
        left = k - len(rows)
        again = None if cold else judge(pools, models, scorer, back, wanted=left, rng=rng)
        asked = back if again is None else again.asked
        parts.append((again, _given_back(pool, asked, again)[:left]))
    rows = np.concatenate([rows for _, rows in parts])
    return Queue(
        ids=pool.ids[rows],
        rows=rows,
        scores=np.concatenate([_scores(*part) for part in parts]),
        reasons=(
            *(Reason.AUDIT if audited else otherwise for audited in is_audit),
            *[Reason.SKIPPED] * (len(rows) - len(is_audit)),
        ),
        verdicts=tuple(None for _ in pools) if cold else _verdicts(parts),
        choices=tuple(COLD for _ in pools) if judged is None else judged.choices,
    )


def _scores(judged: Round | None, rows: Ints) -> Floats:
    return np.ones(len(rows)) if judged is None else judged.scores[rows]


def _verdicts(parts: Sequence[tuple[Round | None, Ints]]) -> tuple[Any, ...]:
    """Return the verdicts of each control, those of one part after those of the other."""
    said = [judged.verdicts(rows) for judged, rows in parts if judged is not None]
    return tuple(
        None if of_control[0] is None else tuple(chain(*of_control))
        for of_control in zip(*said, strict=True)
    )


def _best(judged: Round, k: int, rng: np.random.Generator) -> Ints:
    head = diverse_head(
        judged.scores[judged.asked], judged.X, k, X_labeled=judged.X_labeled, rng=rng
    )
    return judged.asked[head]


def _spread(pool: Pool, waiting: Ints, k: int, rng: np.random.Generator) -> Ints:
    # Answered tasks take part: their theme is covered, and the themes stay as they were.
    rows = np.union1d(waiting, np.flatnonzero(pool.resolved))
    asked = np.flatnonzero(~np.isin(rows, waiting))
    X = scaling_of(pool).apply(pool.X[rows])
    head = spread(X, k, rng=rng, asked=asked)
    return rows[head[apart(X[head])]]


def _given_back(pool: Pool, rows: Ints, judged: Round | None) -> Ints:
    first = pool.u[rows] if judged is None else -judged.scores[rows]
    return rows[np.argsort(first, kind="stable")]
