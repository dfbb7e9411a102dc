"""The desk where everybody who wants a job asks for one."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import replace
from typing import cast

import redis
from redis.exceptions import RedisError

from ls_active import options
from ls_active.digests import digest_of
from ls_active.engine import worker
from ls_active.engine.coalesce import Coalescer
from ls_active.engine.figures import QueueFigures
from ls_active.engine.queue_errors import queue_errors
from ls_active.engine.rest import Rest
from ls_active.engine.running import JobInHand, ended_well, jobs_in_hand, last_words
from ls_active.engine.wishes import Wishes
from ls_active.errors import (
    BackendError,
    BadLabelConfig,
    LabelStudioUnauthorized,
    NotConfigured,
    NoWorkingKey,
    StoreError,
)
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop.workshop import connect
from ls_active.options import RawOptions
from ls_active.records.project import Connection
from ls_active.records.secret import api_key, drop_setup_token, keep_setup_token, webhook_secret
from ls_active.records.store import Store
from ls_active.schemas import ACTIONS, Action, SetupRequest, WebhookEvent
from ls_active.service import Service
from ls_active.settings import Settings

logger = logging.getLogger(__name__)

ADOPT_AFTER = 1.0
"""Seconds from /setup to adopting: Label Studio writes the backend's row only after it."""

NOTED_SECONDS = 86_400
"""How long a /setup counts as noted: names that nobody connects are forgotten."""

STAGE = "stage"
"""Of a project's key: what its job does just now, as JSON."""

PROBE_AFTER = 5.0
"""Seconds from a hint to a second look: bulk deletes are announced before they are stamped."""

PATIENCE = 10.0
"""Seconds that a job waits for Redis: from a machine that vanished nothing ever comes."""


