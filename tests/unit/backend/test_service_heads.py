"""/predict with several controls, several fields, and units."""

from __future__ import annotations

import numpy as np
import pytest

from active_learning import registry
from active_learning.featurizers.text import TextFeaturizer
from ls_active import service
from ls_active.labeling import label_config
from ls_active.schemas import PredictRequest
from ls_active.service import Service
from tests.harness.numbers import Numbers
from tests.harness.quick import quick
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID
from tests.harness.units import cut_into_words

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="cat"/><Choice value="dog"/></Choices>'
    '<Choices name="mood" toName="text" choice="multiple">'
    '<Choice value="calm"/><Choice value="glad"/></Choices>'
    '<Labels name="who" toName="text"><Label value="Pet"/></Labels>'
    '<Number name="age" toName="text"/></View>'
)


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick(), cut_into_words(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "VERSION_SECONDS", 0.0)
        yield


def region(control: str, kind: str, **value: object) -> dict:
    return {"from_name": control, "to_name": "text", "type": kind, "value": value}


def label(studio: SimulatedLabelStudio, task: int) -> None:
    """Answer everything but the age."""
    text = studio.rows[task].data["text"]
    cat = "cat" in text
    start = text.index("cat" if cat else "dog")
    said = [
        region("topic", "choices", choices=["cat" if cat else "dog"]),
        region("mood", "choices", choices=["calm"] if cat else ["calm", "glad"]),
        region("who", "labels", start=start, end=start + 3, labels=["Pet"]),
    ]
    studio.annotate(task, None, result=said)


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    studio = SimulatedLabelStudio(TEXTS, label_config=CONFIG)
    rig = Rig(tmp_path_factory.mktemp("rig"), studio)
    rig.connect()
    for _ in range(12):
        label(studio, studio.next_task())
    rig.run()
    return rig


def ask(rig: Rig, *data: object, config: str = CONFIG):
    tasks = [{"id": n, "data": item} for n, item in enumerate(data)]
    request = PredictRequest(tasks=tasks, project=UID, label_config=config)
    return Service(rig.settings).predict(request).results


def by_control(prediction) -> dict:
    return {region["from_name"]: region["value"] for region in prediction.result}


class TestSeveralControls:
    def test_are_answered_together_each_by_its_own_model(self, rig):
        first, second = ask(rig, {"text": TEXTS[0]}, {"text": TEXTS[1]})
        assert by_control(first) == {
            "topic": {"choices": ["cat"]},
            "mood": {"choices": ["calm"]},
            "who": {"start": 3, "end": 6, "text": "cat", "labels": ["Pet"]},
        }
        assert by_control(second)["mood"] == {"choices": ["calm", "glad"]}
        assert 0 < first.score <= 1
        for prediction in (first, second):
            assert label_config.parse(CONFIG).validate(prediction.model_dump()) == []

    def test_are_said_to_stand_each_where_it_stands(self, rig):
        heads = {head["control"]: head for head in rig.status.heads}
        assert {name: head["labels"] for name, head in heads.items()} == {
            "topic": 12,
            "mood": 12,
            "who": 12,
            "age": 0,
        }
        assert heads["age"]["chosen"] is None
        assert not heads["age"]["useful"]

    @pytest.mark.parametrize("broken", [{}, {"text": ""}, {"text": 3}, {"text": None}, 3, None])
    def test_one_broken_task_costs_only_itself(self, rig, broken):
        alone = ask(rig, {"text": TEXTS[0]})[0]
        results = ask(rig, {"text": TEXTS[0]}, broken, {"text": TEXTS[1]})
        assert by_control(results[0]) == by_control(alone)
        assert results[0].score == pytest.approx(alone.score)
        assert "who" not in by_control(results[1])
        assert by_control(results[2])["topic"] == {"choices": ["dog"]}

    def test_many_tasks_are_read_part_by_part(self, rig, monkeypatch):
        data = [{"text": text} for text in TEXTS[:7]]
        together = ask(rig, *data)
        monkeypatch.setattr("ls_active.labeling.inputs.VALUES_AT_ONCE", 3)
        assert list(map(by_control, ask(rig, *data))) == list(map(by_control, together))

    def test_a_queue_is_published_with_all_answers(self, rig):
        assert rig.record["version"] == 1
        prediction = next(each for each in rig.record["predictions"] if each)
        assert {region["from_name"] for region in prediction} == {"topic", "mood", "who"}
        assert rig.studio.serves_whole()


class TestTextAndNumbers:
    """The text says nothing; the numbers beside it do."""

    CONFIG = (
        '<View><Text name="text" value="$text"/><Numbers name="size" value="$size"/>'
        '<Choices name="topic" toName="text">'
        '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
    )

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _numbers(cls):
        with pytest.MonkeyPatch.context() as patch:
            found = {"text": TextFeaturizer, "numbers": Numbers}
            patch.setattr(registry, "featurizers", lambda: found)
            registry.featurizer_of.cache_clear()
            yield
        registry.featurizer_of.cache_clear()

    @pytest.fixture(scope="class")
    @classmethod
    def joined(cls, tmp_path_factory):
        rng = np.random.default_rng(0)
        data = [
            {"text": f"an animal, number {number}", "size": [float(5 * (number % 2)), x]}
            for number, x in enumerate(rng.normal(size=40))
        ]
        studio = SimulatedLabelStudio(data, label_config=cls.CONFIG)
        rig = Rig(tmp_path_factory.mktemp("joined"), studio)
        rig.connect()
        for task in sorted(studio.rows)[:20]:
            studio.annotate(task, "dog" if studio.rows[task].data["size"][0] else "cat")
        rig.run()
        return rig

    def test_are_learned_from_side_by_side(self, joined):
        rest = [joined.studio.rows[task].data for task in sorted(joined.studio.rows)[20:]]
        said = [
            by_control(each)["topic"]["choices"][0]
            for each in ask(joined, *rest, config=self.CONFIG)
        ]
        right = ["dog" if data["size"][0] else "cat" for data in rest]
        assert np.mean([a == b for a, b in zip(said, right, strict=True)]) > 0.9

    def test_one_missing_leaves_the_other(self, joined):
        small, big, text = ask(
            joined,
            {"size": [0.0, 0.1]},
            {"size": [5.0, 0.1], "text": ""},
            {"text": "an animal"},
            config=self.CONFIG,
        )
        assert by_control(small) == {"topic": {"choices": ["cat"]}}
        assert by_control(big) == {"topic": {"choices": ["dog"]}}
        assert by_control(text)["topic"]
