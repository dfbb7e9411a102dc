"""Everything at once for a long time on a real Label Studio, and then a recount."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from ls_active.demo.studio import Studio
from ls_active.engine.worker import RESULT_SECONDS
from ls_active.options import Options
from tests.harness.data import short_texts
from tests.harness.figures import folder_size, memory, open_files
from tests.harness.label_studio import Annotator, data_manager_action
from tests.harness.stack import Stack, serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

NAMES = ("api", "worker 1", "timer", "valkey")


@pytest.fixture
def stack(studio: Studio, tmp_path) -> Iterator[Stack]:
    env = {"WORKERS": "1", "PREDICT_PROCESSES": "1"}
    with serve(tmp_path, studio.url, studio.api_key, env) as running:
        yield running


class Day:
    """What people do, and what happens to them, at random under a seed."""

    def __init__(self, case, stack: Stack, annotators: Sequence[Annotator], seed: int) -> None:
        self.case, self.stack = case, stack
        self.random = random.Random(seed)
        self.annotators = annotators
        self.made: dict[int, int] = {}
        self.done: Counter[str] = Counter()

    @property
    def annotator(self) -> Annotator:
        """Whoever comes next."""
        return self.random.choice(self.annotators)

    def step(self) -> None:
        deeds = [self.label] * 12 + [self.correct, self.take_back, self.skip] * 2
        deeds += [self.bring_tasks, self.edit_task, self.delete_task]
        if self.random.random() < 0.01:
            deeds = [self.restart, self.kill]
        deed = self.random.choice(deeds)
        deed()
        self.done[deed.__name__] += 1

    def label(self) -> None:
        annotator = self.annotator
        task = annotator.next()
        if task is not None:
            choice = self.case.answer(task)
            self.made[annotator.submit(task["id"], choice)["id"]] = task["id"]

    def skip(self) -> None:
        annotator = self.annotator
        task = annotator.next()
        if task is not None:
            annotator.skip(task["id"])

    def correct(self) -> None:
        if self.made:
            choices = sorted(set(self.case.truth.values()))
            annotation = self.random.choice(sorted(self.made))
            self.annotator.update(annotation, self.random.choice(choices))

    def take_back(self) -> None:
        if self.made:
            annotation = self.random.choice(sorted(self.made))
            self.annotator.delete(annotation)
            del self.made[annotation]

    def bring_tasks(self) -> None:
        self.case.add(self.random.sample(short_texts(400), 5))

    def edit_task(self) -> None:
        task = self.random.choice(sorted(self.case.truth))
        text, label = self.random.choice(short_texts(400))
        body = {"data": {"text": text}}
        self.case.client.http.json("PATCH", f"/api/tasks/{task}/", body=body)
        self.case.truth[task] = label

    def delete_task(self) -> None:
        task = self.random.choice(sorted(self.case.truth))
        data_manager_action(self.case.client, self.case.id, "delete_tasks", [task])
        del self.case.truth[task]
        self.made = {made: of for made, of in self.made.items() if of != task}

    def restart(self) -> None:
        self.stack.restart()

    def kill(self) -> None:
        self.stack.kill()
        self.stack.start()

    def figures(self) -> dict[str, float]:
        pids = {name: self.stack.pids(name)[0] for name in NAMES}
        used = {f"{name} MiB": memory(pid) for name, pid in pids.items()}
        files = {f"{name} files": open_files(pid) for name, pid in pids.items()}
        # What a finished job leaves is gone by itself, and says how many there were of late.
        redis = self.stack.desk.redis
        stay = [key for key in redis.scan_iter() if not 0 <= redis.ttl(key) <= RESULT_SECONDS]
        keys = {"Redis keys": len(stay)}
        data = self.stack.folder / "data"
        sizes = {"store MiB": folder_size(data), "files": len(list(data.rglob("*")))}
        return {name: round(value, 1) for name, value in (used | files | keys | sizes).items()}


@pytest.mark.parametrize("seconds", [45, pytest.param(600, marks=pytest.mark.long)])
def test_soak(make_case, colleague, stack: Stack, seconds: int) -> None:
    case = make_case(stack, texts=120)
    case.connect(min_interval=0)
    case.label_both_ways(4)
    case.wait_learned()
    day = Day(case, stack, [case.annotator(), case.annotator(colleague)], seed=seconds)
    early, ends = day.figures(), time.monotonic() + seconds
    while time.monotonic() < ends:
        day.step()
    said = case.wait_learned(60)
    late = day.figures()
    print(f"{dict(day.done)}, {len(said)} labels learned\nearly {early}\nlate {late}")
    record = case.queue()
    assert case.predictions[record["name"]] == len(record["tasks"])
    for name in NAMES:
        # A worker may have a job at work: a process of its own.
        atop = (96, 32) if name != "worker 1" else (512, 64)
        assert late[f"{name} MiB"] < early[f"{name} MiB"] + atop[0]
        assert late[f"{name} files"] < early[f"{name} files"] + atop[1]
    assert late["Redis keys"] < early["Redis keys"] + 100
    assert late["store MiB"] < early["store MiB"] + 128
    assert len(list((stack.folder / "data").rglob("*.npz"))) <= Options().keep_models + 1
