"""How good each model version is on the articles that nobody labelled, by their true topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning.types import Features
from ls_active.demo.annotator import Record
from ls_active.demo.data import LABEL_CONFIG, Article
from ls_active.labeling import label_config
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.plan import make_plan
from ls_active.loop.models import ModelShelf
from ls_active.records.store import Store

EVALUATION_SECONDS = 10.0
"""How long a version waits for its figures, which are computed after it was published."""


def featurize(articles: Sequence[Article]) -> Features:
    """Return one row of features an article, as the service makes them."""
    inputs = Inputs(make_plan(label_config.parse(LABEL_CONFIG)))
    return inputs.read([{"data": {"text": item.text}} for item in articles]).X


@dataclass(frozen=True)
class Retrain:
    """What one retrain brought.

    Attributes
    ----------
    accuracy : float or None
        Against the true labels of the tasks that nobody has labelled; None before a model.
    audit, chosen : mapping or None
        The figures that a project without true labels would have.
    """

    name: str
    version: int
    labels: int
    published_at: float
    accuracy: float | None
    audit: Mapping[str, Any] | None
    chosen: Mapping[str, Any] | None


class Scoreboard:
    """Follows the publications of a project.

    Parameters
    ----------
    store : Store
    uid : str
    truth : mapping
        The topic of each task, in the order of the rows of `X`.
    X : features
    """

    def __init__(self, store: Store, uid: str, truth: Mapping[int, str], X: Features) -> None:
        self._store = store
        self._uid = uid
        self._ids = np.fromiter(truth, np.int64)
        self._truth = np.array(list(truth.values()))
        self._X = X
        self._shelf = ModelShelf(store, uid)
        self._reported = 0
        self.records: list[Record] = []

    def refresh(self) -> None:
        """Read the publications that are new."""
        known = self.records[-1]["publication"] if self.records else 0
        for number in self._store.publications(self._uid):
            record = self._store.publication(self._uid, number) if number > known else None
            if record is not None:
                self.records.append(record)

    def retrains(self, labelled: Callable[[], Collection[int]]) -> list[Retrain]:
        """Return the retrains that were published since the last call, with their figures.

        Parameters
        ----------
        labelled : callable
            Returns the tasks that have a label now; called if there is something to return.
        """
        self.refresh()
        found = []
        for record in self.records:
            if record["version"] <= self._reported:
                continue
            evaluation = self._store.evaluation(self._uid, record["version"])
            if evaluation is None and record is self.records[-1] and _is_young(record):
                break
            self._reported = record["version"]
            found.append(self._retrain(record, evaluation, labelled()))
        return found

    def _retrain(
        self, record: Record, evaluation: Mapping[str, Any] | None, labelled: Collection[int]
    ) -> Retrain:
        manifest = self._store.manifest(self._uid, record["version"])
        return Retrain(
            name=record["name"],
            version=record["version"],
            labels=record["labels"],
            published_at=record["published_at"],
            accuracy=self._accuracy(record["version"], labelled),
            audit=evaluation["audits"][0] if evaluation else None,
            chosen=manifest["heads"][0]["chosen"],
        )

    def _accuracy(self, number: int, labelled: Collection[int]) -> float | None:
        version = self._shelf.load(number)
        if version is None:
            return None
        rest: NDArray[np.bool_] = ~np.isin(self._ids, list(labelled))
        model = version.models[0]
        if model is None:
            return None
        verdicts = model.predict(self._X).verdicts(np.arange(len(self._ids)))
        said = np.array([verdict.answer for verdict in verdicts])
        return float((said == self._truth)[rest].mean()) if rest.any() else None


def _is_young(record: Record) -> bool:
    return bool(time.time() - record["published_at"] < EVALUATION_SECONDS)
