"""What is recorded of a version: its honest figures, history, advice, suspects, comparison."""

from __future__ import annotations

import json

import numpy as np
import pytest

from active_learning.types import Pool
from ls_active.labeling import label_config
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.plan import make_plan
from ls_active.loop.appraisal import Appraisal, furthest
from ls_active.loop.dataset import Dataset
from ls_active.loop.models import ModelShelf
from ls_active.records.files import FORMAT
from tests.harness import case
from tests.harness.rig import TEXTS
from tests.harness.simulated_project import UID


def plan_of(*classes: str):
    return make_plan(label_config.parse(case.label_config(*(classes or ("cat", "dog")))))


@pytest.fixture(scope="module")
def features():
    return Inputs(plan_of()).read([{"data": {"text": text}} for text in TEXTS]).X


@pytest.fixture
def version_of(store, features):
    """Fit a version on the first `labels` tasks; of `wrong` ones the label is the other."""

    def make(labels: int, classes: tuple[str, ...] = ("cat", "dog"), wrong: tuple[int, ...] = ()):
        y = np.arange(40) % 2
        y[list(wrong)] = 1 - y[list(wrong)]
        y[labels:] = -1
        pool = Pool(
            ids=np.arange(1, 41),
            X=features,
            y=y,
            serving=np.zeros(40, dtype=np.int8),
            resolved=y >= 0,
            u=np.arange(40, dtype=np.uint64),
            classes=classes,
        )
        plan = plan_of(*classes)
        data = Dataset((pool,), plan.signature, f"{labels}", annotators=1, tied=0)
        return ModelShelf(store, UID).fit(data, plan, 0, "margin"), data

    return make


@pytest.fixture
def appraise(store, version_of):
    def run(*arguments, **options):
        version, data = version_of(*arguments, **options)
        return Appraisal(store, UID).make(version, data, 0, ())

    return run


def test_is_recorded_once(store, version_of):
    version, data = version_of(8)
    appraisal = Appraisal(store, UID)
    assert appraisal.of(1) is None
    first = appraisal.make(version, data, 0, ())
    recorded = {"format": FORMAT, **json.loads(json.dumps(first))}
    assert appraisal.of(1) == recorded == appraisal.make(version, data, 0, [12])
    assert (first["audits"][0]["labels"], first["audits"][0]["figures"]) == (8, None)
    assert [point["version"] for point in store.read(UID, "history")["points"]] == [1]


@pytest.mark.parametrize("effect", ["write", "save_evaluation"])
def test_a_kill_between_its_two_records_loses_no_point(
    store, version_of, appraise, monkeypatch, effect
):
    appraise(8)
    version, data = version_of(12)

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(store, effect, kill)
        with pytest.raises(Killed):
            Appraisal(store, UID).make(version, data, 0, ())
    Appraisal(store, UID).make(version, data, 0, ())
    appraise(16)
    assert [point["version"] for point in store.read(UID, "history")["points"]] == [1, 2, 3]


def test_a_version_evaluated_late_takes_no_point_of_a_newer_one(store, version_of):
    late, data = version_of(8)
    Appraisal(store, UID).make(*version_of(12), 0, ())
    Appraisal(store, UID).make(late, data, 0, ())
    assert [point["version"] for point in store.read(UID, "history")["points"]] == [1, 2]


def test_honest_figures_and_their_tasks(appraise):
    [audit], [results] = (appraise(36)[name] for name in ("audits", "results"))
    figures = audit["figures"]
    assert figures["n"] == len(results["ids"]) == len(results["truths"]) == 36
    assert figures["value"] == pytest.approx(np.mean(results["values"]))
    assert "results" not in audit
    assert figures["of_task"] == ()


def test_history_grows_and_each_version_is_compared_with_one_behind(store, appraise):
    for labels in (20, 22, 30):
        last = appraise(labels)
    points = store.read(UID, "history")["points"]
    assert [point["version"] for point in points] == [1, 2, 3]
    heads = [point["heads"][0] for point in points]
    # Of two classes a gap of four labels at least.
    assert [head["since"] for head in heads] == [None, None, 22]
    assert heads[-1] == last["snapshots"][0]
    assert list(last["advice"][0]["agreement"]) == [heads[-1]["agreement"]]


def test_a_class_that_is_hardly_labelled_is_told_of(appraise):
    assert appraise(40)["snapshots"][0]["unlearned"] == ""
    found = appraise(36, ("cat", "dog", "horse"))
    assert found["snapshots"][0]["unlearned"] == "'horse'"
    assert found["advice"][0]["unlearned"] == "'horse'"


def test_a_deleted_history_is_rebuilt_from_the_evaluations(store, appraise):
    for labels in (20, 30):
        appraise(labels)
    before = store.read(UID, "history")["points"]
    store.delete(UID, "history")
    appraise(36)
    after = store.read(UID, "history")["points"]
    assert after[:2] == before
    assert after[2]["heads"][0]["since"] == 30


def test_another_label_config_begins_anew(store, appraise):
    appraise(30)
    found = appraise(36, ("cat", "dog", "horse"))
    assert len(store.read(UID, "history")["points"]) == 1
    assert (found["compared_with"], found["comparisons"]) == (None, [None])


def test_is_compared_with_the_version_before_on_common_tasks(appraise):
    appraise(30)
    found = appraise(36)
    [comparison] = found["comparisons"]
    assert (found["compared_with"], comparison["tasks"]) == (1, 30)


def test_a_task_that_was_labelled_anew_is_not_compared(appraise):
    appraise(30, wrong=(4,))
    assert appraise(36)["comparisons"][0]["tasks"] == 29


def test_old_evaluations_without_all_this_still_serve(store, version_of, appraise):
    version_of(8)
    store.save_evaluation(UID, 1, {"audits": [{"labels": 8, "figures": None}]})
    found = appraise(30)
    assert (found["compared_with"], found["comparisons"]) == (None, [None])
    assert len(store.read(UID, "history")["points"]) == 1


def test_a_wrong_label_is_suspect_also_where_the_version_was_loaded(store, version_of):
    _, data = version_of(40, wrong=(6,))
    loaded = ModelShelf(store, UID).load(1)
    assert loaded.out_of_fold == ()
    found = Appraisal(store, UID).make(loaded, data, 0, ())["suspects"]
    [first, *_] = found[0]
    assert (first["task"], first["given"], first["suggested"]) == (7, "dog", "cat")
    again, _ = version_of(40, wrong=(6,))
    assert Appraisal(store, UID).make(again, data, 0, ())["suspects"] == found


def test_records_are_small(appraise):
    assert len(json.dumps(appraise(36))) < 20_000


def test_the_head_that_is_furthest_from_enough_speaks():
    heads = [{"verdict": "enough"}, None, {"verdict": "go_on"}, {"verdict": "nearly"}]
    assert furthest(heads) == {"verdict": "go_on"}
    assert furthest([None]) == furthest([]) == {}
