"""A version that is significantly worse on the same random tasks is told of, or held back."""

from __future__ import annotations

import time

import pytest

from ls_active.labeling.plan import Plan
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf
from ls_active.loop.refit import Refit
from tests.harness.rig import Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

WORDS = {
    "cat": ["purrs", "meows", "whiskers", "milk", "mouse", "sofa"],
    "dog": ["barks", "growls", "bone", "walk", "leash", "ball"],
}
TEXTS = [
    f"my {animal} {WORDS[animal][n % 6]} {WORDS[animal][n * 5 // 6 % 6]} in {n} {place}"
    for n in range(22)
    for place in ("town", "village")
    for animal in ("cat", "dog")
]
"""Eighty-eight short texts of which no two are all but the same."""

RIGHT = 44
"""Tasks labelled rightly before the others get the wrong label."""


pytestmark = pytest.mark.usefixtures("quickly")


def rig_with(folder, gate: str, *, right: int = RIGHT, **options) -> Rig:
    """All tasks are random ones; the first got their right label."""
    options = {"gate": gate, "audit_share": 1.0, "head_size": 100} | options
    rig = Rig(folder, SimulatedLabelStudio(TEXTS), **options)
    rig.connect()
    rig.label(right)
    rig.run()
    return rig


def mislead(rig: Rig, n: int) -> None:
    """Give the next tasks the wrong label, and run."""
    for _ in range(n):
        task = rig.studio.next_task()
        rig.studio.annotate(task, "dog" if rig.answer(task) == "cat" else "cat")
    rig.run()


def test_on_holds_it_back_and_says_what_waiting_costs(tmp_path):
    rig = rig_with(tmp_path, "on")
    before = rig.record
    mislead(rig, 40)
    assert rig.store.versions(UID) == [1, 2]
    assert ModelShelf(rig.store, UID).current_number() == rig.status.version == 1
    assert rig.studio.fields["model_version"] == before["name"]
    [words] = rig.status.warnings
    assert words.startswith(f"al-2 is held back: of {RIGHT} random tasks judged by both, ")
    assert "al-1 orders the queue, which has not learned from the last 40 labels" in words
    rig.run()
    assert rig.store.versions(UID) == [1, 2]
    assert rig.status.warnings == [words]


def test_what_is_held_back_can_be_promoted_pinned_and_let_through(tmp_path):
    rig = rig_with(tmp_path, "on")
    mislead(rig, 40)
    gate, shelf = Gate(rig.store, UID), ModelShelf(rig.store, UID)
    shelf.pin(2)
    rig.run()
    assert rig.record["version"] == 2
    shelf.pin(None)
    rig.run()
    assert rig.record["version"] == 1
    gate.release(2)
    rig.run()
    rig.run()
    assert (gate.held, rig.record["version"]) == ({}, 2)


def test_turned_off_it_lets_through_what_it_held(tmp_path):
    rig = rig_with(tmp_path, "on")
    mislead(rig, 40)
    rig.studio.backends[0]["extra_params"] = {**rig.options, "gate": "off"}
    rig.run(look=True)
    assert (rig.record["version"], rig.status.warnings) == (2, [])


@pytest.mark.slow
def test_the_next_version_is_judged_beside_the_one_in_force(tmp_path):
    rig = rig_with(tmp_path, "on")
    mislead(rig, 40)
    mislead(rig, 2)
    assert set(Gate(rig.store, UID).held) == {2, 3}
    for number in (2, 3):
        assert rig.store.evaluation(UID, number)["compared_with"] == 1


def test_the_one_in_force_keeps_its_file_while_others_are_held(tmp_path):
    rig = rig_with(tmp_path, "on", keep_models=1)
    mislead(rig, 40)
    assert rig.store.loadable(UID) == [1, 2]
    mislead(rig, 2)
    assert rig.store.loadable(UID) == [1, 3]
    assert set(Gate(rig.store, UID).held) == {2, 3}
    assert rig.status.version == 1


@pytest.mark.parametrize(("owner", "step"), [(Refit, "_judged"), (Gate, "holds")])
def test_a_run_that_was_killed_halfway_is_made_up_for(tmp_path, monkeypatch, owner, step):
    def killed(*_arguments):
        raise KeyboardInterrupt

    rig = rig_with(tmp_path, "on")
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, killed)
        with pytest.raises(KeyboardInterrupt):
            mislead(rig, 40)
    rig.run()
    assert (rig.store.versions(UID), rig.status.version) == ([1, 2], 1)


def test_warn_serves_it_and_says_so(tmp_path):
    rig = rig_with(tmp_path, "warn")
    mislead(rig, 40)
    assert rig.record["version"] == rig.status.version == 2
    [words] = rig.status.warnings
    assert words.startswith("al-2 may be worse than al-1: of 44 random tasks judged by both, ")


def test_off_says_nothing(tmp_path):
    rig = rig_with(tmp_path, "off")
    mislead(rig, 40)
    assert (rig.status.version, rig.status.warnings) == (2, [])


def test_few_random_tasks_only_warn(tmp_path):
    rig = rig_with(tmp_path, "on", right=28)
    mislead(rig, 56)
    assert rig.status.version == 2
    [words] = rig.status.warnings
    assert words.endswith("; too few tasks to hold it back for")


def test_a_version_as_good_is_served(tmp_path):
    rig = rig_with(tmp_path, "on")
    rig.label(20)
    rig.run()
    assert (rig.record["version"], rig.status.warnings) == (2, [])
    [comparison] = rig.store.evaluation(UID, 2)["comparisons"]
    assert comparison["tasks"] == RIGHT
    assert comparison["sentence"].endswith("not significantly worse")


def test_nothing_is_held_back_for_one_that_cannot_answer(tmp_path):
    rig = rig_with(tmp_path, "on")
    before = Plan.feature_key.fget
    with pytest.MonkeyPatch.context() as patch:
        # As another version of a featurizer would have it.
        patch.setattr(Plan, "feature_key", property(lambda plan: f"{before(plan)} anew"))
        mislead(rig, 40)
        assert (rig.record["version"], rig.status.version) == (2, 2)


@pytest.mark.parametrize("gate", ["on", "warn"])
def test_what_is_not_served_is_not_fitted_at_every_label(tmp_path, gate):
    rig = rig_with(tmp_path, gate, min_interval=3600.0)
    if gate == "warn":
        ModelShelf(rig.store, UID).pin(1)
    moment = time.time() + 4000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ls_active.loop.refit.time.time", lambda: moment)
        mislead(rig, 40)
        for _ in range(3):
            mislead(rig, 1)
    assert len(rig.store.versions(UID)) == 2
