"""Bring one project to where it should be: sync, fit, publish, evaluate, prune.

Every step looks at what is there and does what is missing. So the whole may be killed at any line
and run again, and a run with nothing to do costs four small reads.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from active_learning import loop
from active_learning.outcomes import Queue
from ls_active.errors import LabelStudioRejected
from ls_active.loop import agenda, dataset
from ls_active.loop.appraisal import Appraisal
from ls_active.loop.asked_since import asked_since
from ls_active.loop.audit_books import AuditBooks
from ls_active.loop.dataset import Dataset
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf, ModelVersion
from ls_active.loop.outcome import Outcome
from ls_active.loop.publication import Publisher, items
from ls_active.loop.subject import Subject
from ls_active.loop.workshop import Workshop
from ls_active.records.project import Connection, ProjectStatus
from ls_active.sync.reader import SyncReport

logger = logging.getLogger(__name__)

KEPT_PUBLICATIONS = 5
"""Older publications that may wait for an idle moment to be deleted."""

IDLE_PRUNES = 3
"""Publications deleted in one idle run: each makes annotators wait for the better part of 1 s."""

PUBLISH_TRIES = 3


class Refit:
    """One run over one connected project.

    Parameters
    ----------
    shop : Workshop
    connection : Connection
        Active, and adopted.
    subject : Subject
    force : bool
        Fit a new version whatever changed, and at once.
    """

    def __init__(
        self, shop: Workshop, connection: Connection, subject: Subject, *, force: bool
    ) -> None:
        self.connection = connection
        self._shop = shop
        self._subject = subject
        self._mirror = subject.mirror
        self._force = force
        self._options, _ = connection.options(shop.settings.options)
        self._shelf = ModelShelf(shop.store, shop.uid)
        self._books = AuditBooks(shop.store, subject.mirror, shop.uid)
        self._publisher = Publisher(shop)
        self._appraisal = Appraisal(shop.store, shop.uid)
        self._gate = Gate(shop.store, shop.uid)

    def run(self) -> Outcome:
        """Do whatever is missing."""
        first = self._mirror.note("cursor") is None
        with self._shop.clock.stage("first sync" if first else "sync"):
            report = self._subject.sync.run()
            data = self._load()
        if self._options.gate != "on":
            self._gate.open()
        record = self._last_record()
        self._count_what_was_resolved(data)
        newest = self._newest_manifest()
        fit = agenda.need_fit(data, newest, self._options, force=self._force)
        current = self._shelf.answering(self._subject.plan)
        publish = self._need_publication(data, record, current)
        left = max(self._publication_waits(record), self._fit_waits(newest) if fit else 0.0)
        if left > 0 and not (fit.urgent or publish.urgent):
            self._prune(record)
            return self._outcome(data, current, record, report, left if fit or publish else None)
        if fit:
            current = self._fit(data, fit.why) or current
        if fit or self._waits_for_judgement(current):
            current = self._judged(data, current)
            self._shelf.prune(self._options.keep_models)
            publish = self._need_publication(data, record, current)
        if publish:
            data, record = self._publish(data, current, record, publish.why)
        self._evaluate(data, current)
        self._prune(record)
        outcome = self._outcome(data, current, record, report, None)
        return replace(outcome, published=record["name"] if record and publish else "")

    def _outcome(
        self,
        data: Dataset,
        current: ModelVersion | None,
        record: Mapping[str, Any] | None,
        report: SyncReport,
        again_in: float | None,
    ) -> Outcome:
        return Outcome(
            data=data,
            version=current,
            record=record,
            report=report,
            again_in=again_in,
            pinned=self._shelf.pinned,
            evaluation=self._appraisal.of(current.number) if current else None,
            gate=self._gate.words(current.number if current else 0, self._options.gate),
            unreadable=self._shelf.current() is None,
        )

    # What is there

    def _load(self) -> Dataset:
        names = [head.name for head in self._subject.plan.heads]
        return dataset.load(
            self._mirror,
            self._subject.plan,
            self._subject.inputs,
            uid=self._shop.uid,
            seed=self._options.seed,
            skip_queue=self._subject.project.skip_queue,
            since=asked_since(self._shop.store, self._shop.uid, names),
        )

    def _count_what_was_resolved(self, data: Dataset) -> None:
        """Once a connection: tasks done before the first queue are not in the audit's debt."""
        if self.connection.resolved_at_start is None:
            resolved = int(np.count_nonzero(data.pool.resolved))
            self.connection = self.connection.but(
                resolved_at_start=resolved, audits_at_start=self._books.resolved(data.pool)
            )
            self.connection.save(self._shop.store)

    def _last_record(self) -> Mapping[str, Any] | None:
        """Return the last publication, if it was since adopting."""
        record = self._books.read_records()
        if record is None or record["published_at"] < self.connection.adopted_at:
            return None
        return record

    def _newest_manifest(self) -> Mapping[str, Any] | None:
        """Return what the newest version was made from; None if it is of no use any more."""
        newest = self._shelf.newest()
        if newest is None or newest.manifest["features"] != self._subject.plan.feature_key:
            return None
        return newest.manifest

    def _publication_waits(self, record: Mapping[str, Any] | None) -> float:
        return agenda.pause_left(record, self._options, now=time.time(), timings=self._timings())

    def _fit_waits(self, newest: Mapping[str, Any] | None) -> float:
        """Return the seconds to the next fit; a version that is not served is not published."""
        if newest is None:
            return 0.0
        pause = agenda.pause(self._options, self._timings())
        return agenda.left_of(pause, float(newest["created_at"]), time.time())

    def _timings(self) -> Mapping[str, float]:
        return ProjectStatus.load(self._shop.store, self._shop.uid).timings

    def _need_publication(
        self, data: Dataset, record: Mapping[str, Any] | None, current: ModelVersion | None
    ) -> agenda.Need:
        if self._subject.contested:
            return agenda.Need()
        standing = agenda.Standing(
            version=current.number if current else 0,
            in_force=self._subject.project.model_version,
            config=self._subject.config.digest,
            last_id=self._mirror.last_id(),
        )
        return agenda.need_publication(data, record, self._options, standing)

    # What is missing

    def _fit(self, data: Dataset, why: str) -> ModelVersion | None:
        """Fit and save a version; return the one in force, which a pin may keep an older one."""
        self._shop.check()
        with self._shop.clock.stage("fit"):
            version = self._shelf.fit(
                data, self._subject.plan, self._options.seed, self._options.strategy
            )
        logger.info(
            "project %s: fitted al-%d on %d labels (%s)",
            self._shop.uid, version.number, data.labels, why,
        )  # fmt: skip
        return self._shelf.answering(self._subject.plan) if self._shelf.pinned else version

    def _waits_for_judgement(self, current: ModelVersion | None) -> bool:
        """Whether the gate has to look at a version first; also at one of a run that was killed."""
        if self._options.gate != "on" or self._shelf.pinned or current is None:
            return False
        return not self._gate.passed(current.number, self._appraisal.of(current.number))

    def _judged(self, data: Dataset, current: ModelVersion | None) -> ModelVersion | None:
        """Return the version to serve: the one before where the gate holds this one back."""
        if current is None or not self._waits_for_judgement(current):
            return current
        self._evaluate(data, current)
        if not self._gate.holds(current.number, self._appraisal.of(current.number)):
            return current
        before = self._shelf.answering(self._subject.plan)
        if before is None:
            # What it was compared with cannot answer what is asked today.
            self._gate.release(current.number)
        return before or current

    def _publish(
        self,
        data: Dataset,
        current: ModelVersion | None,
        record: Mapping[str, Any] | None,
        why: str,
    ) -> tuple[Dataset, Mapping[str, Any]]:
        self._mirror.set_note("stale", "yes")
        for tries_left in reversed(range(PUBLISH_TRIES)):
            with self._shop.clock.stage("score"):
                queue = self._rank(data, current, record)
            content = items(
                queue,
                self._subject.plan,
                prelabels=self._options.prelabels,
                useful=current.useful if current else (),
                layout=self._mirror.layout,
            )
            try:
                published = self._publisher.publish(
                    current.number if current else 0,
                    content,
                    self._subject.config,
                    why=why,
                    last_id=self._mirror.last_id(),
                    labels=data.labels,
                    strategy=self._options.strategy,
                    asks=str(queue.choice),
                    provisional=False,
                )
            except LabelStudioRejected:
                if not tries_left:
                    raise
                # One unknown task refuses them all: somebody deleted it while we worked.
                with self._shop.clock.stage("sync"):
                    self._subject.sync.run()
                    data = self._load()
            else:
                return data, published
        raise AssertionError("the last try returns or raises")

    def _rank(
        self, data: Dataset, current: ModelVersion | None, record: Mapping[str, Any] | None
    ) -> Queue:
        resolved = int(np.count_nonzero(data.pool.resolved))
        pause = agenda.pause(self._options, self._timings())
        return loop.rank(
            data.pools,
            current.models if current else [None] * len(data.pools),
            strategy=self._options.strategy,
            k=agenda.head_size(data, record, self._options, now=time.time(), pause=pause),
            audit_share=self._options.audit_share,
            seed=self._options.seed,
            n_resolved=max(resolved - (self.connection.resolved_at_start or 0), 0),
            audit_resolved=max(
                self._books.resolved(data.pool) - self.connection.audits_at_start, 0
            ),
        )

    def _evaluate(self, data: Dataset, current: ModelVersion | None) -> None:
        """Record the honest estimate of a version that was fitted on exactly these labels."""
        if current is None or current.manifest["labels_digest"] != data.digest:
            return
        self._shop.check()
        with self._shop.clock.stage("evaluate"):
            self._appraisal.make(current, data, self._options.seed, self._books.held())

    def _prune(self, record: Mapping[str, Any] | None) -> None:
        if record is None or self._mirror.note("stale") is None:
            return
        with self._shop.clock.stage("prune"):
            stale = self._publisher.stale(record["publication"])
            limit = IDLE_PRUNES if self._shop.idle() else max(len(stale) - KEPT_PUBLICATIONS, 0)
            pruned = self._publisher.prune(record["name"], stale[:limit], self.connection.titles)
        if pruned and len(stale) <= limit:
            self._mirror.set_note("stale", None)
            self._books.sum_up()
            self._shop.store.sweep(self._shop.uid)
