"""Whatever a task list of Label Studio may hold costs nobody but itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from active_learning.types import OUTSIDE, UNLABELED, Answer, Kind
from ls_active.label_studio.client import LabelStudioClient
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.layout import Layout
from ls_active.labeling.plan import Head
from ls_active.labeling.tags import TagAdapter, adapters
from ls_active.loop import dataset
from ls_active.loop.consensus import encode
from ls_active.loop.dataset import Dataset
from ls_active.sync.cursor import Sync
from ls_active.sync.mirror import Mirror
from ls_active.sync.reader import Reader
from tests.checks import tag as tag_checks
from tests.checks.tag_examples import EXAMPLES, Example
from tests.harness.damage import JSON, damaged, spoilt
from tests.harness.questionnaire import EVERYTHING, PLAN, answer_to, data_of
from tests.harness.rig import Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

pytestmark = [pytest.mark.usefixtures("quickly"), pytest.mark.timeout(7200)]

INPUTS = Inputs(PLAN)
HEALTHY, HURT, TASKS = 10, 16, 20
"""The first tasks are answered rightly; what others hold, or what is said of them, is hurt; the
last ones wait."""

COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "completed_by": st.none() | st.integers(1, 3) | st.just({"id": 3, "email": "a@b.c"}) | JSON,
    "was_cancelled": st.sampled_from([None, False, True]),
    "ground_truth": st.sampled_from([None, False, True]),
    "lead_time": st.none() | st.floats(),
    "updated_at": st.sampled_from(
        ["2026-01-01T00:00:09Z", "2026-01-01T00:00:09.5Z", "2026-01-01T02:00:09+02:00",
         "2026-01-01T00:00:09", "2026-01-01T00:00:09.123456+00:00"]
    ),
}  # fmt: skip
"""What else an annotation has."""


@st.composite
def harm(draw: st.DrawFn) -> dict[int, tuple[Any, list[dict[str, Any]]]]:
    """What tasks hold, and the columns of what was said of each."""
    hurt = {}
    for number in range(HEALTHY, HURT):
        data, result = data_of(number), answer_to(number)
        said = st.fixed_dictionaries(
            {"result": spoilt(result) | damaged(result) | JSON}, optional=COLUMNS
        )
        hurt[number] = (
            draw(st.just(data) | damaged(data) | JSON),
            draw(st.lists(said, max_size=2)),
        )
    return hurt


def project() -> SimulatedLabelStudio:
    """Return a project whose healthy tasks are answered."""
    studio = SimulatedLabelStudio(map(data_of, range(TASKS)), label_config=EVERYTHING)
    for number in range(HEALTHY):
        studio.annotate(number + 1, None, result=answer_to(number))
    return studio


def injure(studio: SimulatedLabelStudio, hurt: Mapping[int, Any]) -> None:
    """Put what is hurt on its tasks."""
    for number, (data, said) in hurt.items():
        studio.rows[number + 1].data = data
        for columns in said:
            studio.annotate(number + 1, None, **columns)


def read(studio: SimulatedLabelStudio, mirror: Mirror) -> Dataset:
    """Bring a mirror level and load it."""
    client = cast("LabelStudioClient", studio)
    reader = Reader(client, mirror, 1, INPUTS, PLAN.region_types, lambda: None)
    assert Sync(reader, lambda done, total: None).run().complete
    return dataset.load(mirror, PLAN, INPUTS, uid=UID, seed=0, skip_queue="REQUEUE_FOR_OTHERS")


def open_mirror(folder: str) -> Mirror:
    return Mirror(Path(folder), "questionnaire", INPUTS.shape, INPUTS.unit_shapes)


def learned(data: Dataset, place: int, task: int) -> list[Any]:
    """Return the labels of a task under a head, as numbers."""
    pool = data.pools[place]
    row = int(np.searchsorted(pool.ids, task))
    if pool.units is None:
        return np.atleast_1d(pool.y[row]).tolist()
    return pool.y[pool.units.starts[row] : pool.units.starts[row + 1]].tolist()


def follow_the_adapters(data: Dataset, mirror: Mirror, hurt: Mapping[int, Any]) -> None:
    """Check that tasks which one annotation says something of are labelled as it says."""
    for number, (_, said) in hurt.items():
        if [bool(each.get("was_cancelled")) for each in said] != [False]:
            continue
        for place, head in enumerate(PLAN.heads):
            layout = None if head.units is None else mirror.layout(head.units, number + 1)
            found, answer = learned(data, place, number + 1), ruled(head, said[0], layout)
            assert answer != frozenset() or is_silent(head, said[0]["result"])
            if answer is None:
                assert np.isin(np.nan_to_num(found, nan=UNLABELED), UNLABELED).all()
            else:
                assert found == as_numbers(head, {0: answer}, layout)


def ruled(head: Head, annotation: Mapping[str, Any], layout: Layout | None) -> Answer | None:
    """Return what an adapter reads of all that was said, as if nothing were kept of less."""
    return head.read(json.loads(json.dumps(annotation["result"])), layout)


def is_silent(head: Head, result: Any) -> bool:
    """Whether an annotation leaves a control out, or says the empty list."""
    if not isinstance(result, list):
        return result is None
    empty = {head.adapter.region_type: []}
    for item in filter(lambda item: item is not None, result):
        if not isinstance(item, dict) or not any(
            isinstance(item.get(key), str) for key in ("from_name", "type")
        ):
            return False
        value = item.get("value")
        if item.get("from_name") == head.name and not (
            isinstance(value, dict) and value.items() >= empty.items()
        ):
            return False
    return True


def as_numbers(head: Head, answers: Mapping[int, Any], layout: Layout | None) -> list[Any]:
    """Return what a model is fitted on."""
    starts = np.array([0, len(layout.spans) if layout else 0])
    return np.ravel(encode(head.kind, answers, 1, head.classes, starts)).tolist()


def sane(data: Dataset) -> None:
    """Check that features and labels are numbers, and labels are of the config."""
    for pool in data.pools:
        X = pool.X if isinstance(pool.X, np.ndarray) else pool.X.data
        assert np.isfinite(X).all()
        if pool.kind is Kind.NUMBER:
            assert not np.isinf(pool.y).any()
        else:
            assert pool.y.min(initial=0) >= UNLABELED
            assert pool.y.max(initial=0) <= max(len(pool.classes), 1)


def test_the_questionnaire_asks_everything_that_is_learned() -> None:
    assert {head.adapter.tag for head in PLAN.heads} == {each.tag for each in adapters().values()}
    assert PLAN.left_out == ()


MANY = [10, pytest.param(200, marks=pytest.mark.slow), pytest.param(4000, marks=pytest.mark.long)]
FEW = [2, pytest.param(40, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.long)]


def try_out(check: Callable[..., None], examples: int) -> None:
    """Run a property as often as was asked for."""
    patient = settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    patient(check)()


@pytest.mark.parametrize("examples", MANY)
def test_what_is_hurt_does_not_change_what_is_read_of_the_rest(examples: int) -> None:
    with TemporaryDirectory() as folder, open_mirror(folder) as mirror:
        clean = read(project(), mirror)

    @given(harm(), st.booleans())
    def check(hurt: dict[int, Any], late: bool) -> None:
        note(str(hurt))
        studio = project()
        with TemporaryDirectory() as folder, open_mirror(folder) as mirror:
            if late:
                read(studio, mirror)
            injure(studio, hurt)
            data = read(studio, mirror)
            again = read(studio, mirror)
            sane(data)
            assert data.digest == again.digest
            for place in range(len(PLAN.heads)):
                for task in range(1, HEALTHY + 1):
                    assert learned(data, place, task) == learned(clean, place, task)
            follow_the_adapters(data, mirror, hurt)
            said = sum(mirror.errors().values())
            empty = np.diff(data.pool.X.indptr)[HEALTHY:HURT] == 0  # type: ignore[union-attr]
            assert empty.sum() <= said <= len(hurt)

    try_out(check, examples)


@pytest.mark.parametrize("examples", FEW)
def test_the_loop_learns_and_serves_the_rest(examples: int) -> None:
    @given(harm(), st.booleans())
    def check(hurt: dict[int, Any], late: bool) -> None:
        note(str(hurt))
        studio = project()
        with TemporaryDirectory() as folder:
            rig = Rig(Path(folder), studio)
            if late:
                rig.connect()
            injure(studio, hurt)
            rig.run() if late else rig.connect()
            serves(rig)
            done, status = list(studio.effect.names), rig.status
            rig.run()
            assert rig.status.version == status.version
            assert [name for name in studio.effect.names[len(done) :] if "write" not in name] == []
            serves(rig)

    try_out(check, examples)


def serves(rig: Rig) -> None:
    """Check that the order in force is whole, and made by a model of the healthy tasks at least."""
    assert rig.status.state == "ready", rig.status
    assert rig.studio.serves_whole()
    for head in rig.status.heads:
        assert HEALTHY <= head["labels"] <= HURT
        assert head["chosen"] is not None
    waiting = [row.id for row in rig.studio.rows.values() if not rig.studio.is_labeled(row)]
    assert set(waiting) <= {item["task"] for item in rig.studio.predictions}


RIGHT = {"one": [0], "many": [1, 0], "path": [1], "paths": [1, 1, 0], "spans": [OUTSIDE, 1]}
"""What is learned of a cat."""

NONE = {"one": [UNLABELED], "many": [0, 0], "path": [UNLABELED], "paths": [0] * 3} | {
    "spans": [OUTSIDE]
}
"""What is learned of an annotation that says nothing: where any number is asked for, none."""

UNREAD = {"one": [UNLABELED], "many": [UNLABELED] * 2, "path": [UNLABELED]} | {
    "paths": [UNLABELED] * 3,
    "spans": [],
}
"""What is learned where something was said, and nobody can read what; no unit is looked at."""

BOX = {"from_name": "box", "type": "rectanglelabels", "value": {"x": 1}}
RELATION = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
KINDS = [["choices"], {"choices": 1}, None, 5, "Choices", "", "relation"]
"""What stands where the type of a region should."""


def deep(levels: int) -> Any:
    """Return a list in a list in a list."""
    nested: Any = []
    for _ in range(levels - 1):
        nested = [nested]
    return nested


class TestAlone:
    """What was found, by itself."""

    @pytest.mark.parametrize("result", [None, [], [None], [BOX], [RELATION], [BOX, None]], ids=str)
    def test_nothing_said_is_none_of_these(self, result: Any) -> None:
        assert labels_of({"result": result}) == NONE

    @pytest.mark.parametrize(
        "result",
        [
            *(5, True, False, "cat", "", {}, {"type": "choices"}, {"choices": ["cat"]}),
            *(answer_to(10)[1], [["type"]], ["cat"], [5, BOX], [{}], [{"value": ["cat"]}]),
            *([{**BOX, "from_name": None, "type": 5}], [deep(2_000)]),
        ],
        ids=range(16),
    )
    def test_what_is_no_list_of_regions_may_be_any_answer(self, result: Any) -> None:
        assert labels_of({"result": result}) == UNREAD

    def test_a_region_that_names_nobody_may_be_any_of_its_type(self) -> None:
        odd = {"type": "choices", "value": {"choices": ["cat"]}}
        assert labels_of({"result": [odd]}) == NONE | {"many": UNREAD["many"]}

    @pytest.mark.parametrize("kind", KINDS, ids=str)
    def test_a_region_is_its_controls_whatever_its_type(self, kind: Any) -> None:
        odd = [{**region, "type": kind} for region in answer_to(10)]
        assert labels_of({"result": odd}) == RIGHT
        for region in odd:
            del region["type"]
        assert labels_of({"result": odd}) == RIGHT

    @pytest.mark.parametrize("kind", [*KINDS, "choices"], ids=str)
    @pytest.mark.parametrize("value", [None, "cat", {}, {"choices": 5}, deep(2_000)], ids=range(5))
    def test_what_cannot_be_read_is_not_none_of_these(self, kind: Any, value: Any) -> None:
        odd = [{**region, "type": kind, "value": value} for region in answer_to(10)]
        assert labels_of({"result": odd}) == UNREAD
        assert labels_of({"result": [*odd, *answer_to(10)]}) == RIGHT

    @pytest.mark.parametrize("person", [{"id": 3}, {"email": "a@b.c"}, [3], 2**64, True, "ann"])
    def test_an_annotator_may_be_anything(self, person: Any) -> None:
        said = {"result": answer_to(10), "completed_by": person}
        assert labels_of(said) == RIGHT

    @pytest.mark.parametrize("number", [1e100, "-1e308"])
    def test_a_number_beyond_measure_does_not_stop_the_rest(
        self, tmp_path: Path, number: Any
    ) -> None:
        result = answer_to(10)
        result[5]["value"]["number"] = number
        rig = Rig(tmp_path, project())
        rig.studio.annotate(11, None, result=result)
        rig.connect()
        serves(rig)
        labels = {head["control"]: head["labels"] for head in rig.status.heads}
        assert (labels["size"], labels["one"]) == (HEALTHY, HEALTHY + 1)

    @pytest.mark.parametrize("depth", [250, 500, *range(850, 1_000, 10), 1_000, 20_000])
    def test_nesting_without_end_says_nothing(self, depth: int) -> None:
        nested, studio = deep(depth), project()
        for task, keys in ((11, ("value",)), (13, ("from_name", "to_name", "type"))):
            odd = [{**region, **dict.fromkeys(keys, nested)} for region in answer_to(10)]
            studio.annotate(task, None, result=odd)
        chosen = [region | {"value": {region["type"]: nested}} for region in answer_to(10)]
        studio.annotate(14, None, result=chosen)
        studio.rows[12].data = dict.fromkeys(data_of(11), nested)
        with TemporaryDirectory() as folder, open_mirror(folder) as mirror:
            data = read(studio, mirror)
            assert sum(mirror.errors().values()) == 1
        assert [labels_in(data, task) for task in (11, 13, 14)] == [UNREAD] * 3

    @pytest.mark.parametrize("place", range(9))
    def test_nesting_without_end_costs_no_other_answer(self, place: int) -> None:
        result = answer_to(10)
        result[place] |= {"value": {result[place]["type"]: deep(2_000)}}
        name = result[place]["from_name"]
        lost = {name: UNREAD[name]} if name in UNREAD else {}
        assert labels_of({"result": result}) == RIGHT | lost
        assert labels_of({"result": [*result, answer_to(10)[place]]}) == RIGHT


def labels_of(annotation: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what is learned of an annotation."""
    studio = project()
    studio.annotate(11, None, **annotation)
    with TemporaryDirectory() as folder, open_mirror(folder) as mirror:
        return labels_in(read(studio, mirror), 11)


