"""From what annotators said to what the core learns: the mirror of a project as a `Pool`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from active_learning import audit
from active_learning.types import UNLABELED, Pool, Serving
from ls_active.sync.mirror import Annotation, Mirror, TaskTable
from ls_active.tags import Head


@dataclass(frozen=True, eq=False)
class Dataset:
    """A pool, and what the labels in it came from.

    Attributes
    ----------
    pool : Pool
    digest : str
        Changes exactly when a label that is learned from, or the set of classes, does.
    annotators : int
        People who labelled.
    tied : int
        Tasks whose annotators disagree without a majority: not learned from.
    unusable : int
        Labelled tasks without a label of today's config: empty, or of another one.
    """

    pool: Pool
    digest: str
    annotators: int
    tied: int
    unusable: int

    @property
    def labels(self) -> int:
        """Return how many tasks have a label that is learned from."""
        return len(self.pool.labeled)

    @property
    def classes_seen(self) -> int:
        """Return how many classes have a label."""
        return len(np.unique(self.pool.y[self.pool.labeled]))

    @property
    def askable(self) -> int:
        """Return how many tasks wait for an annotator."""
        return int(np.count_nonzero(self.pool.serving == Serving.YES))


def load(mirror: Mirror, head: Head, *, uid: str, seed: int, skip_queue: str) -> Dataset:
    """Build the pool of a project.

    Parameters
    ----------
    mirror : Mirror
    head : Head
        The control to learn and how to read it.
    uid : str
        The project's full uid; with `seed` it fixes the audit order.
    seed : int
    skip_queue : str
        What the project does with skipped tasks, in Label Studio's words.
    """
    table = mirror.table()
    classes = head.classes
    place = {name: index for index, name in enumerate(classes)}
    y = np.full(len(table.ids), UNLABELED, dtype=np.int64)
    annotators: set[int | None] = set()
    tied = 0
    for task, answers in groupby(mirror.annotations(), key=lambda item: item.task):
        votes = _votes(answers, head)
        annotators.update(votes)
        label = consensus(votes)
        tied += bool(votes) and label is None
        row = int(np.searchsorted(table.ids, task))
        if label in place and row < len(y) and table.ids[row] == task:
            y[row] = place[label]
    pool = Pool(
        ids=table.ids,
        X=mirror.features(table.rows),
        y=y,
        serving=_serving(table, skip_queue),
        resolved=table.is_labeled | (table.skips > 0),
        u=audit.uniform_order(uid, seed, table.ids),
        classes=classes,
    )
    unusable = int(np.count_nonzero(table.is_labeled & (y == UNLABELED)))
    return Dataset(pool, _digest(pool), len(annotators), tied, unusable)


def consensus(votes: Mapping[int | None, str]) -> str | None:
    """Return the label that most annotators gave, None without a majority of votes or any."""
    ranking = Counter(votes.values()).most_common(2)
    if not ranking or (len(ranking) == 2 and ranking[0][1] == ranking[1][1]):
        return None
    return ranking[0][0]


def _votes(annotations: Iterable[Annotation], head: Head) -> dict[int | None, str]:
    """Return one label an annotator, the latest; those of a ground truth stand alone."""
    votes: dict[int | None, str] = {}
    truths: dict[int | None, str] = {}
    for annotation in sorted(annotations, key=lambda item: item.updated_at):
        label = None if annotation.skipped else head.read(annotation.result)
        if label is not None:
            (truths if annotation.ground_truth else votes)[annotation.annotator] = label
    return truths or votes


def _serving(table: TaskTable, skip_queue: str) -> NDArray[np.int8]:
    given_back = skip_queue in ("REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS")
    skipped = Serving.LAST if given_back else Serving.NO
    waiting = np.where(table.skips > 0, skipped, Serving.YES)
    return np.where(table.is_labeled, Serving.NO, waiting).astype(np.int8)


def _digest(pool: Pool) -> str:
    rows = pool.labeled
    digest = hashlib.sha256("\x00".join(pool.classes).encode())
    digest.update(pool.ids[rows].tobytes())
    digest.update(pool.y[rows].tobytes())
    return digest.hexdigest()
