"""From Label Studio's task lists into the mirror: states, data as features, annotations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from ls_active.label_studio import query
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.labeling.inputs import Inputs
from ls_active.sync.mirror import Mirror
from ls_active.sync.regions import Regions
from ls_active.sync.rows import Annotation, TaskState

STATE = ("id", "updated_at", "is_labeled", "total_annotations", "cancelled_annotations")
"""What a task's row costs when only its state is wanted: no data, no annotations."""


TRY_AGAIN = 600.0
"""Seconds between looks for files that were not there, or came too slowly."""

TRIED_AGAIN = 100
"""Such files that are tried each time: a host that hangs must not hold up the project."""


@dataclass(frozen=True)
class SyncReport:
    """What was found: tasks added, changed in any way, annotated, removed.

    `complete` is False while our counts and Label Studio's differ.
    """

    added: int = 0
    changed: int = 0
    annotated: int = 0
    removed: int = 0
    complete: bool = True

    def __add__(self, other: SyncReport) -> SyncReport:
        return SyncReport(
            self.added + other.added,
            self.changed + other.changed,
            self.annotated + other.annotated,
            self.removed + other.removed,
            self.complete and other.complete,
        )


class Reader:
    """Reads tasks of one project into its mirror; no task's data twice.

    Parameters
    ----------
    client : LabelStudioClient
    mirror : Mirror
    project_id : int
    inputs : Inputs
        Makes features of the tasks' data.
    region_types : frozenset of str
        Of the annotations' regions that are kept, as are all of the controls in the plan.
    check : callable
        Called before each page is stored; raises when this worker must stop.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        mirror: Mirror,
        project_id: int,
        inputs: Inputs,
        region_types: frozenset[str],
        check: Callable[[], None],
    ) -> None:
        self.mirror = mirror
        self._client = client
        self._project_id = project_id
        self._inputs = inputs
        self._regions = Regions((head.name for head in inputs.plan.heads), region_types)
        self._check = check

    def project(self) -> Project:
        """Read the project with its counts."""
        return self._client.project(self._project_id)

    def count(self, low: int, high: int) -> int:
        """Return how many tasks Label Studio has with ``low <= id <= high``."""
        return self._client.count(self._project_id, query.id_between(low, high))

    def pages(
        self,
        *filters: query.Filter,
        include: tuple[str, ...] = (),
        fields: Literal["task_only", "all"] = "task_only",
        after_id: int = 0,
    ) -> query.TaskPages:
        """Read the state, and what else is named, of all tasks that match."""
        return self._client.tasks(
            self._project_id,
            filters=filters,
            include=(*STATE, *include),
            fields=fields,
            after_id=after_id,
        )

    def with_annotations(
        self, *filters: query.Filter, after_id: int = 0, data: bool = False
    ) -> query.TaskPages:
        """Read state and annotations of all tasks that match, and their data as well."""
        include = ("annotations", "data") if data else ("annotations",)
        return self.pages(*filters, include=include, fields="all", after_id=after_id)

    def fresh(self, page: list[query.Task]) -> list[query.Task]:
        """Return the tasks of a page whose state is not the one we know."""
        known = self.mirror.states(page[0]["id"], page[-1]["id"])
        return [task for task in page if known.get(task["id"]) != state_of(task)]

    def take(self, pages: Iterable[list[query.Task]]) -> SyncReport:
        """Store what is news in pages with annotations, and whose data is new or may be."""
        report = SyncReport()
        for page in pages:
            self._check()
            fresh = self.fresh(page)
            known = self.mirror.states(page[0]["id"], page[-1]["id"])
            moved = self._moved(fresh, known)
            with self.mirror.transaction():
                self.mirror.put_states(map(state_of, fresh))
                self.mirror.set_unread(moved, unread=True)
                for task in fresh:
                    self.mirror.put_annotations(task["id"], self._annotations(task))
            report += _report(fresh, known)
        return report

    def _moved(self, fresh: list[query.Task], known: dict[int, TaskState]) -> list[int]:
        """Return the tasks whose data is new, or may be."""
        digests = self.mirror.digests(task["id"] for task in fresh if "data" in task)
        return [task["id"] for task in fresh if self._has_moved(task, known, digests)]

    def _has_moved(
        self, task: query.Task, known: dict[int, TaskState], digests: dict[int, bytes | None]
    ) -> bool:
        before = digests.get(task["id"])
        if before is not None:
            return before != self._inputs.digest(task["data"])
        return not _explained(task, known.get(task["id"]))

    def read_data(self) -> None:
        """Read the data of all tasks whose data is new or may be."""
        self._try_again()
        for first, last in self.runs(self.mirror.unread()):
            for page in self.pages(query.id_between(first, last), include=("data",)):
                self._featurize(page)

    def _try_again(self) -> None:
        """Look now and then for files that were not there."""
        last = float(self.mirror.note("tried_again") or 0)
        if time.time() - last > TRY_AGAIN:
            self.mirror.set_note("tried_again", str(time.time()))
            self.mirror.forget_data_to_come(TRIED_AGAIN)

    def _featurize(self, page: list[query.Task]) -> None:
        """Give features to the tasks of a page whose data we have not seen."""
        for start in range(0, len(page), self._inputs.at_once):
            part = page[start : start + self._inputs.at_once]
            known = self.mirror.digests(task["id"] for task in part)
            digests = {task["id"]: self._inputs.digest(task["data"]) for task in part}
            fresh = [
                task
                for task in part
                if task["id"] in known and known[task["id"]] != digests[task["id"]]
            ]
            read = self._inputs.read(fresh) if fresh else None
            self._check()
            with self.mirror.transaction():
                if read is not None:
                    ids = [task["id"] for task in fresh]
                    self.mirror.put_features(ids, [digests[task] for task in ids], read)
                self.mirror.set_unread(known, unread=False)

    def store(self, page: list[query.Task]) -> None:
        """Store states and features of a page with data, and that it was read."""
        self._check()
        with self.mirror.transaction():
            self.mirror.put_states(map(state_of, page))
        self._featurize(page)
        with self.mirror.transaction():
            self.mirror.set_note("full", str(page[-1]["id"]))

    def put_annotations(self, page: list[query.Task]) -> None:
        """Store the annotations of a page."""
        self._check()
        with self.mirror.transaction():
            for task in page:
                self.mirror.put_annotations(task["id"], self._annotations(task))

    def runs(self, ids: Sequence[int], gap: int = 0) -> list[tuple[int, int]]:
        """Return id ranges that hold all `ids` (ascending).

        Between two of them a range holds at most `gap` other tasks that we know.
        """
        if not ids:
            return []
        known = sorted({*self.mirror.states(ids[0], ids[-1]), *ids})
        place = {task: position for position, task in enumerate(known)}
        breaks = [(a, b) for a, b in pairwise(ids) if place[b] - place[a] > gap + 1]
        starts = [ids[0], *(b for _, b in breaks)]
        ends = [*(a for a, _ in breaks), ids[-1]]
        return list(zip(starts, ends, strict=True))

    def _annotations(self, task: query.Task) -> Iterator[Annotation]:
        for raw in task["annotations"]:
            yield Annotation(
                id=raw["id"],
                task=task["id"],
                annotator=_person(raw.get("completed_by")),
                result=self._regions.of(raw["result"]),
                skipped=bool(raw["was_cancelled"]),
                ground_truth=bool(raw["ground_truth"]),
                created_at=raw["created_at"],
                updated_at=raw["updated_at"],
                lead_time=raw.get("lead_time"),
            )


def state_of(task: query.Task) -> TaskState:
    """Return the state of a task from a list."""
    return TaskState(
        id=task["id"],
        updated_at=task["updated_at"],
        is_labeled=bool(task["is_labeled"]),
        annotations=task["total_annotations"],
        skips=task["cancelled_annotations"],
    )


def _report(fresh: list[query.Task], known: dict[int, TaskState]) -> SyncReport:
    added = sum(task["id"] not in known for task in fresh)
    annotated = sum(_counts(state_of(task)) != _counts(known.get(task["id"])) for task in fresh)
    return SyncReport(added=added, changed=len(fresh) - added, annotated=annotated)


def _counts(state: TaskState | None) -> tuple[int, int]:
    return (state.annotations, state.skips) if state else (0, 0)


def _explained(task: query.Task, before: TaskState | None) -> bool:
    """Say whether annotations alone account for a new `updated_at`; else the data may be new.

    An edit of the data that an annotation follows within one pass looks like the annotation alone:
    where only a few tasks changed, their data is read along and compared.
    """
    if before is None:
        return False
    touched = _moment(task["updated_at"]) - timedelta(seconds=1)
    return any(_moment(raw["updated_at"]) >= touched for raw in task["annotations"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _person(said: Any) -> int | None:
    """Return the id of whom an annotation is by; some lists give the whole user."""
    found = said.get("id") if isinstance(said, dict) else said
    return found if type(found) is int and 0 <= found < 2**63 else None
