"""Every cell of the README's table: annotated, cut, fitted, answered, and taken by Label Studio."""

from __future__ import annotations

import pytest

from active_learning import registry
from ls_active import service
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.labeling.tags import adapters
from ls_active.schemas import PredictRequest
from ls_active.service import Service
from tests.checks.cells import CONTROLS, OBJECTS, config_of, data_of, result_of
from tests.harness.rig import Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

TAGS = sorted({tag for item in registry.featurizers().values() for tag in item.object_tags})
ASKED = [adapter.tag for adapter in adapters().values()]
TASKS, LABELLED = 24, 16


def learned(shown: str) -> list[str]:
    """The control tags that are learned on an object tag."""
    known = (tag for tag in ASKED if tag in CONTROLS)
    plans = {tag: make_plan(label_config.parse(config_of(shown, tag))) for tag in known}
    return [tag for tag, plan in plans.items() if plan.heads]


CELLS = [(shown, tag) for shown in TAGS if shown in OBJECTS for tag in learned(shown)]


pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture(scope="module")
def rigs(tmp_path_factory):
    """One project an object tag, with all the controls that are learned on it."""
    made: dict[str, Rig] = {}

    def make(shown: str) -> Rig:
        if shown not in made:
            asked = learned(shown)
            data = [data_of(shown, number % 2, number) for number in range(TASKS)]
            studio = SimulatedLabelStudio(data, label_config=config_of(shown, *asked))
            rig = Rig(tmp_path_factory.mktemp("cell"), studio, prelabels="always")
            rig.connect()
            for number, task in enumerate(sorted(studio.rows)[:LABELLED]):
                studio.annotate(
                    task, None, result=result_of(shown, asked, data[number], number % 2)
                )
            rig.run()
            made[shown] = rig
        return made[shown]

    return make


def test_every_tag_has_an_example():
    assert set(TAGS) == set(OBJECTS)
    assert set(ASKED) == set(CONTROLS)


@pytest.mark.parametrize("shown", sorted({shown for shown, _ in CELLS}))
def test_every_file_and_value_is_read(rigs, shown):
    status = rigs(shown).status
    assert (status.state, status.version, status.unreadable) == ("ready", 1, {})


@pytest.mark.parametrize(("shown", "tag"), CELLS)
def test_every_cell(rigs, shown, tag, monkeypatch):
    monkeypatch.setattr(service, "VERSION_SECONDS", 0.0)
    rig = rigs(shown)
    xml = rig.studio.fields["label_config"]
    config = label_config.parse(xml)
    rows = list(enumerate(sorted(rig.studio.rows)))[-8:]
    tasks = [{"id": task, "data": rig.studio.rows[task].data} for _, task in rows]
    request = PredictRequest(tasks=tasks, project=UID, label_config=xml)
    results = Service(rig.settings).predict(request).results
    right = 0
    for (number, _), task, prediction in zip(rows, tasks, results, strict=True):
        assert config.validate(prediction.model_dump()) == []
        said = [each for each in prediction.result if each["from_name"] == tag.lower()]
        expected = result_of(shown, [tag], task["data"], number % 2)
        right += agree(tag, said, expected)
    assert right >= 7, f"{right} of 8 tasks nobody labelled are answered rightly"


def agree(tag: str, said: list[dict], expected: list[dict]) -> bool:
    """Whether an answer is the right one; of spans, whether the larger part is."""
    if not said:
        return False
    if tag == "Number":
        return abs(said[0]["value"]["number"] - expected[0]["value"]["number"]) < 2.5
    if not CONTROLS[tag].units:
        return [each["value"] for each in said] == [each["value"] for each in expected]
    [truth] = [each["value"] for each in expected]
    label = CONTROLS[tag].region
    shared = sum(
        max(
            0, min(each["value"]["end"], truth["end"]) - max(each["value"]["start"], truth["start"])
        )
        for each in said
        if each["value"][label] == truth[label]
    )
    return shared > 0.6 * (truth["end"] - truth["start"])


@pytest.mark.parametrize("shown", sorted({shown for shown, _ in CELLS}))
def test_the_queue_of_every_object_is_taken_whole(rigs, shown):
    rig = rigs(shown)
    assert rig.studio.serves_whole()
    assert rig.record["name"].startswith("al-1.")
    strategy = [n for n, why in enumerate(rig.record["reasons"]) if why == "strategy"]
    assert all(rig.record["shown"][n] for n in strategy)
