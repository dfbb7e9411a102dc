"""RQ entry points, and what a job does around `converge`.

Only the public functions of this module may be run by a worker. They take JSON, and everything
they need to know besides is read from the store and from Label Studio.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cache
from typing import Any

from redis.exceptions import RedisError

from active_learning.errors import ActiveLearningError
from ls_active import buttons
from ls_active.digests import digest_of
from ls_active.engine.lock import Lock
from ls_active.errors import BackendError, LockLost, StoreError
from ls_active.job_desk import STAGE, JobDesk
from ls_active.loop.adoption import Adoption
from ls_active.loop.converge import Result, converge
from ls_active.loop.workshop import Stopwatch, Workshop, connect, find_project
from ls_active.records.ledger import note_job
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import check_uid
from ls_active.settings import get_settings

logger = logging.getLogger(__name__)

POLL_EVERY = 5.0
RECONCILE_EVERY = 30.0

DEAF_AFTER = 30.0
"""Seconds without a webhook after which annotations that we find ourselves mean: none reach us."""

DEAF_FOR = 600
"""Seconds for which a project is polled for that."""

RETRY_FIRST, RETRY_MOST = 5.0, 300.0
"""Seconds between tries while something fails, doubling."""

LOOK_EVERY = 15
"""Seconds between two looks at a project's backends: each makes Label Studio call /setup again."""

LOCK_WAIT = 120.0
"""Seconds that a job which must have the project waits for the one that holds it."""


def refit(uid: str) -> None:
    """Bring a project to where it should be; any number of hints lead to one run."""
    desk = _desk()
    desk.coalescer.serve(uid, _Run(desk, uid).come)


def pin(uid: str, version: int | None) -> None:
    """Hold a project at a version and publish it anew, or let it go on."""
    if version is None:
        buttons.release(_desk(), uid)
    else:
        buttons.hold(_desk(), uid, version)


def poll(uid: str, extra_params: str) -> None:
    """Carry the loop of a project without a backend row in Label Studio; options as JSON."""
    run = _Run(_desk(), uid)
    with run.held() as lock:
        known = Connection.load(_desk().store, uid) or Connection(uid, active=False)
        if not known.active:
            known = known.renewed()
        known.but(extra_params=json.loads(extra_params) or known.extra_params).save(_desk().store)
        run.work(lock)


def disconnect(uid: str) -> None:
    """Give a project back as it was."""
    run = _Run(_desk(), uid)
    with run.held() as lock:
        run.let_go(lock)


def mend(uid: str) -> None:
    """Put webhook, sampling and queue right at once, whoever changed them."""
    run = _Run(_desk(), uid)
    with run.held() as lock:
        run.mend(lock)
        run.work(lock)


def resync(uid: str) -> None:
    """Read everything of a project anew, as if we had never seen it."""
    run = _Run(_desk(), uid)
    with _desk().wishes.told(uid, "resync", "every task was read anew") as told:
        with run.held() as lock:
            run.forget(lock)
            run.work(lock)
        buttons.resynced(_desk(), uid, told, run.trouble, read=run.read)


def promote(uid: str, version: int) -> None:
    """Serve a version that the gate holds back."""
    buttons.promote(_desk(), uid, version)


def tab(uid: str, kind: str) -> None:
    """Make a tab of ours in the project's Data Manager, or bring it up to date."""
    buttons.tab(_desk(), uid, kind)


@cache
def _desk() -> JobDesk:
    return JobDesk(get_settings(), patient=True)


