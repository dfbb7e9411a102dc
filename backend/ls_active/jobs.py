"""RQ entry points, and what a job does around `converge`.

Only the public functions of this module may be run by a worker. They take JSON, and everything
they need to know besides is read from the store and from Label Studio.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from active_learning.errors import ActiveLearningError
from ls_active.engine.lock import Lock
from ls_active.errors import BackendError, LockLost, NotFoundInLabelStudio, StoreError
from ls_active.job_desk import JobDesk
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.loop.adoption import Adoption
from ls_active.loop.converge import Result, converge
from ls_active.loop.models import ModelShelf
from ls_active.project import Connection, ProjectStatus, State
from ls_active.settings import get_settings
from ls_active.values import digest_of
from ls_active.workshop import Workshop, connect

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
"""Seconds between two looks at a project's backends that /setup asks for: a look makes Label Studio
call /setup, and with two rows of ours each of them is news to the other."""

LOCK_WAIT = 120.0
"""Seconds that a job which must have the project waits for the one that holds it."""


def refit(uid: str) -> None:
    """Bring a project to where it should be; any number of hints lead to one run."""
    desk = _desk()
    desk.coalescer.serve(uid, _Run(desk, uid).work)


def pin(uid: str, version: int | None) -> None:
    """Hold a project at a version and publish it anew, or let it go on."""
    desk = _desk()
    ModelShelf(desk.store, uid).pin(version)
    desk.hint_now(uid)


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


@cache
def _desk() -> JobDesk:
    return JobDesk(get_settings(), patient=True)


class _Run:
    """One job over one project: what is wished, what went wrong, when to look again."""

    def __init__(self, desk: JobDesk, uid: str) -> None:
        self._desk = desk
        self._redis = desk.redis
        self._uid = uid

    def work(self, lock: Lock) -> None:
        """Converge, say what went wrong if it did, and see to the next run."""
        force = self._desk.coalescer.forced(self._uid)
        known = Connection.load(self._desk.store, self._uid) or Connection(self._uid, active=False)
        look = self._wish_to_look(known)
        if look and not known.active:
            own_url = look.partition(" ")[2]
            known.renewed(own_url=own_url, connected_at=time.time()).save(self._desk.store)
        try:
            result = self._converge(lock, force=bool(force), look=bool(look))
        except LockLost:
            raise
        except (BackendError, ActiveLearningError) as error:
            self._fail(str(error))
            return
        except Exception:
            # A bug: running it again at once would not help, and the back-off sees to it later.
            logger.exception("project %s", self._uid)
            self._fail("an unexpected error; the worker's log has it whole")
            return
        if force:
            self._desk.coalescer.clear_force(self._uid, force)
        self._redis.delete(self._key("failures"))
        if look and self._desk.get(self._key("look")) == look:
            # One that was noted meanwhile stays, for the next run.
            self._redis.delete(self._key("look"))
        self._see_to_the_next(result)

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

    @contextmanager
    def held(self) -> Iterator[Lock]:
        """Hold the project, waiting for a job that does.

        Raises
        ------
        LockLost
            If that takes longer than two minutes.
        """
        give_up = time.monotonic() + LOCK_WAIT
        while time.monotonic() < give_up:
            with self._desk.coalescer.lock(self._uid) as lock:
                if lock is not None:
                    yield lock
                    return
            time.sleep(0.2)
        raise LockLost(f"project {self._uid} was busy for {LOCK_WAIT:g} s; try again")

    def let_go(self, lock: Lock) -> None:
        """Disconnect the project while holding it."""
        connection = Connection.load(self._desk.store, self._uid)
        if connection is None:
            return
        with connect(self._desk.settings) as client:
            shop = Workshop(self._uid, self._desk.settings, self._desk.store, client, lock.check)
            adoption = Adoption(shop, connection)
            project = _find(client, connection)
            if project is not None:
                adoption.disconnect(project)
                shop.say(State.DISCONNECTED, "sampling and model version are what they were")
            else:
                connection.but(active=False, adopted=False).save(self._desk.store)
                shop.say(State.DISCONNECTED, "it is gone from Label Studio, with all that was ours")
        self._redis.delete(self._key("setup"), self._key("look"))

    def mend(self, lock: Lock) -> None:
        """Mend the webhook while holding the project; the run after it puts back the rest."""
        connection = Connection.load(self._desk.store, self._uid)
        if connection is None or not connection.active:
            return
        with connect(self._desk.settings) as client:
            shop = Workshop(self._uid, self._desk.settings, self._desk.store, client, lock.check)
            adoption = Adoption(shop, connection)
            if _find(client, connection) is not None:
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
            )
            if asked:
                shop.clock.seconds["wait"] = round(max(time.time() - float(asked), 0.0), 4)
            result = converge(shop, force=force, look=look)
            return replace(result, asked_at=float(asked or time.time()))

    def _fail(self, why: str) -> None:
        failures = self._redis.incr(self._key("failures"))
        seconds = min(RETRY_FIRST * 2 ** min(failures - 1, 10), RETRY_MOST)
        logger.warning("project %s: %s; trying again in %g s", self._uid, why, seconds)
        self._desk.coalescer.hint_later(self._uid, seconds)
        try:
            status = ProjectStatus.load(self._desk.store, self._uid)
            status.now(State.FAILING, why, f"tried again in {seconds:g} s").save(self._desk.store)
        except StoreError as error:
            logger.warning("project %s: its status stays as it was: %s", self._uid, error)

    def _see_to_the_next(self, result: Result) -> None:
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

    def _key(self, name: str) -> str:
        return f"al:{self._uid}:{name}"


def _find(client: LabelStudioClient, connection: Connection) -> Project | None:
    """Return the project that was connected, None if it is gone or its id is another's now."""
    try:
        project = client.project(connection.project_id)
    except NotFoundInLabelStudio:
        return None
    return project if project.uid == connection.uid else None
