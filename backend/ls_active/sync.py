"""Bring the mirror level with Label Studio, reading only what changed.

The cursor is Label Studio's own clock. `updated_at` deceives now and then (bulk deletes are
announced before they are stamped, some changes are never stamped), so the window overlaps, the
counts are compared after each pass, and a light sweep runs daily or when they disagree.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from active_learning.types import Featurizer
from ls_active import label_studio_query as query
from ls_active.label_studio import LabelStudioClient, Project
from ls_active.mirror import Annotation, Mirror, TaskState
from ls_active.values import Unreadable, digest_of, text_of

logger = logging.getLogger(__name__)

WINDOW = timedelta(seconds=120)
"""Overlap of the cursor: longer than any transaction that stamps rows before it commits."""

SWEEP_EVERY = 86_400.0
"""Seconds between sweeps that nothing asked for."""

SWEEP_AGAIN_AFTER = 30.0
"""Seconds between sweeps because the counts disagree: annotators at work make them differ."""

BISECT_DOWN_TO = 1_000
"""Tasks in an id range that is listed rather than halved again."""

STATE = ("id", "updated_at", "is_labeled", "total_annotations", "cancelled_annotations")


@dataclass(frozen=True)
class SyncReport:
    """What one sync found: tasks added, changed in any way, annotated, removed.

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


@dataclass(frozen=True)
class Reading:
    """What of a task is learned: fields of its data, and result types of its annotations."""

    fields: tuple[str, ...]
    featurizer: Featurizer
    region_types: frozenset[str]


