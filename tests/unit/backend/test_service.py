"""/predict answers every task, in order, from the store alone."""

from __future__ import annotations

import pytest

from ls_active import service
from ls_active.errors import BadLabelConfig, NotFound
from ls_active.labeling import label_config
from ls_active.loop.models import ModelShelf
from ls_active.schemas import PredictRequest
from ls_active.service import Service
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import CONFIG, UID

THREE = CONFIG.replace('<Choice value="dog"/>', '<Choice value="horse"/><Choice value="dog"/>')
OTHERS = CONFIG.replace('"cat"', '"fish"').replace('"dog"', '"bird"')
ELSEWHERE = CONFIG.replace("$text", "$body")
NOTHING = '<View><Text name="text" value="$text"/></View>'


pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("rig"), SimulatedLabelStudio(TEXTS))
    rig.connect()
    rig.label(12)
    rig.run()
    return rig


@pytest.fixture
def asked(rig, monkeypatch):
    monkeypatch.setattr(service, "VERSION_SECONDS", 0.0)
    return Service(rig.settings)


def request(*data: object, config: str | None = CONFIG, project: str | None = UID):
    tasks = [{"id": n, "data": item} for n, item in enumerate(data)]
    return PredictRequest(tasks=tasks, project=project, label_config=config)


def answers(reply) -> list[str | None]:
    regions = [prediction.result for prediction in reply.results]
    return [region[0]["value"]["choices"][0] if region else None for region in regions]


def text(words: str) -> dict:
    return {"text": words}


def test_every_task_is_answered_in_order(asked):
    reply = asked.predict(request(text("a cat purrs"), text("the dog barks"), text("meows, a cat")))
    assert answers(reply) == ["cat", "dog", "cat"]
    assert {prediction.model_version for prediction in reply.results} == {"al-1"}
    assert reply.model_version == "al-1" == asked.model_version(UID)
    config = label_config.parse(CONFIG)
    for prediction in reply.results:
        assert config.validate(prediction.model_dump()) == []
        assert prediction.score > 0.5


@pytest.mark.parametrize(
    "broken", [{}, {"text": ""}, {"text": None}, {"text": ["a"]}, {"body": "a cat"}, 3, None]
)
def test_a_broken_task_costs_only_itself(asked, broken):
    reply = asked.predict(request(text("a cat purrs"), broken, text("the dog barks")))
    assert answers(reply) == ["cat", None, "dog"]
    assert reply.results[1].score == 0


def test_tasks_that_are_none_of_them_readable(asked):
    assert answers(asked.predict(request({}, {}))) == [None, None]


def test_no_tasks_at_all(asked):
    assert asked.predict(request()).results == []


def test_huge_and_strange_texts(asked):
    strange = [text("cat " * 500_000), text("\x00"), text("\ud83d"), text("猫" * 10), {"text": 3}]
    assert len(asked.predict(request(*strange)).results) == 5


@pytest.mark.parametrize("config", [THREE, OTHERS, ELSEWHERE])
def test_a_model_of_another_label_config_answers_nothing(asked, config):
    data = {"text": "a cat purrs", "body": "a cat purrs"}
    reply = asked.predict(request(data, config=config))
    assert (answers(reply), reply.results[0].score) == ([None], 0)


@pytest.mark.parametrize("config", [None, "", NOTHING])
def test_without_anything_to_answer_results_are_empty(asked, config):
    reply = asked.predict(request(text("a cat purrs"), config=config))
    assert answers(reply) == [None]
    assert reply.model_version == "al-1"


def test_no_label_config_is_refused(asked):
    with pytest.raises(BadLabelConfig):
        asked.predict(request(text("a cat"), config="<View><Text"))


def test_a_project_that_nobody_connected_is_not_found(asked):
    with pytest.raises(NotFound, match=r"no project 7\.7 is connected here"):
        asked.predict(request(text("a cat"), project="7.7"))


def test_no_project_has_no_model(asked):
    reply = asked.predict(request(text("a cat"), project=None))
    assert (answers(reply), reply.model_version) == ([None], "al-0")
    assert asked.versions(None) == []


class TestVersions:
    @pytest.fixture
    def own(self, tmp_path, monkeypatch):
        monkeypatch.setattr(service, "VERSION_SECONDS", 0.0)
        rig = Rig(tmp_path, SimulatedLabelStudio(TEXTS[:12]))
        rig.connect()
        return rig, Service(rig.settings)

    def test_before_the_first(self, own):
        _, asked = own
        reply = asked.predict(request(text("a cat")))
        assert (answers(reply), reply.model_version) == ([None], "al-0")
        assert asked.versions(UID) == []

    def test_follow_what_is_fitted_and_pinned(self, own):
        rig, asked = own
        for _ in range(2):
            rig.label(4)
            rig.run()
        assert asked.versions(UID) == ["al-1", "al-2"]
        assert asked.model_version(UID) == "al-2"
        ModelShelf(rig.store, UID).pin(1)
        assert asked.predict(request(text("a cat"))).model_version == "al-1"
        assert asked.projects() == [UID]
        assert asked.status(UID).version == 2

    def test_a_damaged_one_answers_nothing_and_never_fails(self, own):
        rig, asked = own
        rig.label(4)
        rig.run()
        [path] = rig.settings.local_dir.parent.glob("projects/*/models/*.npz")
        path.write_bytes(b"damaged")
        for _ in range(2):
            reply = asked.predict(request(text("a cat")))
            assert (answers(reply), reply.model_version) == ([None], "al-0")

    def test_more_than_are_kept_in_memory(self, own, monkeypatch):
        monkeypatch.setattr(service, "CACHED_MODELS", 1)
        rig, asked = own
        for _ in range(2):
            rig.label(4)
            rig.run()
        shelf = ModelShelf(rig.store, UID)
        for number in (1, 2, 1):
            shelf.pin(number)
            assert asked.predict(request(text("a cat"))).model_version == f"al-{number}"
