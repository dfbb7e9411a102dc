"""From what annotators said to what the core learns: the mirror of a project as a `Pool`."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning import audit
from active_learning.registry import learner_of
from active_learning.types import Answer, Bools, Features, Ints, Pool, Serving, Units
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head, Plan
from ls_active.loop.asked_since import was_asked
from ls_active.loop.consensus import consensus, encode
from ls_active.sync.mirror import Mirror
from ls_active.sync.rows import Annotation, TaskTable

UNIT_BUDGET = 500_000
"""Units that are looked at in one run. In a larger pool those of the first tasks in audit order
are: a uniform sample, which moves on as its tasks are answered."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """What each head learns from, and what the labels came from.

    Attributes
    ----------
    pools : tuple of Pool
        The same tasks as each head of the plan sees them.
    signature : list
        Of the plan.
    digest : str
        Changes exactly when a label that is learned from, or the set of classes, does.
    annotators : int
        People who labelled.
    tied : int
        Tasks whose annotators disagree without a majority: not learned from.
    dated : tuple of str
        When each task with a label was last annotated, as Label Studio writes times; ascending.
    """

    pools: tuple[Pool, ...]
    signature: list[Any]
    digest: str
    annotators: int
    tied: int
    dated: tuple[str, ...] = ()

    @property
    def pool(self) -> Pool:
        """The tasks, whatever is learned of them."""
        return self.pools[0]

    @cached_property
    def labeled(self) -> Ints:
        """Row numbers of the tasks with a label that is learned from."""
        rows: Ints = np.unique(np.concatenate([pool.labeled for pool in self.pools]))
        return rows

    @property
    def labels(self) -> int:
        """How many tasks have a label that is learned from."""
        return len(self.labeled)

    @property
    def newest(self) -> str:
        """When the last label came; empty without any."""
        return self.dated[-1] if self.dated else ""

    def news_since(self, moment: str) -> int:
        """Return how many tasks were annotated after a moment: labels that are new or corrected."""
        return len(self.dated) - bisect_right(self.dated, moment)

    @cached_property
    def lacking(self) -> str:
        """What the head that is closest to its first model lacks; nothing: one can be fitted."""
        missing = [learner_of(pool.kind).lacks(pool) for pool in self.pools]
        return "" if "" in missing else missing[0]

    @property
    def askable(self) -> int:
        """How many tasks wait for an annotator."""
        return int(np.count_nonzero(self.pool.serving == Serving.YES))


def load(  # noqa: PLR0913 - what is learned, from what, and three facts of the project
    mirror: Mirror,
    plan: Plan,
    inputs: Inputs,
    *,
    uid: str,
    seed: int,
    skip_queue: str,
    since: Mapping[str, str] | None = None,
) -> Dataset:
    """Build the pools of a project.

    Parameters
    ----------
    mirror : Mirror
    plan : Plan
        What is learned.
    inputs : Inputs
        How the features in the mirror were made.
    uid : str
        The project's full uid; with `seed` it fixes the audit order.
    seed : int
    skip_queue : str
        What the project does with skipped tasks, in Label Studio's words.
    since : mapping, optional
        From when each control was asked; see `asked_since.asked_since`.
    """
    table = mirror.table()
    row_of = {int(task): row for row, task in enumerate(table.ids)}
    answers = _Answers(mirror, plan, row_of, since or {})
    whole = _Tasks(
        ids=table.ids,
        X=mirror.features(table.rows),
        serving=_serving(table, skip_queue),
        resolved=table.is_labeled | (table.skips > 0),
        u=audit.uniform_order(uid, seed, table.ids),
    )
    pools = tuple(
        _pool(whole, head, inputs, said, mirror)
        for head, said in zip(plan.heads, answers.of_head, strict=True)
    )
    return Dataset(
        pools=pools,
        signature=plan.signature,
        digest=_digest(pools),
        annotators=len(answers.annotators),
        dated=tuple(sorted(answers.dated.values())),
        tied=len(answers.tied),
    )


@dataclass(frozen=True, eq=False)
class _Tasks:
    """What all heads see alike."""

    ids: Ints
    X: Features
    serving: NDArray[np.int8]
    resolved: Bools
    u: NDArray[np.uint64]


class _Answers:
    """What annotators said together, by head and row."""

    def __init__(
        self, mirror: Mirror, plan: Plan, row_of: Mapping[int, int], since: Mapping[str, str]
    ) -> None:
        self.of_head: list[dict[int, Answer]] = [{} for _ in plan.heads]
        self.annotators: set[int | None] = set()
        self.tied: set[int] = set()
        self.dated: dict[int, str] = {}
        for task, group in groupby(mirror.annotations(), key=lambda item: item.task):
            if task not in row_of:
                continue
            annotations = sorted(group, key=lambda item: item.updated_at)
            for place, head in enumerate(plan.heads):
                layout = None if head.units is None else mirror.layout(head.units, task)
                votes = _votes(annotations, head, layout, since.get(head.name, ""))
                self.annotators.update(votes)
                answer = consensus(head.kind, list(votes.values()))
                if answer is not None:
                    self.of_head[place][row_of[task]] = answer
                    self.dated[task] = annotations[-1].updated_at
                elif votes:
                    self.tied.add(task)


def _pool(
    tasks: _Tasks, head: Head, inputs: Inputs, said: Mapping[int, Answer], mirror: Mirror
) -> Pool:
    X, blocks = inputs.view(head, tasks.X)
    units = None if head.units is None else _units(mirror, head.units, tasks, said)
    starts = None if units is None else units.starts
    return Pool(
        ids=tasks.ids,
        X=X,
        y=encode(head.kind, said, len(tasks.ids), head.classes, starts),
        serving=tasks.serving,
        resolved=tasks.resolved,
        u=tasks.u,
        classes=head.classes,
        kind=head.kind,
        blocks=blocks,
        units=units,
    )


def _units(mirror: Mirror, place: int, tasks: _Tasks, said: Mapping[int, Answer]) -> Units:
    """Return the units of the labelled tasks, and of as many others as the budget allows."""
    known = mirror.unit_counts(place)
    counts = np.array([known.get(int(task), 0) for task in tasks.ids], dtype=np.int64)
    taken = np.zeros(len(tasks.ids), dtype=np.bool_)
    taken[list(said)] = True
    waiting = np.flatnonzero(~taken & (tasks.serving != Serving.NO))
    waiting = waiting[np.argsort(tasks.u[waiting], kind="stable")]
    taken[waiting[np.cumsum(counts[waiting]) <= UNIT_BUDGET]] = True
    rows = np.flatnonzero(taken)
    found = mirror.units(place, tasks.ids[rows])
    of_row = np.zeros(len(tasks.ids), dtype=np.int64)
    of_row[rows] = np.diff(found.starts)
    return Units(found.X, np.concatenate([[0], np.cumsum(of_row)]).astype(np.int64))


def _votes(
    annotations: Iterable[Annotation], head: Head, layout: Layout | None, since: str
) -> dict[int | None, Answer]:
    """Return one answer an annotator, the latest; those of a ground truth stand alone."""
    votes: dict[int | None, Answer] = {}
    truths: dict[int | None, Answer] = {}
    for annotation in annotations:
        answer = None
        if not annotation.skipped and was_asked(annotation, head.name, since):
            answer = head.read(annotation.result, layout)
        if answer is not None:
            (truths if annotation.ground_truth else votes)[annotation.annotator] = answer
    return truths or votes


def _serving(table: TaskTable, skip_queue: str) -> NDArray[np.int8]:
    given_back = skip_queue in ("REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS")
    skipped = Serving.LAST if given_back else Serving.NO
    waiting = np.where(table.skips > 0, skipped, Serving.YES)
    return np.where(table.is_labeled, Serving.NO, waiting).astype(np.int8)


def _digest(pools: Sequence[Pool]) -> str:
    digest = hashlib.sha256()
    for pool in pools:
        rows = pool.labeled
        digest.update("\x00".join(pool.classes).encode())
        digest.update(pool.ids[rows].tobytes())
        labeled = rows if pool.units is None else pool.units.of(rows)[0]
        digest.update(np.ascontiguousarray(pool.y[labeled]).tobytes())
    return digest.hexdigest()