class JobDesk:
    """Everything that leads to a job. Knows Redis and the store; only `probe` asks Label Studio.

    Parameters
    ----------
    settings : Settings
    patient : bool
        Wait for a slow Redis as jobs may; the web may not, and gives up within half a second.

    Notes
    -----
    Methods raise QueueDown where Redis does not answer, but `get` and `probe`: RedisError.
    """

    def __init__(self, settings: Settings, *, patient: bool = False) -> None:
        self.settings = settings
        self.store = Store(settings.data_dir)
        self._service = Service(settings)
        self._trouble = ""
        url = settings.redis_url.get_secret_value()
        if not url:
            raise NotConfigured("REDIS_URL is not set; `ls-active serve` brings its own server")
        limit = PATIENCE if patient else 0.3
        self.redis = redis.Redis.from_url(url, socket_connect_timeout=limit, socket_timeout=limit)
        self.queue = worker.make_queue(self.redis)
        self.coalescer = Coalescer(self.redis, self._enqueue_refit)
        self.rest = Rest(self.redis)
        self.wishes = Wishes(self.redis)

    # What the web asks

    def setup(self, request: SetupRequest, own_url: str) -> str:
        """Note a connection that is new or changed; return the model version to answer with.

        Raises
        ------
        BadLabelConfig, BadOptions, NoWorkingKey
            On a new connection that could not work: Label Studio shows its admin a failure.
        """
        uid = request.project
        keep_setup_token(self.settings, request.access_token.get_secret_value(), request.hostname)
        parts = (request.label_config, request.extra_params, request.hostname, own_url)
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        try:
            # Unknown still: a first look that was noted may have been lost on its way.
            if self.get(f"al:{uid}:setup") != digest or not self.knows(uid):
                self._admit(request)
                self._note_setup(uid, digest, own_url)
        except RedisError as error:
            # The answer is needed by annotators now; the same /setup comes again and again.
            logger.warning("project %s: /setup not noted, Redis does not answer: %s", uid, error)
        return self._service.model_version(uid)

    def hint(self, event: WebhookEvent) -> bool:
        """Note that something changed; False if nothing did that matters."""
        uid = event.uid
        if uid is None or event.action not in ACTIONS:
            return False
        with queue_errors():
            if event.action == Action.PROJECT_UPDATED and self._knows_config(event):
                return False
            self.redis.set(f"al:{uid}:heard", time.time(), ex=86_400)
            if event.action == Action.PROJECT_UPDATED:
                self.hint_now(uid)
            else:
                self._hint(uid)
            self.coalescer.hint_later(uid, PROBE_AFTER)
        return True

    def start_training(self, uid: str) -> str:
        """Ask for a new version at once; return the id of the job that will make it."""
        return self.ask_version(uid)[1]

    def ask_version(self, uid: str) -> tuple[str, str]:
        """Ask for a new version at once; return the ids of the request and of its job."""
        with queue_errors():
            return self.coalescer.force(uid), self.hint_now(uid)

    def hint_now(self, uid: str) -> str:
        """Ask for a run over a project, also if it rests; return its job's id."""
        with queue_errors():
            self.rest.wake(uid)
            return self._hint(uid)

    def webhook_secret(self, uid: str) -> str:
        """Return what the project's webhook carries."""
        return webhook_secret(self.settings, uid)

    def knows(self, uid: str) -> bool:
        """Return whether the project was ever connected here."""
        return Connection.load(self.store, uid) is not None

    def figures(self) -> QueueFigures:
        """Return the state of the queue."""
        with queue_errors():
            return QueueFigures(
                queued=self.queue.count,
                running=len(self.queue.started_job_registry),
                failed=len(self.queue.failed_job_registry),
                workers=worker.worker_count(self.redis),
            )

    # What the command line and the page ask

    def poll(self, uid: str, extra_params: RawOptions = None) -> None:
        """Carry the loop of a project without a backend row in Label Studio."""
        self.ask("poll", uid, json.dumps(extra_params))

    def ask(self, function: str, *arguments: str | int | None) -> str:
        """Enqueue an entry point by its bare name; return the job's id."""
        with queue_errors():
            return worker.enqueue(self.queue, function, *arguments)

    def is_done(self, job_id: str) -> bool:
        """Return whether a job came to a good end, as far as is known: for a minute."""
        with queue_errors():
            return ended_well(self.queue.fetch_job(job_id))

    def is_forgotten(self, job_id: str) -> bool:
        """Return whether nothing is known of a job: it ended well a while ago, or was lost."""
        with queue_errors():
            return self.queue.fetch_job(job_id) is None

    def failure(self, job_id: str) -> str:
        """Return the last words of a job that failed for good; empty of any other."""
        with queue_errors():
            return last_words(self.queue.fetch_job(job_id))

    def in_hand(self) -> list[JobInHand]:
        """Return the jobs that run or wait, with what each does just now."""
        with queue_errors():
            return [self._with_stage(job) for job in jobs_in_hand(self.queue)]

    def _with_stage(self, job: JobInHand) -> JobInHand:
        words = self.get(f"al:{job.uid}:{STAGE}") if job.started_at else None
        if words is None:
            return job
        said = json.loads(words)
        return replace(job, stage=said["stage"], share=said["share"])

    def trains(self, uid: str) -> str:
        """Return the id of the request for a new version that is not made yet, if there is one."""
        with queue_errors():
            return self.coalescer.forced(uid) or ""

    def is_deaf(self, uid: str) -> bool:
        """Return whether annotations came lately that no webhook told us of."""
        with queue_errors():
            return bool(self.redis.exists(f"al:{uid}:deaf"))

    def ticked(self) -> bool:
        """Return whether a timer ticked within 14 s; it ticks every 15 s."""
        with queue_errors():
            return bool(self.redis.exists("al:tick"))

    def probe(self) -> None:
        """Note for a minute or two whether our key works: /setup need not ask. Log why not."""
        trouble, away = "", False
        try:
            with connect(self.settings, timeout=3.0, retries=0) as client:
                client.check()
        except (LabelStudioUnauthorized, NotConfigured) as error:
            trouble = str(error)
            drop_setup_token(self.settings)
        except BackendError as error:
            # This says nothing about the key.
            trouble, away = str(error), True
        if trouble not in ("", self._trouble):
            logger.warning("no project can be connected: %s", trouble)
        self._trouble = trouble
        if not away:
            self.redis.set("al:probe", trouble, ex=150)

    def active_projects(self) -> list[str]:
        """Return the projects to look after."""
        return [uid for uid in self.store.projects() if self._is_in_care(uid)]

    def _is_in_care(self, uid: str) -> bool:
        """Return whether a project is connected; a damaged document costs only its own."""
        try:
            return self.is_active(uid)
        except StoreError as error:
            logger.error("%s", error)  # noqa: TRY400 - its text is all there is to say
            return False

    def _knows_config(self, event: WebhookEvent) -> bool:
        """Return whether an update is no news: mostly, it is our own that comes back."""
        assert event.project is not None  # noqa: S101 - it has a uid; tells the type checker
        return self.get(f"al:{event.uid}:config") == digest_of(event.project.label_config).hex()

    # Connecting

    def _admit(self, request: SetupRequest) -> None:
        """Refuse a new connection that could not work; a live one says so on its status."""
        if self.is_active(request.project):
            return
        self._refuse_without_head(request.label_config)
        options.parse(self.settings.options, request.extra_params)
        problem = self._key_problem()
        if problem:
            raise NoWorkingKey(problem)

    def _refuse_without_head(self, xml: str) -> None:
        if not xml.strip():
            return
        config = label_config.parse(xml)
        plan = make_plan(config)
        # Tasks may bring ready vectors, which nobody can see from here.
        if not plan.heads and not make_plan(config, 1).heads and not config.empty:
            raise BadLabelConfig(f"nothing in the label config is learned: {plan.reasons}")

    def _key_problem(self) -> str:
        if not self.settings.label_studio_url:
            return "LABEL_STUDIO_URL is not set where this backend runs"
        if not api_key(self.settings):
            return "LABEL_STUDIO_API_KEY is not set where this backend runs"
        return self.get("al:probe") or ""

    def _note_setup(self, uid: str, digest: str, own_url: str) -> None:
        # The digest last: where it stands, the look is due.
        self.redis.set(f"al:{uid}:look", f"{digest} {own_url}", ex=NOTED_SECONDS)
        self.coalescer.hint_later(uid, ADOPT_AFTER)
        self.redis.set(f"al:{uid}:setup", digest, ex=NOTED_SECONDS)

    def is_active(self, uid: str) -> bool:
        """Return whether a project is connected now."""
        connection = Connection.load(self.store, uid)
        return connection is not None and connection.active

    def _hint(self, uid: str) -> str:
        self.redis.set(f"al:{uid}:asked", time.time(), nx=True, ex=3600)
        return self.coalescer.hint(uid)

    def _enqueue_refit(self, uid: str, job_id: str) -> None:
        worker.enqueue(self.queue, "refit", uid, job_id=job_id)

    def get(self, key: str) -> str | None:
        """Return a text kept in Redis."""
        value = cast("bytes | None", self.redis.get(key))
        return None if value is None else value.decode()
