"""What the cursor does not show: compare counts, and look for the difference where there is one."""

from __future__ import annotations

import logging
import time

import numpy as np

from ls_active.label_studio import query
from ls_active.label_studio.client import Project
from ls_active.sync.reader import Reader, SyncReport, state_of

logger = logging.getLogger(__name__)

SWEEP_EVERY = 86_400.0
"""Seconds between sweeps that nothing asked for."""

PATIENCE = 30.0
"""Seconds for which counts of annotations may differ: while people label they always do a bit."""

READ_ALONG = 200
"""Tasks read in vain rather than asked for apart: a request costs as much."""

BISECT_DOWN_TO = 1_000
"""Tasks in an id range that is listed rather than halved again."""


class Recount:
    """Makes the mirror's counts agree with Label Studio's.

    Parameters
    ----------
    reader : Reader
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._mirror = reader.mirror

    def run(self) -> SyncReport:
        """Compare, and mend what differs."""
        project = self._reader.project()
        report = SyncReport()
        rules = f"{project.maximum_annotations}:{project.skip_queue}"
        if self._must_sweep(rules):
            report += self._sweep()
            project = self._reader.project()
        self._mirror.set_note("rules", rules)
        if self._mirror.counts()[0] != project.task_number:
            report += self._add_new() + self._bisect(0, self._mirror.last_id())
        return report + self._check_annotations(project)

    def _must_sweep(self, rules: str) -> bool:
        """Daily, and when overlap or skip rules changed: that never moves `updated_at`."""
        swept_at = float(self._mirror.note("swept_at") or 0)
        changed = self._mirror.note("rules") not in (None, rules)
        return changed or time.time() - swept_at > SWEEP_EVERY

    def _check_annotations(self, project: Project) -> SyncReport:
        if self._agrees(project):
            self._mirror.set_note("differs_since", None)
            return SyncReport()
        since = self._mirror.note("differs_since")
        if since is None or time.time() - float(since) < PATIENCE:
            self._mirror.set_note("differs_since", since or str(time.time()))
            return SyncReport(complete=False)
        report = self._sweep()
        self._mirror.set_note("differs_since", None)
        if not self._agrees(self._reader.project()):
            self._read_all_annotations()
            self._accept_difference(self._reader.project())
        return report

    def _agrees(self, project: Project) -> bool:
        theirs = project.total_annotations_number + project.skipped_annotations_number
        uncounted = int(self._mirror.note("uncounted") or 0)
        return self._mirror.counts()[1] == theirs - uncounted

    def _read_all_annotations(self) -> None:
        """Read them of every task: Label Studio's counters of a task may be wrong for good."""
        logger.info("reading the annotations of every task")
        for page in self._reader.with_annotations():
            self._reader.put_annotations(page)

    def _accept_difference(self, project: Project) -> None:
        """Stop sweeping for a difference that a sweep just proved not to be in the tasks."""
        theirs = project.total_annotations_number + project.skipped_annotations_number
        self._mirror.set_note("uncounted", str(theirs - self._mirror.counts()[1]))

    def _add_new(self) -> SyncReport:
        return self._reader.take(self._reader.with_annotations(after_id=self._mirror.last_id()))

    def _bisect(self, low: int, high: int) -> SyncReport:
        """Find the id ranges whose counts differ, down to what is quickly listed."""
        ours, theirs = self._mirror.count_between(low, high), self._reader.count(low, high)
        if ours == theirs:
            return SyncReport()
        if max(ours, theirs) <= BISECT_DOWN_TO or low == high:
            return self._compare(low, high)
        known = list(self._mirror.states(low, high)) or [(low + high) // 2]
        middle = min(max(int(np.median(known)), low), high - 1)
        return self._bisect(low, middle) + self._bisect(middle + 1, high)

    def _compare(self, low: int, high: int) -> SyncReport:
        """List the states of an id range and take over whatever differs."""
        known = self._mirror.states(low, high)
        seen: set[int] = set()
        stale: list[int] = []
        for page in self._reader.pages(query.id_between(low, high)):
            seen.update(task["id"] for task in page)
            stale += [task["id"] for task in page if known.get(task["id"]) != state_of(task)]
        with self._mirror.transaction():
            self._mirror.remove(known.keys() - seen)
        report = SyncReport(removed=len(known.keys() - seen))
        for first, last in self._reader.runs(stale, gap=READ_ALONG):
            report += self._reader.take(
                self._reader.with_annotations(query.id_between(first, last))
            )
        return report

    def _sweep(self) -> SyncReport:
        logger.info("comparing the state of every task")
        report = self._compare(0, self._mirror.last_id()) + self._add_new()
        self._mirror.set_note("swept_at", str(time.time()))
        return report
