"""A scripted annotator: asks Label Studio for a task, answers, and remembers what it was given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ls_active.console.waiting import NotDone
from ls_active.demo.data import answer
from ls_active.label_studio.client import LabelStudioClient

Record: TypeAlias = Mapping[str, Any]
"""What our store keeps of a publication."""


@dataclass(frozen=True)
class Served:
    """One task that Label Studio handed out.

    `publication` is the version string of the prediction it came with, empty without one;
    `submitted_at` is Unix time; the seconds are what the annotator waited.
    """

    task: int
    publication: str
    submitted_at: float
    next_seconds: float
    submit_seconds: float


class ScriptedAnnotator:
    """Labels what it is given, by the true labels, through the API that the web page uses.

    Parameters
    ----------
    client : LabelStudioClient
    project_id : int
    truth : mapping
        The topic of each task.
    pace : float
        Labels a second, at most.
    """

    def __init__(
        self, client: LabelStudioClient, project_id: int, truth: Mapping[int, str], pace: float
    ) -> None:
        self._client = client
        self._project_id = project_id
        self._truth = truth
        self._interval = 1 / pace
        self.served: list[Served] = []

    def label(self, count: int, between: Callable[[], None]) -> None:
        """Label `count` tasks, calling `between` after each.

        Raises
        ------
        NotDone
            If Label Studio has no more tasks.
        """
        for _ in range(count):
            due = time.monotonic() + self._interval
            self.served.append(self._label_one())
            between()
            time.sleep(max(due - time.monotonic(), 0))

    def _label_one(self) -> Served:
        asked = time.perf_counter()
        task = self._client.next_task(self._project_id)
        given = time.perf_counter()
        if task is None:
            raise NotDone("Label Studio has no more tasks to label")
        self._client.annotate(
            task["id"], answer(self._truth[task["id"]]), lead_time=self._interval,
            project=self._project_id,
        )  # fmt: skip
        done = time.perf_counter()
        names = [prediction["model_version"] for prediction in task["predictions"]]
        return Served(
            task["id"], names[0] if names else "", time.time(), given - asked, done - given
        )


@dataclass(frozen=True)
class Order:
    """How well Label Studio kept to our order: so many tasks were inside it, and next in it."""

    served: int
    inside: int
    next: int


def keep_order(served: Sequence[Served], records: Sequence[Record]) -> Order:
    """Compare what was handed out with what was published.

    Parameters
    ----------
    served : sequence of Served
        All of them from the first, in order.
    records : sequence of mapping
        All publications, in order.
    """
    by_name = {record["name"]: index for index, record in enumerate(records)}
    taken: set[int] = set()
    inside = following = 0
    for item in served:
        # A swap between choosing and answering: chosen from the one before, answered without it.
        named = by_name.get(item.publication, -1)
        ends = _around(records, item.submitted_at) if not item.publication else (named - 1, named)
        candidates = [record["tasks"] for record in records[max(ends[0], 0) : ends[1] + 1]]
        inside += any(item.task in tasks for tasks in candidates)
        following += any(_first_left(tasks, taken) == item.task for tasks in candidates)
        taken.add(item.task)
    return Order(len(served), inside, following)


def _around(records: Sequence[Record], moment: float) -> tuple[int, int]:
    """Return the places between which the record of a task without a prediction stands.

    A record is written just after its swap, so it may be the one after the last before `moment`;
    and the task may have been chosen before the swap that took its prediction away.
    """
    last = sum(record["published_at"] <= moment for record in records) - 1
    return last - 1, min(last + 1, len(records) - 1)


def _first_left(tasks: Sequence[int], taken: set[int]) -> int | None:
    return next((task for task in tasks if task not in taken), None)
