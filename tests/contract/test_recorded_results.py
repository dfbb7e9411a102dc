"""What people's clicks were recorded to store in Label Studio 1.23.2, and predictions of the same.

See ``tests/recorded/results/README.md``.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from active_learning.outcomes import Verdict
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.label_config import LabelConfig, parse
from ls_active.labeling.plan import make_plan
from ls_active.media import Media, MediaPolicy

RESULTS = Path(__file__).parents[1] / "recorded" / "results"
OTHERS = {"predictions", "uploads"}
NAMES = sorted({path.stem for path in RESULTS.glob("*.json")} - OTHERS)

DROPPED = {
    "choices_multiple_nested": "unhashable",
    "choices_multiple_nested_parent": "unhashable",
    "choices_single_nested": "unhashable",
    "pairwise_left": "to_name",
    "pairwise_right": "to_name",
}
"""What Label Studio itself does not take back as a prediction, and a word of its reason."""


def load(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())


def config_of(name: str) -> LabelConfig:
    return parse(load(name)["label_config"])


def problems(name: str, result: list[dict[str, Any]]) -> list[str]:
    prediction = {"task": 1, "result": result, "score": 0.5, "model_version": "x"}
    return config_of(name).validate(prediction)


def sent(created: int) -> list[Any]:
    """The predictions that were sent to Label Studio, of which so many were created."""
    return [
        pytest.param(one, id=f"{one['of']}-{number}")
        for number, one in enumerate(load("predictions"))
        if one["created"] == created
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_result_names_tags_of_its_label_config(name: str) -> None:
    config = config_of(name)
    for region in load(name)["result"]:
        control = config.control[region["from_name"]]
        assert region["type"] == control.tag.lower()
        # A pairwise comparison points at itself.
        assert region["to_name"] in {*control.to_names, control.name}
        assert region["type"] == "pairwise" or region["to_name"] in config.object


@pytest.mark.parametrize("name", sorted(set(NAMES) - DROPPED.keys()))
def test_what_people_made_is_a_valid_prediction(name: str) -> None:
    assert problems(name, load(name)["result"]) == []


@pytest.mark.parametrize(("name", "word"), DROPPED.items())
def test_what_label_studio_would_drop_is_refused(name: str, word: str) -> None:
    assert any(word in problem for problem in problems(name, load(name)["result"]))


@pytest.mark.parametrize("prediction", sent(created=0))
def test_whatever_was_dropped_is_refused(prediction: dict[str, Any]) -> None:
    assert problems(prediction["of"], prediction["result"])


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("labels_text")])
def test_spans_of_text_count_code_points(name: str) -> None:
    recorded = load(name)
    text = recorded["task_data"]["text"]
    for region in recorded["result"]:
        value = region["value"]
        span = text[value["start"] : value["end"]]
        # The page writes line ends into `text` as two characters each, a backslash and an n.
        pictured = value["text"].replace("\\n", "\n").split()
        assert pictured == span.replace("\r\n", "\n\n").split()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("timeserieslabels")])
def test_stretches_of_a_series_are_read_and_written_as_people_make_them(name: str) -> None:
    recorded = load(name)
    plan = make_plan(config_of(name))
    [head] = plan.heads
    assert head.units is not None
    data = recorded["task_data"]
    if "file" in recorded:
        packed = base64.b64encode(recorded["file"].encode()).decode()
        data = {"csv": f"data:text/csv;base64,{packed}"}
    with Media("http://localhost:8080", dict, MediaPolicy(), None) as media:
        [rows] = Inputs(plan, media).read([{"id": 1, "data": data}]).units[head.units]
    assert rows is not None
    answer = head.read(recorded["result"], rows.layout)
    assert isinstance(answer, tuple)
    said = [region["value"]["timeserieslabels"][0] for region in recorded["result"]]
    assert set(filter(None, answer)) == set(said)
    written = head.write(Verdict(answer, 1.0, (1.0,) * len(answer)), rows.layout)
    assert problems(name, written) == []
    assert head.read(written, rows.layout) == answer
    for theirs, ours in zip(recorded["result"], written, strict=True):
        if not theirs["value"]["instant"]:
            assert ours["value"]["start"] == theirs["value"]["start"]
            assert ours["value"]["end"] == theirs["value"]["end"]
