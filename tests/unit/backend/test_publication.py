"""Either the whole of a queue is in force, or none of it; and only what is ours is deleted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from active_learning.outcomes import Queue, Verdict
from active_learning.types import Reason
from ls_active.errors import LabelStudioRejected, LockLost, PublicationIncomplete
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop.publication import GAP, Item, Publisher, deal, items
from tests.harness.rig import TEXTS
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import CONFIG, UID

PARSED = label_config.parse(CONFIG)
PLAN = make_plan(PARSED)
[HEAD] = PLAN.heads


@given(arrays(np.float64, st.integers(0, 300), elements=st.floats(0, 1)))
def test_dealt_scores_are_strictly_increasing_confidences(confidences):
    scores = deal(confidences)
    assert scores.shape == confidences.shape
    assert np.all((scores >= 0) & (scores <= 1))
    assert np.all(np.diff(scores) >= 1e-6)
    assert np.all(np.abs(scores - np.sort(confidences)) <= GAP * len(scores))


def test_dealt_scores_of_the_largest_head_of_equals():
    for value in (0.0, 0.5, 1.0):
        scores = deal(np.full(100_000, value, dtype=np.float32))
        assert scores[0] >= 0
        assert scores[-1] <= 1
        assert np.diff(scores).min() >= 1e-6


def no_layout(place: int, task: int) -> None:
    pytest.fail(f"no head of this plan has units, asked for {place} of task {task}")


def choice_in(regions: list[dict]) -> str:
    [region] = regions
    [choice] = region["value"]["choices"]
    return choice


class TestItems:
    QUEUE = Queue(
        ids=np.array([5, 3, 9]),
        rows=np.array([2, 1, 4]),
        scores=np.array([0.9, 0.1, 0.5]),
        reasons=(Reason.STRATEGY, Reason.AUDIT, Reason.SKIPPED),
        verdicts=(
            (
                Verdict("dog", 0.6, (0.6,)),
                Verdict("cat", 0.9, (0.9,)),
                Verdict("cat", 0.5, (0.5,)),
            ),
        ),
    )

    def items(self, *, useful: bool, prelabels: str) -> list[Item]:
        useful = (useful,)
        return items(self.QUEUE, PLAN, prelabels=prelabels, useful=useful, layout=no_layout)

    def shown(self, **choice: object) -> list[bool]:
        return [bool(item.result) for item in self.items(**choice)]

    def test_keep_order_reason_and_what_we_would_answer(self):
        first, second, _ = self.items(prelabels="auto", useful=True)
        assert (first.task, first.reason, first.acquisition) == (5, Reason.STRATEGY, 0.9)
        assert first.confidence == 0.6
        assert choice_in(first.prediction) == choice_in(first.result) == "dog"
        assert (choice_in(second.prediction), second.result) == ("cat", [])

    def test_show_a_guess_where_it_helps_only(self):
        assert self.shown(prelabels="auto", useful=True) == [True, False, True]
        assert self.shown(prelabels="auto", useful=False) == [False] * 3
        assert self.shown(prelabels="always", useful=False) == [True] * 3
        assert self.shown(prelabels="never", useful=True) == [False] * 3

    def test_before_the_first_model_have_no_answer(self):
        queue = Queue(np.array([1]), np.array([0]), np.ones(1), (Reason.COLD_START,), (None,))
        [item] = items(queue, PLAN, prelabels="always", useful=(), layout=no_layout)
        assert (item.prediction, item.confidence, item.result) == ([], 0.5, [])


@pytest.fixture
def studio():
    return SimulatedLabelStudio(TEXTS[:8], sampling="Uncertainty sampling")


@pytest.fixture
def publisher(rig):
    return Publisher(rig.shop())


def content(*tasks: int, answer: str | None = None) -> list[Item]:
    result = [] if answer is None else HEAD.write(Verdict(answer, 0.7, (0.7,)))
    return [Item(task, Reason.STRATEGY, 0.3, 0.7, result, result) for task in tasks]


def publish(publisher: Publisher, *tasks: int, version: int = 1, **how) -> dict:
    return publisher.publish(version, content(*tasks, **how), PARSED, provisional=False, labels=0)


class TestPublishing:
    def test_is_served_in_order(self, publisher, studio, rig):
        record = publish(publisher, 4, 2, 7, 1, answer="cat")
        assert studio.fields["model_version"] == record["name"] == "al-1.1"
        assert rig.record["tasks"] == [4, 2, 7, 1]
        served = []
        while (task := studio.next_task()) and len(served) < 4:
            served.append(task)
            studio.annotate(task, "cat")
        assert served == [4, 2, 7, 1]

    def test_is_recorded_with_what_we_would_have_answered(self, publisher, rig):
        publish(publisher, 3, answer="dog")
        record = rig.record
        [prediction] = record["predictions"]
        assert choice_in(prediction) == "dog"
        assert (record["shown"], record["confidences"]) == ([True], [0.7])
        assert (record["reasons"], record["version"], record["labels"]) == (["strategy"], 1, 0)
        assert record["config"] == PARSED.digest

    def test_names_it_only_when_whole_and_records_it_last(self, publisher, studio):
        publish(publisher, 1)
        effects = [name for name in studio.effect.names if "claim" not in name]
        assert effects == ["import", "PATCH model_version", "create 000001.json"]

    def test_starts_above_whatever_label_studio_holds(self, publisher, studio):
        publish(publisher, 1)
        studio.predictions[0]["model_version"] = "al-9.41"
        assert publish(publisher, 1)["name"] == "al-1.42"

    def test_drops_the_answer_that_label_studio_would_refuse(self, publisher, studio, caplog):
        item = content(2)[0]
        bad = Item(**{**vars(item), "result": [{"from_name": "nothing"}]})
        publisher.publish(1, [bad], PARSED, provisional=False)
        assert [row["result"] for row in studio.predictions] == [[]]
        assert "task 2: published without an answer" in caplog.text

    @pytest.mark.parametrize("fault", ["dropped", "doubled"])
    def test_imports_again_what_did_not_arrive_whole(self, publisher, studio, fault):
        if fault == "dropped":
            studio.faults.drop = [3, 1]
        else:
            studio.faults.twice = 2
        record = publish(publisher, 1, 2, 3, 4)
        assert studio.version_counts() == {record["name"]: 4}
        assert studio.calls["import_predictions"] == 3

    @pytest.mark.parametrize("fault", ["dropped", "lost", "doubled"])
    def test_gives_up_after_three_tries_and_leaves_the_old_queue(self, publisher, studio, fault):
        before = publish(publisher, 5, 6)
        studio.faults.drop = {"dropped": [1] * 3, "lost": [4] * 3, "doubled": []}[fault]
        studio.faults.twice = 3 if fault == "doubled" else 0
        with pytest.raises(PublicationIncomplete, match="sent 4 predictions, Label Studio holds"):
            publish(publisher, 1, 2, 3, 4)
        assert studio.fields["model_version"] == before["name"]
        assert studio.serves_whole()
        assert publish(publisher, 1, 2)["name"] == "al-1.3"

    def test_leaves_the_old_queue_when_a_task_is_gone(self, publisher, studio, rig):
        before = publish(publisher, 5, 6)
        studio.faults.during_import = [lambda: studio.delete_task(2)]
        with pytest.raises(LabelStudioRejected):
            publish(publisher, 1, 2, 3)
        assert studio.fields["model_version"] == before["name"] == rig.record["name"]

    @pytest.mark.parametrize("checks", [0, 1])
    def test_stops_before_each_write_when_the_lock_is_lost(self, rig, studio, checks):
        before = publish(Publisher(rig.shop()), 5, 6)
        left = checks

        def check() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise LockLost("another worker took it")

        with pytest.raises(LockLost):
            publish(Publisher(rig.shop(check)), 1, 2)
        assert studio.fields["model_version"] == before["name"] == rig.record["name"]
        assert len(studio.predictions) == 2 + 2 * checks

    def test_notices_that_somebody_else_named_another(self, publisher, studio, monkeypatch):
        update = studio.update_project

        def and_then(project_id, **fields):
            update(project_id, **fields)
            return update(project_id, model_version="")

        monkeypatch.setattr(studio, "update_project", and_then)
        with pytest.raises(PublicationIncomplete, match=r"another version than al-1\.1"):
            publish(publisher, 1)


class TestPruning:
    @pytest.fixture
    def published(self, publisher, studio):
        """Three publications of ours, and what is none of our business."""
        for task in (1, 2, 3):
            publish(publisher, task)
        for name in ("al-7", "al-1.99", "al-1.2b", "by hand", "undefined", "xal-1.1", "AL-1.1"):
            foreign = {"task": 1, "model_version": name, "score": 0.5, "result": []}
            studio.predictions.append(foreign)
        return publisher

    def test_knows_its_own(self, published):
        assert published.claimed("al-1.2")
        assert not any(map(published.claimed, ["", "al-7", "al-1.99", "our model", "al-1.2b"]))
        assert published.stale(3) == ["al-1.1", "al-1.2"]
        assert published.stale(2**31) == ["al-1.1", "al-1.2", "al-1.3"]

    def test_deletes_nothing_else(self, published, studio):
        foreign = set(studio.version_counts()) - {"al-1.1", "al-1.2", "al-1.3"}
        assert published.prune("al-1.3", published.stale(3), ("our model",))
        assert set(studio.version_counts()) == foreign | {"al-1.3"}
        assert studio.fields["model_version"] == "al-1.3"

    @pytest.mark.parametrize("named", ["our model", "al-7", ""])
    def test_waits_while_the_project_names_something_else(self, published, studio, named):
        studio.connect("http://loop.example:9090", "our model")
        studio.update_project(1, model_version=named)
        before = studio.version_counts()
        assert not published.prune("al-1.3", published.stale(3), ("our model",))
        assert studio.version_counts() == before
        assert studio.fields["model_version"] == named

    def test_waits_while_a_backend_is_called_like_the_queue(self, published, studio):
        assert not published.prune("al-1.3", published.stale(3), ("al-1.3",))
        assert "al-1.1" in studio.version_counts()

    def test_stops_when_the_lock_is_lost(self, published, rig, studio):
        def check() -> None:
            raise LockLost("another worker took it")

        with pytest.raises(LockLost):
            Publisher(rig.shop(check)).prune("al-1.3", ["al-1.1"], ())
        assert "al-1.1" in studio.version_counts()

    def test_takes_what_a_killed_import_left(self, published, studio, rig):
        number = rig.store.claim_publication(UID)
        half = {"task": 1, "model_version": f"al-1.{number}", "score": 0.1, "result": []}
        foreign = half | {"model_version": "al-1.99"}
        studio.predictions += [half, foreign]
        publish(published, 4)
        assert f"al-1.{number}" not in studio.version_counts()
        assert {"al-1.3", "al-1.99"} <= studio.version_counts().keys()
