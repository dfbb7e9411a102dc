"""Several controls learn from the same tasks, each from its own answers; spans from their units."""

from __future__ import annotations

import numpy as np
import pytest

from active_learning.types import OUTSIDE, UNLABELED, Kind
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop import dataset
from ls_active.loop.asked_since import asked_since
from ls_active.records.store import Store
from tests.harness.mirrors import LetterInputs, open_mirror, sync_of
from tests.harness.quick import quick
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID
from tests.harness.units import cut_into_words, word_row

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices>'
    '<Choices name="mood" toName="text" choice="multiple" required="true">'
    '<Choice value="calm"/><Choice value="glad"/></Choices></View>'
)
SPANS = CONFIG.replace(
    "</View>",
    '<Labels name="who" toName="text"><Label value="Pet"/><Label value="Man"/></Labels></View>',
)


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick(), cut_into_words():
        yield


@pytest.fixture
def studio():
    texts = [f"my cat number {number}" for number in range(6)]
    return SimulatedLabelStudio(texts, maximum_annotations=3)


@pytest.fixture
def load(studio, tmp_path):
    def read(config: str = CONFIG, skip_queue: str = "", since=None):
        plan = make_plan(label_config.parse(config))
        inputs = LetterInputs(words=bool(plan.unit_inputs))
        with open_mirror(tmp_path, words=bool(plan.unit_inputs)) as mirror:
            sync_of(studio, mirror, inputs=inputs).run()
            return dataset.load(
                mirror, plan, inputs, uid=UID, seed=0, skip_queue=skip_queue, since=since
            )

    return read


def choice(control: str, *names: str) -> dict:
    value = {"choices": list(names)}
    return {"from_name": control, "to_name": "text", "type": "choices", "value": value}


def span(start: int, end: int, label: str = "Pet") -> dict:
    value = {"start": start, "end": end, "labels": [label]}
    return {"from_name": "who", "to_name": "text", "type": "labels", "value": value}


def say(studio, task: int, *regions: dict, user: int = 1, **fields) -> int:
    return studio.annotate(task, None, user, result=list(regions), **fields)


class TestTwoHeads:
    def test_see_the_same_tasks(self, studio, load):
        topic, mood = load().pools
        assert (topic.kind, mood.kind) == (Kind.SINGLE, Kind.MULTIPLE)
        for name in ("ids", "X", "serving", "resolved", "u"):
            assert getattr(topic, name) is getattr(mood, name)

    def test_have_each_their_own_answers(self, studio, load):
        say(studio, 1, choice("topic", "dog"), choice("mood", "glad", "calm"))
        say(studio, 2, choice("topic", "cat"))
        say(studio, 3, choice("mood", "glad"))
        say(studio, 4)
        data = load()
        topic, mood = data.pools
        assert topic.y.tolist() == [1, 0] + [UNLABELED] * 4
        assert mood.y.tolist() == [[1, 1], [-1, -1], [0, 1], [-1, -1], [-1, -1], [-1, -1]]
        assert (data.labels, data.labeled.tolist()) == (3, [0, 1, 2])

    def test_count_a_label_once(self, studio, load):
        say(studio, 1, choice("topic", "dog"), choice("mood", "glad"))
        assert load().labels == 1

    def test_are_decided_each_by_its_own_majority(self, studio, load):
        say(studio, 1, choice("topic", "dog"), choice("mood", "glad"), user=1)
        say(studio, 1, choice("topic", "cat"), choice("mood", "glad"), user=2)
        data = load()
        assert [len(pool.labeled) for pool in data.pools] == [0, 1]
        # A task is one, however many of its controls are tied.
        assert (data.tied, data.annotators) == (1, 2)

    def test_lack_nothing_as_soon_as_one_can_be_fitted(self, studio, load):
        assert "2 labels in 2 classes" in load().lacking
        say(studio, 1, choice("topic", "dog"))
        say(studio, 2, choice("topic", "dog"), choice("mood", "glad"))
        assert "so far, all 'dog'" in load().lacking
        say(studio, 3, choice("mood", "calm"))
        assert load().lacking == ""

    def test_change_the_digest_each(self, studio, load):
        digests = [load().digest]
        say(studio, 1, choice("topic", "dog"))
        digests.append(load().digest)
        say(studio, 1, choice("mood", "glad"), user=2)
        digests.append(load().digest)
        say(studio, 2, choice("mood", "glad"))
        digests.append(load().digest)
        assert len(set(digests)) == 4


