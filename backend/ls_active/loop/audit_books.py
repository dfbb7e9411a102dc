"""Which tasks were asked as audit tasks and since when, read back from the publication records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from active_learning.types import Pool, Reason
from ls_active.records.store import Store
from ls_active.sync.mirror import Mirror

HELD_AFTER = 86_400.0
"""Seconds after which an audit task that nobody answers counts as skipped."""

RECORDS_KEPT = 300
"""Publications whose records stay; twice as many, and the older ones are summed up and deleted."""

DOCUMENT = "audits"


class AuditBooks:
    """The audit tasks of one project; kept in the mirror, rebuilt from the store.

    Parameters
    ----------
    store : Store
    mirror : Mirror
    uid : str
    """

    def __init__(self, store: Store, mirror: Mirror, uid: str) -> None:
        self._store = store
        self._mirror = mirror
        self._uid = uid

    def read_records(self) -> Mapping[str, Any] | None:
        """Read the publications that are new here; return the last of all."""
        numbers = self._store.publications(self._uid)
        if numbers and numbers[0] > self._seen() + 1:
            self._read_sum()
        seen = self._seen()
        last = None
        for number in [n for n in numbers if n > seen] or numbers[-1:]:
            record = self._store.publication(self._uid, number)
            if record is not None:
                self._note(number, record)
                last = record
        return last

    def sum_up(self) -> None:
        """Keep of old publications which audit tasks they asked, and forget the rest."""
        numbers = self._store.publications(self._uid)
        if len(numbers) <= 2 * RECORDS_KEPT:
            return
        placed = [[task, when] for task, when in self._mirror.audits().items()]
        seen = self._seen()
        self._store.write(self._uid, DOCUMENT, {"seen": seen, "placed": placed})
        self._store.forget_publications(self._uid, min(numbers[-RECORDS_KEPT], seen))

    def _read_sum(self) -> None:
        """Take over what another machine, or this one before it lost its mirror, summed up."""
        known = self._store.read(self._uid, DOCUMENT)
        if known is None or known["seen"] <= self._seen():
            return
        with self._mirror.transaction():
            self._mirror.drop_audits(self._asked())
            for task, when in known["placed"]:
                self._mirror.place_audits([task], when)
            self._mirror.set_note("audits_seen", str(known["seen"]))

    def resolved(self, pool: Pool) -> int:
        """Return how many audit tasks nobody will be asked again."""
        return int(np.count_nonzero(np.isin(self._asked(), pool.ids[pool.resolved])))

    def held(self) -> list[int]:
        """Return the audit tasks that were asked more than a day ago."""
        before = time.time() - HELD_AFTER
        return [task for task, placed_at in self._mirror.audits().items() if placed_at < before]

    def _seen(self) -> int:
        """Return the number of the last publication that was read."""
        return int(self._mirror.note("audits_seen") or 0)

    def _asked(self) -> list[int]:
        return list(self._mirror.audits())

    def _note(self, number: int, record: Mapping[str, Any]) -> None:
        pairs = list(zip(record["tasks"], record["reasons"], strict=True))
        # The provisional queue is in audit order throughout, before any debt.
        audits = [] if record["provisional"] else [t for t, why in pairs if why == Reason.AUDIT]
        with self._mirror.transaction():
            # What the strategy asks now is no audit task when it is answered, whatever it was.
            self._mirror.drop_audits(t for t, why in pairs if why != Reason.AUDIT)
            self._mirror.place_audits(audits, record["published_at"])
            self._mirror.set_note("audits_seen", str(number))