class Sync:
    """One pass over one project.

    Parameters
    ----------
    client : LabelStudioClient
    mirror : Mirror
    project_id : int
    reading : Reading
    check : callable
        Called between pages; raises when this worker must stop.
    progress : callable
        Told ``(tasks read, tasks in all)`` during a long read.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        mirror: Mirror,
        project_id: int,
        reading: Reading,
        *,
        check: Callable[[], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self._client = client
        self._mirror = mirror
        self._project_id = project_id
        self._reading = reading
        self._check = check
        self._progress = progress

    def run(self) -> SyncReport:
        """Read what changed, then make the counts agree."""
        if self._mirror.note("cursor") is None:
            self._full()
        report = self._delta()
        project = self._client.project(self._project_id)
        rules = f"{project.maximum_annotations}:{project.skip_queue}"
        if self._must_sweep(rules):
            report += self._sweep()
            self._mirror.set_note("rules", rules)
            project = self._client.project(self._project_id)
        return report + self._mend_counts(project)

    # Everything, once

    def _full(self) -> None:
        mirror = self._mirror
        pages = self._pages("task_only", (*STATE, "data"), after_id=int(mirror.note("full") or 0))
        if mirror.note("full_started") is None:
            mirror.set_note("full_started", pages.clock.isoformat())
        done, total = mirror.counts()[0], mirror.counts()[0] + pages.total
        for page in pages:
            self._check()
            with mirror.transaction():
                mirror.put_states(map(_state, page))
                self._featurize(page)
                mirror.set_note("full", str(page[-1]["id"]))
            done += len(page)
            self._progress(done, total)
        for condition in (query.with_annotations(), query.with_skips()):
            self._read_annotations(self._pages("all", ("id", "annotations"), condition))
        with mirror.transaction():
            mirror.set_note("cursor", mirror.note("full_started"))
            mirror.set_note("swept_at", str(time.time()))

    # What changed

    def _delta(self) -> SyncReport:
        since = datetime.fromisoformat(self._mirror.note("cursor") or "") - WINDOW
        include = (*STATE, "annotations")
        pages = self._pages("all", include, query.updated_after(since))
        report = SyncReport()
        moved: list[int] = []
        for page in pages:
            self._check()
            with self._mirror.transaction():
                report += self._take(page, moved)
        self._read_data(moved)
        self._mirror.set_note("cursor", pages.clock.isoformat())
        return report

    def _take(self, page: list[query.Task], moved: list[int]) -> SyncReport:
        """Store the rows of a page that are news; add those whose data may have to `moved`."""
        known = self._mirror.states(page[0]["id"], page[-1]["id"])
        fresh = [task for task in page if known.get(task["id"]) != _state(task)]
        self._mirror.put_states(map(_state, fresh))
        for task in fresh:
            self._mirror.put_annotations(task["id"], self._annotations(task))
            if not _explained(task, known.get(task["id"])):
                moved.append(task["id"])
        added = sum(task["id"] not in known for task in fresh)
        annotated = sum(_counts(_state(task)) != _counts(known.get(task["id"])) for task in fresh)
        return SyncReport(added=added, changed=len(fresh) - added, annotated=annotated)

    def _read_data(self, ids: Iterable[int]) -> None:
        wanted = sorted({*ids, *self._mirror.pending()})
        for first, last in self._runs(wanted):
            condition = query.id_between(first, last)
            for page in self._pages("task_only", (*STATE, "data"), condition):
                self._check()
                with self._mirror.transaction():
                    self._featurize(page)

    def _featurize(self, page: list[query.Task]) -> None:
        known = self._mirror.digests(task["id"] for task in page)
        ids, digests, texts, errors = [], [], [], {}
        for task in page:
            try:
                text = text_of(task["data"], self._reading.fields)
            except Unreadable as reason:
                text, errors[task["id"]] = "", str(reason)
            digest = digest_of(text)
            if task["id"] in known and known[task["id"]] != digest:
                ids.append(task["id"])
                digests.append(digest)
                texts.append(text)
        if ids:
            X = self._reading.featurizer.transform(texts)
            self._mirror.put_features(ids, digests, X, errors)

    def _read_annotations(self, pages: Iterable[list[query.Task]]) -> None:
        for page in pages:
            self._check()
            with self._mirror.transaction():
                for task in page:
                    self._mirror.put_annotations(task["id"], self._annotations(task))

    def _annotations(self, task: query.Task) -> Iterator[Annotation]:
        for raw in task["annotations"]:
            yield Annotation(
                id=raw["id"],
                task=task["id"],
                annotator=raw.get("completed_by"),
                result=[_cut(region) for region in raw["result"] or () if self._reads(region)],
                skipped=bool(raw["was_cancelled"]),
                ground_truth=bool(raw["ground_truth"]),
                created_at=raw["created_at"],
                updated_at=raw["updated_at"],
                lead_time=raw.get("lead_time"),
            )

    def _reads(self, region: Any) -> bool:
        return isinstance(region, dict) and region.get("type") in self._reading.region_types

    # What the cursor did not show

    def _must_sweep(self, rules: str) -> bool:
        known = self._mirror.note("rules")
        if known is None:
            self._mirror.set_note("rules", rules)
        return known not in (None, rules) or self._since_sweep() > SWEEP_EVERY

    def _since_sweep(self) -> float:
        return time.time() - float(self._mirror.note("swept_at") or 0)

    def _mend_counts(self, project: Project) -> SyncReport:
        report = SyncReport()
        tasks, annotations = self._mirror.counts()
        if tasks != project.task_number:
            report += self._add_new() + self._find_removed()
            annotations = self._mirror.counts()[1]
        if annotations == self._expected(project):
            return report
        if self._since_sweep() < SWEEP_AGAIN_AFTER:
            return report + SyncReport(complete=False)
        report += self._sweep()
        again = self._client.project(self._project_id)
        if self._mirror.counts()[1] != self._expected(again):
            self._accept_difference(again)
        return report

    def _expected(self, project: Project) -> int:
        count = project.total_annotations_number + project.skipped_annotations_number
        return count - int(self._mirror.note("uncounted") or 0)

    def _accept_difference(self, project: Project) -> None:
        """Stop sweeping for a difference that a sweep just proved not to be in the tasks."""
        count = project.total_annotations_number + project.skipped_annotations_number
        self._mirror.set_note("uncounted", str(count - self._mirror.counts()[1]))

    def _add_new(self) -> SyncReport:
        report = SyncReport()
        for page in self._pages("all", (*STATE, "annotations"), after_id=self._mirror.last_id()):
            self._check()
            with self._mirror.transaction():
                report += self._take(page, [])
        self._read_data(())
        return report

    def _find_removed(self) -> SyncReport:
        return self._bisect(0, self._mirror.last_id())

    def _bisect(self, low: int, high: int) -> SyncReport:
        self._check()
        ours = self._mirror.count_between(low, high)
        theirs = self._client.count(self._project_id, query.id_between(low, high))
        if ours == theirs:
            return SyncReport()
        if max(ours, theirs) <= BISECT_DOWN_TO or low == high:
            return self._compare(low, high)
        middle = int(np.median(list(self._mirror.states(low, high)) or [(low + high) // 2]))
        middle = min(max(middle, low), high - 1)
        return self._bisect(low, middle) + self._bisect(middle + 1, high)

    def _compare(self, low: int, high: int) -> SyncReport:
        """List an id range and take over whatever differs."""
        known = self._mirror.states(low, high)
        seen: set[int] = set()
        stale: list[int] = []
        for page in self._pages("task_only", STATE, query.id_between(low, high)):
            self._check()
            seen.update(task["id"] for task in page)
            stale.extend(task["id"] for task in page if known.get(task["id"]) != _state(task))
        removed = known.keys() - seen
        with self._mirror.transaction():
            self._mirror.remove(removed)
        report = SyncReport(removed=len(removed))
        for first, last in self._runs(stale):
            moved: list[int] = []
            for page in self._pages("all", (*STATE, "annotations"), query.id_between(first, last)):
                with self._mirror.transaction():
                    report += self._take(page, moved)
            self._read_data(moved)
        return report

    def _sweep(self) -> SyncReport:
        logger.info("project %s: comparing the state of every task", self._project_id)
        high = self._mirror.last_id()
        report = self._compare(0, high) + self._add_new()
        self._mirror.set_note("swept_at", str(time.time()))
        return report

    def _runs(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Return id ranges that hold all `ids` and no other task we know."""
        if not ids:
            return []
        known = sorted({*self._mirror.states(ids[0], ids[-1]), *ids})
        place = {task: position for position, task in enumerate(known)}
        breaks = [(a, b) for a, b in pairwise(ids) if place[b] - place[a] > 1]
        starts = [ids[0], *(b for _, b in breaks)]
        ends = [*(a for a, _ in breaks), ids[-1]]
        return list(zip(starts, ends, strict=True))

    def _pages(
        self,
        fields: Literal["task_only", "all"],
        include: tuple[str, ...],
        *filters: query.Filter,
        after_id: int = 0,
    ) -> query.TaskPages:
        return self._client.tasks(
            self._project_id, filters=filters, include=include, fields=fields, after_id=after_id
        )


def _state(task: query.Task) -> TaskState:
    return TaskState(
        id=task["id"],
        updated_at=task["updated_at"],
        is_labeled=bool(task["is_labeled"]),
        annotations=task["total_annotations"],
        skips=task["cancelled_annotations"],
    )


def _counts(state: TaskState | None) -> tuple[int, int]:
    return (state.annotations, state.skips) if state else (0, 0)


def _explained(task: query.Task, before: TaskState | None) -> bool:
    """Say whether annotations alone account for a new `updated_at`; else the data may be new."""
    if before is None:
        return False
    if _counts(before) != _counts(_state(task)):
        return True
    touched = _moment(task["updated_at"]) - timedelta(seconds=1)
    return any(_moment(raw["updated_at"]) >= touched for raw in task["annotations"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _cut(region: dict[str, Any]) -> dict[str, Any]:
    return {key: region.get(key) for key in ("from_name", "to_name", "type", "value")}
