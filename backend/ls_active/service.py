"""What can be asked without changing anything: predictions, versions, status."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from active_learning.features import stacked, stored_values
from active_learning.outcomes import Model, Verdict
from ls_active.errors import NotConfigured, NotFound
from ls_active.labeling import label_config
from ls_active.labeling.input import WORDS
from ls_active.labeling.inputs import Inputs, Reading
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head, Plan, make_plan
from ls_active.loop.models import ModelShelf, ModelVersion
from ls_active.loop.publication import version_name
from ls_active.loop.workshop import connect, open_media
from ls_active.media import Media
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from ls_active.schemas import Prediction, PredictReply, PredictRequest
from ls_active.settings import Settings

logger = logging.getLogger(__name__)

CACHED_MODELS = 8
KNOWN_NUMBERS = 1_000
"""Model versions kept in memory by a process, a few MB each."""

FILE_SECONDS = 4.0
"""For a file that /predict needs and nobody has read yet: an annotator waits for the answer."""

VERSION_SECONDS = 1.0
"""How long a process believes what it read of the version in force."""


class Service:
    """Answers from the store, without Redis; of Label Studio it asks only files behind tasks.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = Store(settings.data_dir)
        self._opened: Media | None = None
        self._models: OrderedDict[tuple[str, int], ModelVersion | None] = OrderedDict()
        self._numbers: dict[str, tuple[float, int]] = {}
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def projects(self) -> list[str]:
        """Return the uids of all projects ever connected."""
        return self._store.projects()

    def status(self, uid: str) -> ProjectStatus:
        """Return what the last job said of a project."""
        return ProjectStatus.load(self._store, uid)

    def versions(self, uid: str | None) -> list[str]:
        """Return the names of a project's versions, oldest first."""
        return [version_name(number) for number in self._store.versions(uid)] if uid else []

    def model_version(self, uid: str | None) -> str:
        """Return the name of the version in force, ``"al-0"`` before the first."""
        return version_name(self._number(uid))

    def predict(self, request: PredictRequest) -> PredictReply:
        """Return one prediction a task, in order; a task that cannot be read gets an empty one.

        Raises
        ------
        NotFound
            If the project was never connected here.
        BadLabelConfig
            If the label config is none.
        """
        if request.project and not self._knows(request.project):
            raise NotFound(
                f"no project {request.project} is connected here; connect it in Label Studio "
                "under Settings > Model"
            )
        version = self._version(request.project)
        plan = _plan_of(request, version)
        name = version_name(version.number if version else 0)
        if version is None or not version.answers(plan):
            results = [_empty(name) for _ in request.tasks]
        else:
            results = self._predictions(request.tasks, version, plan, name)
        return PredictReply(results=results, model_version=name)

    def _predictions(
        self, tasks: Sequence[dict[str, Any]], version: ModelVersion, plan: Plan, name: str
    ) -> list[Prediction]:
        # A text needs no key, so a key that is out of date must not fail it.
        inputs, results = Inputs(plan, self._media() if plan.media else None), []
        for start in range(0, len(tasks), inputs.at_once):
            part = tasks[start : start + inputs.at_once]
            read = inputs.read(part)
            for place, reason in read.errors.items():
                logger.info("task %s: %s", part[place].get("id"), reason)
            results += _answers(version, plan, inputs, read, name)
        return results

    def _media(self) -> Media | None:
        """Return what fetches files; None where Label Studio's address or our key is missing."""
        with self._lock:
            if self._opened is None:
                with suppress(NotConfigured):
                    client = connect(self._settings)
                    self._opened = open_media(self._settings, client, most_seconds=FILE_SECONDS)
            return self._opened

    def _knows(self, uid: str) -> bool:
        if uid not in self._known and Connection.load(self._store, uid) is not None:
            self._known.add(uid)
        return uid in self._known

    def _number(self, uid: str | None) -> int:
        if uid is None:
            return 0
        read_at, number = self._numbers.get(uid, (0.0, 0))
        if time.monotonic() - read_at > VERSION_SECONDS:
            number = ModelShelf(self._store, uid).current_number()
            if len(self._numbers) >= KNOWN_NUMBERS:
                # A sender can make up any number of names.
                self._numbers.clear()
            self._numbers[uid] = (time.monotonic(), number)
        return number

    def _version(self, uid: str | None) -> ModelVersion | None:
        number = self._number(uid)
        if uid is None or number == 0:
            return None
        key = (uid, number)
        with self._lock:
            if key not in self._models:
                self._models[key] = ModelShelf(self._store, uid).load(number)
                while len(self._models) > CACHED_MODELS:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]


def _plan_of(request: PredictRequest, version: ModelVersion | None) -> Plan:
    if not request.label_config:
        return Plan()
    config = label_config.parse(request.label_config)
    if version is None:
        return make_plan(config)
    known = version.manifest
    # A version of before there was a choice says nothing of it.
    encoder = known.get("text_encoder", WORDS)
    return make_plan(config, known["vector"], tuple(known["numbers"]), encoder)


def _answers(
    version: ModelVersion, plan: Plan, inputs: Inputs, read: Reading, name: str
) -> list[Prediction]:
    """Return one prediction a task: what all heads say of what could be read of it."""
    n = read.X.shape[0]
    result: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    confidence: list[list[float]] = [[] for _ in range(n)]
    for head, model in zip(plan.heads, version.models, strict=True):
        if model is None:
            continue
        there, verdicts, layouts = _judge(head, model, inputs, read)
        for place, verdict, layout in zip(there, verdicts, layouts, strict=True):
            result[place] += head.write(verdict, layout)
            confidence[place].append(verdict.confidence)
    return [
        Prediction(result=regions, score=float(np.mean(sure)) if sure else 0.0, model_version=name)
        for regions, sure in zip(result, confidence, strict=True)
    ]


def _judge(
    head: Head, model: Model, inputs: Inputs, read: Reading
) -> tuple[list[int], Sequence[Verdict], list[Layout | None]]:
    """Return which tasks a head can judge, what it says of them, and where their units lie."""
    if head.units is None:
        there = np.flatnonzero(stored_values(read.X) > 0)
        X, _ = inputs.view(head, read.X[there])
        opinion = model.predict(X)
        layouts: list[Layout | None] = [None] * len(there)
    else:
        cut = {place: rows for place, rows in enumerate(read.units[head.units]) if rows is not None}
        there = np.fromiter(cut, np.int64, len(cut))
        if not cut:
            return [], (), []
        counts = [rows.X.shape[0] for rows in cut.values()]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        opinion = model.predict(stacked([rows.X for rows in cut.values()]), starts)
        layouts = [rows.layout for rows in cut.values()]
    return there.tolist(), opinion.verdicts(np.arange(len(there))), layouts


def _empty(name: str) -> Prediction:
    return Prediction(result=[], score=0.0, model_version=name)
