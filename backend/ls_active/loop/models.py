"""Model versions of a project: fit, save, load, and which one is in force."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from active_learning import loop
from active_learning.errors import ActiveLearningError
from active_learning.types import Model
from ls_active.errors import NotFound, StoreError
from ls_active.loop.dataset import Dataset
from ls_active.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ModelVersion:
    """One fit, with what its manifest says."""

    number: int
    model: Model
    manifest: Mapping[str, Any]

    @property
    def useful(self) -> bool:
        """Whether it is clearly better than always answering the most frequent class."""
        return bool(self.manifest["useful"])


class ModelShelf:
    """The versions of one project.

    Parameters
    ----------
    store : Store
    uid : str
    """

    def __init__(self, store: Store, uid: str) -> None:
        self._store = store
        self._uid = uid
        self._loaded: dict[int, ModelVersion | None] = {}

    @property
    def pinned(self) -> int | None:
        """The version an admin holds the project at, if any."""
        document = self._store.read(self._uid, "pin")
        return None if document is None else int(document["version"])

    def pin(self, number: int | None) -> None:
        """Hold the project at a version, or let it go on.

        Raises
        ------
        NotFound
            If there is no such version, or its model file was pruned.
        """
        if number is None:
            self._store.delete(self._uid, "pin")
            return
        if number not in self._store.loadable(self._uid):
            raise NotFound(
                f"version {number} cannot be served; these can: {self._store.loadable(self._uid)}"
            )
        self._store.write(self._uid, "pin", {"version": number, "pinned_at": time.time()})

    def current_number(self) -> int:
        """Return the version in force: the pinned one, else the newest; 0 before the first."""
        loadable = self._store.loadable(self._uid)
        pinned = self.pinned
        if pinned in loadable:
            return pinned or 0
        return loadable[-1] if loadable else 0

    def current(self) -> ModelVersion | None:
        """Return the version in force; None before the first, or if its file is not usable."""
        number = self.current_number()
        return self.load(number) if number else None

    def newest(self) -> ModelVersion | None:
        """Return the newest version, in force or not; None as for `current`."""
        loadable = self._store.loadable(self._uid)
        return self.load(loadable[-1]) if loadable else None

    def load(self, number: int) -> ModelVersion | None:
        """Return a version, None if what is stored cannot be used: then it is fitted anew."""
        if number not in self._loaded:
            self._loaded[number] = self._read(number)
        return self._loaded[number]

    def _read(self, number: int) -> ModelVersion | None:
        try:
            manifest = self._store.manifest(self._uid, number)
            model = loop.restore(self._store.arrays(self._uid, number), tuple(manifest["classes"]))
        except (NotFound, StoreError, ActiveLearningError, ValueError) as error:
            logger.warning("project %s: version %d is not usable: %s", self._uid, number, error)
            return None
        return ModelVersion(number, model, manifest)

    def prune(self, keep: int) -> None:
        """Delete all but the newest `keep` model files and the pinned one; records stay."""
        self._store.prune_versions(self._uid, keep, self.pinned)

    def fit(self, dataset: Dataset, feature_key: str, seed: int, strategy: str) -> ModelVersion:
        """Fit a new version and save it.

        Raises
        ------
        NotEnoughLabels
            Before two classes have a label.
        """
        previous = self.current()
        same = previous is not None and previous.model.classes == dataset.pool.classes
        fit = loop.fit(
            dataset.pool, previous=previous.model if previous and same else None, seed=seed
        )
        manifest = {
            "created_at": time.time(),
            "classes": list(dataset.pool.classes),
            "labels": dataset.labels,
            "labels_digest": dataset.digest,
            "annotators": dataset.annotators,
            "tasks": len(dataset.pool.ids),
            "features": feature_key,
            "strategy": strategy,
            "seed": seed,
            "useful": fit.useful,
            "majority_share": fit.majority_share,
            "chosen": asdict(fit.chosen) if fit.chosen else None,
        }
        number = self._store.claim_version(self._uid)
        self._store.save_version(self._uid, number, fit.model.to_arrays(), manifest)
        return ModelVersion(number, fit.model, manifest)

    def evaluate(
        self, version: ModelVersion, dataset: Dataset, seed: int, held: Collection[int]
    ) -> None:
        """Record the honest estimate of a version fitted on exactly these labels, once."""
        if self._store.evaluation(self._uid, version.number) is not None:
            return
        estimate = loop.estimate_audit(dataset.pool, model=version.model, seed=seed, held=held)
        evaluation = {"audit": asdict(estimate), "evaluated_at": time.time()}
        self._store.save_evaluation(self._uid, version.number, evaluation)

    def audit(self, version: ModelVersion) -> Mapping[str, Any] | None:
        """Return the honest estimate of a version, None while it is not made."""
        evaluation = self._store.evaluation(self._uid, version.number)
        return evaluation["audit"] if evaluation else None
