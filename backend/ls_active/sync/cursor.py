"""Bring the mirror level with Label Studio: everything once, then only what changed.

The cursor is Label Studio's own clock. `updated_at` deceives now and then (bulk deletes are
announced before they are stamped, some changes are never stamped), so the window overlaps, and
`recount` compares the counts after each pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from ls_active.label_studio import query
from ls_active.sync.reader import Reader, SyncReport
from ls_active.sync.recount import Recount

WINDOW = timedelta(seconds=180)
"""Overlap of a wide look, which is at most a minute after the last: two minutes for transactions
that stamp rows long before they commit."""

NARROW_WINDOW = timedelta(seconds=10)
"""Overlap between two wide looks: else an import would be listed again at every label."""

WIDE_EVERY = 30.0
"""Seconds between wide looks."""

FEW = 100
"""Changed tasks whose data is read along with their annotations: an annotation may hide an edit."""


class Sync:
    """One pass over one project.

    Parameters
    ----------
    reader : Reader
    progress : callable
        Told ``(tasks read, tasks in all)`` during a long read.
    """

    def __init__(self, reader: Reader, progress: Callable[[int, int], None]) -> None:
        self._reader = reader
        self._mirror = reader.mirror
        self._progress = progress

    def run(self) -> SyncReport:
        """Read what changed, make the counts agree, then read the data that is new."""
        if self._mirror.note("cursor") is None:
            self._full()
        report = self._delta() + Recount(self._reader).run()
        self._reader.read_data()
        return report

    def _full(self) -> None:
        """Read every task; a killed one goes on after the last page it stored."""
        mirror = self._mirror
        pages = self._reader.pages(include=("data",), after_id=int(mirror.note("full") or 0))
        if mirror.note("full_started") is None:
            mirror.set_note("full_started", pages.clock.isoformat())
        done, total = mirror.counts()[0], mirror.counts()[0] + pages.total
        for page in pages:
            self._reader.store(page)
            done += len(page)
            self._progress(done, total)
        for condition in (query.with_annotations(), query.with_skips()):
            for page in self._reader.with_annotations(condition):
                self._reader.put_annotations(page)
        with mirror.transaction():
            mirror.set_note("cursor", mirror.note("full_started"))
            mirror.set_note("swept_at", str(time.time()))

    def _delta(self) -> SyncReport:
        """Look at the states in the window; read annotations from the oldest change on.

        Annotations are what is slow to list, and most of the window was read before.
        """
        wide = time.time() - float(self._mirror.note("wide_at") or 0) > WIDE_EVERY
        cursor = datetime.fromisoformat(self._mirror.note("cursor") or "")
        since = cursor - (WINDOW if wide else NARROW_WINDOW)
        pages = self._reader.pages(query.updated_after(since))
        fresh = [task for page in pages for task in self._reader.fresh(page)]
        report = SyncReport()
        if fresh:
            oldest = min(datetime.fromisoformat(task["updated_at"]) for task in fresh)
            moment = query.updated_after(oldest - timedelta(microseconds=1))
            found = self._reader.with_annotations(moment, data=self._few(fresh))
            report = self._reader.take(found)
        self._mirror.set_note("cursor", pages.clock.isoformat())
        if wide:
            self._mirror.set_note("wide_at", str(time.time()))
        return report

    def _few(self, fresh: list[query.Task]) -> bool:
        """Say whether to read data along; that of new tasks is read anyway, once."""
        known = self._mirror.digests(task["id"] for task in fresh[: FEW + 1])
        return len(known) == len(fresh) <= FEW
