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

from active_learning.types import UNLABELED, Answer, Kind
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
            if answer is None:
                assert np.isin(np.nan_to_num(found, nan=UNLABELED), UNLABELED).all()
            else:
                assert found == as_numbers(head, {0: answer}, layout)


def ruled(head: Head, annotation: Mapping[str, Any], layout: Layout | None) -> Answer | None:
    """Return what an adapter reads of the regions that may be its own."""
    result = json.loads(json.dumps(annotation["result"]))
    types, said = list(PLAN.region_types), result if isinstance(result, list) else []
    own = [each for each in said if isinstance(each, dict) and each.get("type") in types]
    return head.read(own, layout)


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


class TestAlone:
    """What was found, by itself."""

    @pytest.mark.parametrize("result", [5, True, "cat", {"type": "choices"}, None, [["type"]]])
    def test_a_result_that_is_no_list_of_regions_says_nothing(self, result: Any) -> None:
        assert labels_of({"result": result}) == {head: [UNLABELED] for head in ("one", "path")}

    @pytest.mark.parametrize("kind", [["choices"], {"choices": 1}, None, 5])
    def test_a_region_of_no_type_is_nobodys(self, kind: Any) -> None:
        odd = {**answer_to(10)[0], "type": kind}
        assert labels_of({"result": [odd, answer_to(10)[2]]}) == {"one": [UNLABELED], "path": [1]}

    @pytest.mark.parametrize("person", [{"id": 3}, {"email": "a@b.c"}, [3], 2**64, True, "ann"])
    def test_an_annotator_may_be_anything(self, person: Any) -> None:
        said = {"result": answer_to(10), "completed_by": person}
        assert labels_of(said) == {"one": [0], "path": [1]}

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

    @pytest.mark.parametrize("depth", [900, 1_000, 20_000])
    def test_nesting_without_end_says_nothing(self, depth: int) -> None:
        nested = json.loads("[" * 900 + "]" * 900)
        for _ in range(depth - 900):
            nested = [nested]
        studio = project()
        studio.annotate(11, None, result=[{**answer_to(10)[0], "value": {"choices": nested}}])
        studio.rows[12].data = dict.fromkeys(data_of(11), nested)
        with TemporaryDirectory() as folder, open_mirror(folder) as mirror:
            data = read(studio, mirror)
            assert sum(mirror.errors().values()) == 1
        assert learned(data, 0, 11) == [UNLABELED]


def labels_of(annotation: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what is learned of a task under two controls."""
    studio = project()
    studio.annotate(11, None, **annotation)
    with TemporaryDirectory() as folder, open_mirror(folder) as mirror:
        data = read(studio, mirror)
    names = [head.name for head in PLAN.heads]
    return {name: learned(data, names.index(name), 11) for name in ("one", "path")}


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
