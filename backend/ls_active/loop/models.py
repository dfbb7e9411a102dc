"""Model versions of a project: fit, save, load, and which one is in force."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from active_learning import loop
from active_learning.errors import ActiveLearningError, NotEnoughLabels
from active_learning.outcomes import Fit, Model
from active_learning.types import Floats, Kind, Pool
from ls_active.errors import NotFound, StoreError
from ls_active.labeling.plan import Head, Plan
from ls_active.loop.dataset import Dataset
from ls_active.loop.gate import Gate
from ls_active.records.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ModelVersion:
    """One fit of all heads, with what its manifest says.

    `models` has None for a head that cannot be fitted yet. `out_of_fold`, see `Fit`, is there where
    the version was fitted a moment ago, and empty where it was loaded.
    """

    number: int
    models: tuple[Model | None, ...]
    manifest: Mapping[str, Any]
    out_of_fold: tuple[Floats | None, ...] = ()

    @property
    def useful(self) -> tuple[bool, ...]:
        """Of each head, whether it is clearly better than an answer that looks at no task."""
        return tuple(head["useful"] for head in self.manifest["heads"])

    def answers(self, plan: Plan) -> bool:
        """Whether it was fitted for what the plan asks, on the features it makes."""
        same: bool = self.manifest["signature"] == plan.signature
        return same and self.manifest["features"] == plan.feature_key


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
        """Return the version in force; 0 before the first.

        The pinned one, else the newest that the gate does not hold back.
        """
        loadable = self._store.loadable(self._uid)
        pinned = self.pinned
        if pinned in loadable:
            return pinned or 0
        held = Gate(self._store, self._uid).held
        passed = [number for number in loadable if number not in held] or loadable
        return passed[-1] if passed else 0

    def answering(self, plan: Plan) -> ModelVersion | None:
        """Return the version in force, if it answers what the plan asks."""
        current = self.current()
        return current if current is not None and current.answers(plan) else None

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
            arrays = self._store.arrays(self._uid, number)
            models = tuple(
                _restored(place, head, arrays) for place, head in enumerate(manifest["heads"])
            )
        except (
            NotFound,
            StoreError,
            ActiveLearningError,
            TypeError,
            ValueError,
            KeyError,
        ) as error:
            logger.warning("project %s: version %d is not usable: %s", self._uid, number, error)
            return None
        return ModelVersion(number, models, manifest)

    def prune(self, keep: int) -> None:
        """Delete all but the newest `keep` model files and the one in force; records stay."""
        self._store.prune_versions(self._uid, keep, self.current_number())

    def fit(self, dataset: Dataset, plan: Plan, seed: int, strategy: str) -> ModelVersion:
        """Fit a new version of all heads that can be fitted, and save it.

        Raises
        ------
        NotEnoughLabels
            If none can.
        """
        previous = self.current()
        same = previous is not None and previous.manifest["signature"] == dataset.signature
        before = previous.models if previous and same else (None,) * len(dataset.pools)
        fits = [_fit(pool, model, seed) for pool, model in zip(dataset.pools, before, strict=True)]
        if not any(fits):
            raise NotEnoughLabels(dataset.lacking)
        heads = [
            _describe(head, pool, fit)
            for head, pool, fit in zip(plan.heads, dataset.pools, fits, strict=True)
        ]
        manifest = {
            "created_at": time.time(),
            "signature": dataset.signature,
            "heads": heads,
            "labels": dataset.labels,
            "labels_digest": dataset.digest,
            "newest": dataset.newest,
            "annotators": dataset.annotators,
            "tasks": len(dataset.pool.ids),
            "features": plan.feature_key,
            "vector": plan.vector,
            "numbers": list(plan.numbers),
            "text_encoder": plan.text_encoder,
            "strategy": strategy,
            "seed": seed,
        }
        arrays = {
            f"{place}.{name}": array
            for place, fit in enumerate(fits)
            if fit is not None
            for name, array in fit.model.to_arrays().items()
        }
        number = self._store.claim_version(self._uid)
        self._store.save_version(self._uid, number, arrays, manifest)
        models = tuple(fit.model if fit else None for fit in fits)
        held = tuple(fit.out_of_fold if fit else None for fit in fits)
        return ModelVersion(number, models, manifest, held)


def _fit(pool: Pool, previous: Model | None, seed: int) -> Fit | None:
    try:
        return loop.fit(pool, previous=previous, seed=seed)
    except NotEnoughLabels:
        return None


def _describe(head: Head, pool: Pool, fit: Fit | None) -> dict[str, Any]:
    return {
        "control": head.name,
        "tag": head.control.tag,
        "kind": str(head.kind),
        "classes": list(head.classes),
        "labels": len(pool.labeled),
        "fitted": fit is not None,
        "useful": fit is not None and fit.useful,
        "chosen": asdict(fit.chosen) if fit is not None and fit.chosen else None,
    }


def _restored(place: int, head: Mapping[str, Any], arrays: Mapping[str, Any]) -> Model | None:
    if not head["fitted"]:
        return None
    prefix = f"{place}."
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    return loop.restore(Kind(head["kind"]), own, tuple(head["classes"]))