class TestSequences:
    def test_have_a_label_a_unit(self, studio, load):
        # my cat number 0: 0-2, 3-6, 7-13, 14-15
        say(studio, 1, span(3, 6), span(14, 15, "Man"))
        *_, who = load(SPANS).pools
        assert who.kind is Kind.SEQUENCE
        assert who.units.starts.tolist() == [0, 4, 8, 12, 16, 20, 24]
        assert who.y[:4].tolist() == [OUTSIDE, 1, OUTSIDE, 2]
        assert (who.y[4:] == UNLABELED).all()
        np.testing.assert_array_equal(who.units.X[1], word_row("cat"))

    def test_without_a_span_are_outside_everywhere(self, studio, load):
        say(studio, 2)
        data = load(SPANS)
        who = data.pools[2]
        assert who.y[4:8].tolist() == [OUTSIDE] * 4
        # The other controls learn nothing from it.
        assert [pool.labeled.tolist() for pool in data.pools] == [[], [], [1]]

    def test_skipped_say_nothing(self, studio, load):
        studio.skip(2)
        assert load(SPANS).labels == 0

    def test_are_decided_unit_by_unit(self, studio, load):
        say(studio, 1, span(0, 6), user=1)
        say(studio, 1, span(3, 6), span(14, 15), user=2)
        who = load(SPANS).pools[2]
        assert who.y[:4].tolist() == [UNLABELED, 1, OUTSIDE, UNLABELED]
        say(studio, 1, span(3, 6), user=3)
        who = load(SPANS).pools[2]
        assert who.y[:4].tolist() == [OUTSIDE, 1, OUTSIDE, OUTSIDE]

    def test_of_tasks_without_units_say_nothing(self, studio, load):
        studio.add_tasks([{"text": " "}, {}])
        for task in (1, 7, 8):
            say(studio, task, span(3, 6))
        data = load(SPANS)
        assert data.pools[2].labeled.tolist() == [0]
        assert np.diff(data.pools[2].units.starts).tolist() == [4] * 6 + [0] * 2

    def test_change_the_digest_with_a_unit(self, studio, load):
        annotation = say(studio, 1, span(3, 6))
        before = load(SPANS).digest
        studio.update(annotation, result=[span(3, 5)])
        assert load(SPANS).digest == before
        studio.update(annotation, result=[span(0, 6)])
        assert load(SPANS).digest != before

    def test_can_be_fitted_from_two_tasks_with_a_label_in_one(self, studio, load):
        say(studio, 1, span(3, 6))
        assert load(SPANS).lacking
        say(studio, 2)
        assert load(SPANS).lacking == ""


class TestTheBudgetOfUnits:
    def test_goes_to_answered_tasks_and_to_the_first_of_the_audit_order(
        self, studio, load, monkeypatch
    ):
        monkeypatch.setattr(dataset, "UNIT_BUDGET", 8)
        say(studio, 3, span(3, 6))
        who = load(SPANS).pools[2]
        waiting = [row for row in np.argsort(who.u).tolist() if row != 2]
        looked_at = np.flatnonzero(np.diff(who.units.starts)).tolist()
        assert looked_at == sorted([2, *waiting[:2]])
        assert who.labeled.tolist() == [2]

    def test_moves_on_as_tasks_are_answered(self, studio, load, monkeypatch):
        monkeypatch.setattr(dataset, "UNIT_BUDGET", 4)
        studio.fields["maximum_annotations"] = 1
        seen = set()
        for _ in range(3):
            who = load(SPANS).pools[2]
            [row] = set(np.flatnonzero(np.diff(who.units.starts)).tolist()) - seen
            seen.add(row)
            say(studio, int(who.ids[row]), span(3, 6))
        assert load(SPANS).labels == 3

    def test_is_not_spent_on_what_nobody_is_asked(self, studio, load, monkeypatch):
        monkeypatch.setattr(dataset, "UNIT_BUDGET", 8)
        studio.fields["skip_queue"] = "IGNORE_SKIPPED"
        for task in (1, 2, 3, 4):
            studio.skip(task)
        who = load(SPANS, "IGNORE_SKIPPED").pools[2]
        assert np.flatnonzero(np.diff(who.units.starts)).tolist() == [4, 5]


class TestAControlThatCameLater:
    """What was annotated before it is no answer to it."""

    CONFIG = CONFIG.replace(' required="true"', "")

    def test_learns_nothing_from_what_is_older(self, studio, load):
        say(studio, 1, choice("topic", "dog"))
        say(studio, 2, choice("topic", "cat"), choice("mood", "glad"))
        everything = load(self.CONFIG).pools[1]
        assert everything.y[:2].tolist() == [[0, 0], [0, 1]]
        later = load(self.CONFIG, since={"topic": "", "mood": "2999-01-01T00:00:00Z"})
        assert later.pools[0].y[:2].tolist() == [1, 0]
        assert later.pools[1].y[:2].tolist() == [[UNLABELED, UNLABELED], [0, 1]]

    def test_is_noted_when_it_is_first_seen(self, tmp_path):
        store = Store(str(tmp_path))
        assert asked_since(store, UID, ["topic"]) == {"topic": ""}
        found = asked_since(store, UID, ["topic", "mood"])
        assert found["topic"] == ""
        assert found["mood"] > "2026"
        assert asked_since(store, UID, ["topic", "mood"]) == found
        assert asked_since(store, UID, ["topic"])["mood"] == found["mood"]
