"""What can be asked without changing anything: predictions, versions, status."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from active_learning import registry
from active_learning.types import Floats
from ls_active import label_config, tags
from ls_active.errors import NotFound
from ls_active.loop.models import ModelShelf, ModelVersion
from ls_active.loop.publication import version_name
from ls_active.project import Connection, ProjectStatus
from ls_active.schemas import Prediction, PredictReply, PredictRequest
from ls_active.settings import Settings
from ls_active.store import Store
from ls_active.tags import Head
from ls_active.values import Unreadable, text_of

logger = logging.getLogger(__name__)

CACHED_MODELS = 8
"""Model versions kept in memory by a process, a few MB each."""

VERSION_SECONDS = 1.0
"""How long a process believes what it read of the version in force."""


class Service:
    """Answers from the store; needs neither Redis nor Label Studio.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._store = Store(settings.data_dir)
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
        head = _head_of(request)
        version = self._version(request.project)
        name = version_name(version.number if version else 0)
        if head is None or version is None or version.manifest["features"] != head.feature_key:
            results = [_empty(name) for _ in request.tasks]
            return PredictReply(results=results, model_version=name)
        texts, readable = _texts(request.tasks, head)
        proba = _probabilities(version, head, texts)
        answers = iter(proba)
        results = [
            _prediction(next(answers), head, name) if good else _empty(name) for good in readable
        ]
        return PredictReply(results=results, model_version=name)

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


def _head_of(request: PredictRequest) -> Head | None:
    if not request.label_config:
        return None
    return tags.plan(label_config.parse(request.label_config)).head


def _texts(tasks: Sequence[dict[str, Any]], head: Head) -> tuple[list[str], list[bool]]:
    texts, readable = [], []
    for task in tasks:
        try:
            texts.append(text_of(task["data"], head.fields))
        except Unreadable as reason:
            logger.info("task %s: empty prediction: %s", task.get("id"), reason)
            readable.append(False)
        else:
            readable.append(True)
    return texts, readable


def _probabilities(version: ModelVersion, head: Head, texts: list[str]) -> Floats:
    """Return ``(n, k)`` over the classes of today's config, whatever the model learned."""
    featurizer = registry.featurizers()[head.featurizer]()
    proba = version.model.predict_proba(featurizer.transform(texts))
    known = {name: column for column, name in enumerate(version.model.classes)}
    if tuple(known) == head.classes:
        return proba
    aligned = np.full((len(texts), len(head.classes)), 1e-9)
    for column, name in enumerate(head.classes):
        if name in known:
            aligned[:, column] += proba[:, known[name]]
    aligned /= aligned.sum(axis=1, keepdims=True)
    return aligned


def _prediction(proba: Floats, head: Head, name: str) -> Prediction:
    best = int(np.argmax(proba))
    confidence = float(proba[best])
    return Prediction(
        result=head.write(head.classes[best], confidence), score=confidence, model_version=name
    )


def _empty(name: str) -> Prediction:
    return Prediction(result=[], score=0.0, model_version=name)
