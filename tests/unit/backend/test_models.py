"""Versions are fitted, kept, pinned and pruned; what cannot be used counts as none."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from active_learning.types import Pool
from ls_active.errors import NotFound
from ls_active.labeling import label_config
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.plan import make_plan
from ls_active.loop.dataset import Dataset
from ls_active.loop.models import ModelShelf
from tests.harness import case
from tests.harness.rig import TEXTS
from tests.harness.simulated_project import UID


def plan_of(*classes: str):
    return make_plan(label_config.parse(case.label_config(*(classes or ("cat", "dog")))))


@pytest.fixture
def shelf(store):
    return ModelShelf(store, UID)


@pytest.fixture(scope="module")
def features():
    return Inputs(plan_of()).read([{"data": {"text": text}} for text in TEXTS[:12]]).X


@pytest.fixture
def fit(shelf, features):
    def make(labels: int = 8, classes: tuple[str, ...] = ("cat", "dog")):
        y = np.arange(12) % 2
        y[labels:] = -1
        pool = Pool(
            ids=np.arange(1, 13),
            X=features,
            y=y,
            serving=np.zeros(12, dtype=np.int8),
            resolved=y >= 0,
            u=np.arange(12, dtype=np.uint64),
            classes=classes,
        )
        plan = plan_of(*classes)
        digest = f"{labels} {classes}"
        data = Dataset((pool,), plan.signature, digest, annotators=1, tied=0)
        return shelf.fit(data, plan, 0, "margin"), data

    return make


def damage(tmp_path, number: int, content: bytes = b"damaged") -> None:
    path = tmp_path / "projects" / UID / "models" / f"{number:06d}.npz"
    path.write_bytes(content)


class TestFitting:
    def test_before_the_first_there_is_none(self, shelf):
        assert (shelf.current_number(), shelf.current(), shelf.newest()) == (0, None, None)

    def test_is_kept_with_what_it_was_made_from(self, fit, store, features):
        version, data = fit()
        again = ModelShelf(store, UID).current()
        assert again.number == version.number == 1
        assert again.manifest["labels"] == 8
        assert again.manifest["labels_digest"] == data.digest
        [head] = again.manifest["heads"]
        assert (head["control"], head["classes"]) == ("topic", ["cat", "dog"])
        assert again.manifest["features"] == "text/1/text"
        assert again.answers(plan_of())
        assert not again.answers(plan_of("dog", "cat"))
        assert again.useful == version.useful == (head["useful"],)
        [model], [restored] = version.models, again.models
        every = np.arange(12)
        assert restored.predict(features).verdicts(every) == model.predict(features).verdicts(every)

    def test_is_kept_when_other_classes_came_before(self, fit):
        fit()
        version, _ = fit(classes=("cat", "dog", "horse"))
        assert version.number == 2
        assert version.models[0].classes == ("cat", "dog", "horse")

    def test_numbers_go_on_after_a_claim_that_came_to_nothing(self, fit, store):
        store.claim_version(UID)
        assert fit()[0].number == 2


class TestInForce:
    def test_is_the_newest_unless_pinned(self, fit, shelf):
        for labels in (6, 7, 8):
            fit(labels)
        assert shelf.current_number() == 3
        shelf.pin(2)
        assert (shelf.pinned, shelf.current().number, shelf.newest().number) == (2, 2, 3)
        fit(9)
        assert shelf.current_number() == 2
        shelf.pin(None)
        shelf.pin(None)
        assert (shelf.pinned, shelf.current_number()) == (None, 4)

    def test_only_what_can_be_served_is_pinned(self, fit, shelf):
        for labels in (6, 7, 8):
            fit(labels)
        shelf.prune(keep=2)
        for number in (1, 9):
            with pytest.raises(NotFound, match=rf"version {number} .* these can: \[2, 3\]"):
                shelf.pin(number)

    def test_pinned_files_are_not_pruned(self, fit, shelf, store):
        for labels in (6, 7, 8):
            fit(labels)
        shelf.pin(1)
        shelf.prune(keep=1)
        assert store.loadable(UID) == [1, 3]

    def test_what_cannot_be_used_counts_as_none_and_is_said(
        self, fit, store, shelf, tmp_path, caplog
    ):
        fit()
        damage(tmp_path, 1)
        with caplog.at_level(logging.WARNING):
            assert ModelShelf(store, UID).current() is None
        assert "version 1 is not usable" in caplog.text
        assert fit()[0].number == 2

    def test_arrays_of_another_shape_count_as_none(self, store):
        heads = [{"fitted": True, "kind": "single", "classes": ["a"]}]
        store.save_version(UID, store.claim_version(UID), {"0.x": np.ones(3)}, {"heads": heads})
        assert ModelShelf(store, UID).current() is None