class _Run:
    """One job over one project: what is wished, what went wrong, when to look again."""

    def __init__(self, desk: JobDesk, uid: str) -> None:
        self._desk = desk
        self._redis = desk.redis
        # Before anything: whoever plants a job names what they like, and it becomes a path.
        self._uid = check_uid(uid)
        self.trouble = ""
        self.read = False

    def come(self, lock: Lock) -> None:
        """Work, unless the last run found that what changed has to wait."""
        rest = self._desk.rest.left(self._uid)
        wished = self._desk.coalescer.forced(self._uid) or self._desk.get(self._key("look"))
        if rest and not wished:
            self._desk.coalescer.hint_later(self._uid, rest)
        else:
            self.work(lock)

    def work(self, lock: Lock) -> None:
        """Converge, say what went wrong if it did, and see to the next run."""
        force, woken = self._desk.coalescer.forced(self._uid), self._desk.rest.woken(self._uid)
        known = Connection.load(self._desk.store, self._uid) or Connection(self._uid, active=False)
        look = self._wish_to_look(known)
        if look and not known.active:
            own_url = look.partition(" ")[2]
            known.renewed(own_url=own_url, connected_at=time.time()).save(self._desk.store)
        began = time.time()
        try:
            before = max(self._desk.store.versions(self._uid), default=0)
            result = self._converge(lock, force=bool(force), look=bool(look))
            self.read = bool(result.label_config)
            why = "asked for" if force else result.why
            facts = {"publication": result.published, "timings": result.timings}
            self._note(began, asked=bool(force), why=why, **facts)
        except (LockLost, RedisError):
            # Nothing can be noted, or must be: who has the lock goes on, or the timer asks again.
            raise
        except (BackendError, ActiveLearningError) as error:
            self._fail(began, force, str(error))
            return
        except Exception:
            # A bug: running it again at once would not help, and the back-off sees to it later.
            logger.exception("project %s", self._uid)
            self._fail(began, force, "an unexpected error; the worker's log has it whole")
            return
        finally:
            with suppress(RedisError):
                self._redis.delete(self._key(STAGE))
        if force:
            # In this order: one that is killed between makes another version, and says so.
            buttons.trained(self._desk, self._uid, force, began, before)
            self._desk.coalescer.clear_force(self._uid, force)
        self._redis.delete(self._key("failures"))
        if look and self._desk.get(self._key("look")) == look:
            # One that was noted meanwhile stays, for the next run.
            self._redis.delete(self._key("look"))
        self._see_to_the_next(result, woken)

    def _wish_to_look(self, known: Connection) -> str | None:
        """Return what /setup noted; of a connected project only now and then."""
        wish = self._desk.get(self._key("look"))
        if not wish:
            return None
        first = self._redis.set(self._key("looked"), 1, nx=True, ex=LOOK_EVERY)
        if first or not known.active:
            return wish
        self._desk.coalescer.hint_later(self._uid, LOOK_EVERY)
        return None

    def held(self) -> AbstractContextManager[Lock]:
        """Hold the project, waiting for a job that does; LockLost if that takes two minutes."""
        return self._desk.coalescer.held(self._uid, LOCK_WAIT)

    def let_go(self, lock: Lock) -> None:
        """Disconnect the project while holding it."""
        connection = Connection.load(self._desk.store, self._uid)
        if connection is None:
            return
        with connect(self._desk.settings) as client:
            shop = Workshop(self._uid, self._desk.settings, self._desk.store, client, lock.check)
            Adoption(shop, connection).leave()
        self._redis.delete(self._key("setup"), self._key("look"))

    def forget(self, lock: Lock) -> None:
        """Drop what this machine knows of the project's tasks, while holding it."""
        lock.check()
        shutil.rmtree(self._desk.settings.local_dir / "mirror" / self._uid, ignore_errors=True)

    def mend(self, lock: Lock) -> None:
        """Mend the webhook while holding the project; the run after it puts back the rest."""
        connection = Connection.load(self._desk.store, self._uid)
        if connection is None or not connection.active:
            return
        with connect(self._desk.settings) as client:
            shop = Workshop(self._uid, self._desk.settings, self._desk.store, client, lock.check)
            adoption = Adoption(shop, connection)
            if find_project(client, connection.uid) is not None:
                adoption.mend_webhook()
        adoption.connection.but(contested_at=0.0).save(self._desk.store)

    def _converge(self, lock: Lock, *, force: bool, look: bool) -> Result:
        coalescer, uid = self._desk.coalescer, self._uid
        seen = coalescer.wanted(uid)
        asked = self._desk.get(self._key("asked"))
        self._redis.delete(self._key("asked"))
        with connect(self._desk.settings) as client:
            shop = Workshop(
                uid,
                self._desk.settings,
                self._desk.store,
                client,
                lock.check,
                idle=lambda: coalescer.wanted(uid) == seen,
                clock=Stopwatch(tell=self._tell),
            )
            if asked:
                shop.clock.seconds["wait"] = round(max(time.time() - float(asked), 0.0), 4)
            result = converge(shop, force=force, look=look)
            timings = dict(shop.clock.seconds)
            return replace(result, asked_at=float(asked or time.time()), timings=timings)

    def _tell(self, stage: str, share: float | None) -> None:
        """Say on the page what is being done; a long stage says so again and again."""
        words = json.dumps({"stage": stage, "share": share, "at": time.time()})
        self._redis.set(self._key(STAGE), words, ex=3600)

    def _note(self, began: float, **facts: Any) -> None:
        """Keep what the job did, for people; that it cannot be kept must not undo it."""
        try:
            note_job(self._desk.store, self._uid, began, **facts)
        except (BackendError, LookupError, AttributeError, TypeError, ValueError) as error:
            logger.warning("project %s: no line for the page: %r", self._uid, error)

    def _fail(self, began: float, force: str | None, why: str) -> None:
        self._note(began, error=why)
        self.trouble = why
        failures = self._redis.incr(self._key("failures"))
        seconds = min(RETRY_FIRST * 2 ** min(failures - 1, 10), RETRY_MOST)
        logger.warning("project %s: %s; trying again in %g s", self._uid, why, seconds)
        self._desk.coalescer.hint_later(self._uid, seconds)
        try:
            status = ProjectStatus.load(self._desk.store, self._uid)
            status.now(State.FAILING, why, f"tried again in {seconds:g} s").save(self._desk.store)
        except StoreError as error:
            logger.warning("project %s: its status stays as it was: %s", self._uid, error)
        if force:
            buttons.failed(self._desk, self._uid, force, began, why)

    def _see_to_the_next(self, result: Result, woken: Any) -> None:
        """See to the next look: soon where only looking tells us of annotations."""
        if result.left:
            self._redis.delete(self._key("setup"))
        connection = Connection.load(self._desk.store, self._uid)
        if connection is None or not connection.active:
            return
        silent = time.time() - float(self._desk.get(self._key("heard")) or 0) > DEAF_AFTER
        if not silent:
            self._redis.delete(self._key("deaf"))
        elif result.annotated:
            self._redis.set(self._key("deaf"), 1, ex=DEAF_FOR)
        if result.label_config:
            digest = digest_of(result.label_config).hex()
            self._redis.set(self._key("config"), digest, ex=86_400)
        polls = connection.polling or self._redis.exists(self._key("deaf"))
        self._desk.coalescer.hint_later(self._uid, POLL_EVERY if polls else RECONCILE_EVERY)
        if result.again_in is not None:
            # What was asked for still waits, and since then.
            self._redis.set(self._key("asked"), result.asked_at, nx=True, ex=3600)
            self._desk.coalescer.hint_later(self._uid, result.again_in)
        if result.pause:
            self._desk.rest.begin(self._uid, result.pause, woken)

    def _key(self, name: str) -> str:
        return f"al:{self._uid}:{name}"