def labels_in(data: Dataset, task: int) -> dict[str, list[Any]]:
    """Return what is learned of a task under some controls; of units, which labels there are."""
    found = {head.name: learned(data, place, task) for place, head in enumerate(PLAN.heads)}
    return {name: found[name] for name in RIGHT} | {"spans": sorted(set(found["spans"]))}


CASES = [
    pytest.param(adapter, example, id=f"{adapter.tag}-{number}")
    for adapter in adapters().values()
    for number, example in enumerate(EXAMPLES.get(adapter.tag, ()))
]


@pytest.mark.parametrize(("adapter", "example"), CASES)
def test_any_result_is_read_as_an_answer_or_none(adapter: TagAdapter, example: Example) -> None:
    _, head = tag_checks.learn(adapter, example)

    @given(tag_checks.written(head, example), st.data())
    def check(said: tuple[Any, Layout | None], data: st.DataObject) -> None:
        result, layout = head.write(*said), said[1]
        hurt = data.draw(damaged(result) | JSON)
        answer = head.read(hurt, layout)
        assert tag_checks.is_answer(head, answer, layout)
        if answer is not None:
            assert np.isfinite(as_numbers(head, {0: answer}, layout)).all()
        assert head.read(json.loads(json.dumps(hurt)), layout) == answer

    check()
