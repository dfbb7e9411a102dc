"""A vector in a task's data, made by any encoder, is learned from in place of all else."""

from __future__ import annotations

import numpy as np
import pytest

from ls_active import service
from ls_active.schemas import PredictRequest
from ls_active.service import Service
from tests.harness.quick import quick
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

CONFIG = (
    '<View><Video name="video" value="$video"/><Choices name="topic" toName="video">'
    '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
)


@pytest.fixture(autouse=True, scope="module")
def _quick():
    with quick(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "VERSION_SECONDS", 0.0)
        yield


def vector(number: int) -> list[float]:
    rng = np.random.default_rng(number)
    return [4.0 * (number % 2) + rng.normal(), rng.normal(), rng.normal(), 1.0]


def data(number: int) -> dict:
    return {"video": f"/data/upload/{number}.mp4", "embedding": vector(number)}


def label(rig: Rig, tasks: list[int]) -> None:
    for task in tasks:
        number = int(rig.studio.rows[task].data["video"].rpartition("/")[2].removesuffix(".mp4"))
        rig.studio.annotate(task, "dog" if number % 2 else "cat")


@pytest.fixture
def rig(tmp_path):
    studio = SimulatedLabelStudio([data(number) for number in range(40)], label_config=CONFIG)
    rig = Rig(tmp_path, studio)
    rig.connect()
    label(rig, sorted(studio.rows)[:20])
    rig.run()
    return rig


def ask(rig: Rig, *tasks: dict) -> list[str | None]:
    rows = [{"id": n, "data": task} for n, task in enumerate(tasks)]
    request = PredictRequest(tasks=rows, project=UID, label_config=CONFIG)
    results = [each.result for each in Service(rig.settings).predict(request).results]
    return [result[0]["value"]["choices"][0] if result else None for result in results]


def test_is_all_that_is_read(rig):
    manifest = rig.store.manifest(UID, 1)
    assert manifest["vector"] == 4
    assert manifest["features"].startswith("vector/1/embedding")
    assert rig.status.unreadable == {}
    said = ask(rig, *[data(number) for number in range(20, 40)])
    right = ["dog" if number % 2 else "cat" for number in range(20, 40)]
    assert np.mean([a == b for a, b in zip(said, right, strict=True)]) > 0.9


@pytest.mark.parametrize(
    "wrong", [{}, {"embedding": [1, 2]}, {"embedding": "far"}, {"embedding": [0, 0, 0, 0]}]
)
def test_that_is_wrong_costs_only_its_task(rig, wrong):
    assert ask(rig, data(20), wrong, data(21)) == ["cat", None, "dog"]
    rig.studio.add_tasks([wrong])
    rig.run()
    assert sum(rig.status.unreadable.values()) == 1


@pytest.mark.parametrize("other", ["words2vec", ["an", "embedding"], [[1.0, 2.0]], {"x": 1}, []])
def test_is_not_anything_else_of_that_name(tmp_path, other):
    texts = [{"text": text, "embedding": other} for text in TEXTS[:8]]
    rig = Rig(tmp_path, SimulatedLabelStudio(texts))
    rig.connect()
    rig.label(4)
    rig.run()
    assert rig.store.manifest(UID, 1)["features"] == "text/1/text"
    assert rig.status.unreadable == {}


def test_that_is_imported_later_starts_anew(tmp_path):
    plain = [{"video": f"/data/upload/{number}.mp4"} for number in range(8)]
    studio = SimulatedLabelStudio(plain, label_config=CONFIG)
    rig = Rig(tmp_path, studio)
    rig.connect()
    assert rig.status.state == "waiting"
    assert "Video" in rig.status.detail
    for task, row in studio.rows.items():
        row.data = row.data | {"embedding": vector(task - 1)}
    rig.run()
    label(rig, sorted(studio.rows)[:6])
    rig.run()
    assert (rig.status.state, rig.status.version) == ("ready", 1)
