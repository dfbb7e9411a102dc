"""Whatever annotators and admins change is learned, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.case import Case, label_config
from tests.harness.data import CLASSES, short_texts
from tests.harness.label_studio import data_manager_action


class TestAnnotations:
    def test_every_change_of_an_annotation_is_learned(self, make_case, colleague):
        case = make_case(texts=60)
        case.connect(min_interval=0, busy_share=1)
        made = case.label_both_ways(10)
        before = case.wait_learned()
        annotator, other = case.annotator(), case.annotator(colleague)
        task = {each: _task_of(case, each) for each in made}

        def changed(what: Callable[[], object], expected: dict[int, str | None]) -> None:
            nonlocal before
            what()
            after = case.wait_learned()
            wanted = {**before, **expected}
            assert after == {each: label for each, label in wanted.items() if label is not None}
            before = after

        wrong = _another(before[task[made[0]]])
        changed(lambda: annotator.update(made[0], wrong), {task[made[0]]: wrong})
        changed(lambda: annotator.delete(made[1]), {task[made[1]]: None})
        changed(
            lambda: data_manager_action(
                case.client, case.id, "delete_tasks_annotations", [task[made[2]], task[made[3]]]
            ),
            {task[made[2]]: None, task[made[3]]: None},
        )
        disputed = task[made[4]]
        dissent = _another(before[disputed])
        second = other.submit(disputed, dissent)["id"]
        changed(lambda: None, {disputed: None})
        changed(lambda: annotator.set_ground_truth(second, True), {disputed: dissent})
        changed(lambda: annotator.set_ground_truth(second, False), {disputed: None})

    def test_a_skip_leaves_the_queue_and_an_unskip_returns(self, make_case):
        case = make_case(texts=40, skip_queue="IGNORE_SKIPPED")
        case.connect(min_interval=0, busy_share=1)
        case.label_both_ways(4)
        case.wait_learned()
        annotator = case.annotator()
        [skipped, *_] = case.queue()["tasks"]
        annotation = annotator.skip(skipped)["id"]
        case.label(1)
        said = case.wait_learned()
        assert skipped not in said
        assert skipped not in case.queue()["tasks"]
        annotator.unskip(annotation)
        case.label(1)
        case.wait_learned()
        case.wait_until(lambda: skipped in case.queue()["tasks"])
        annotator.submit(skipped, case.truth[skipped])
        assert skipped in case.wait_learned()


class TestTheLabelConfig:
    @pytest.mark.slow
    def test_a_label_that_is_added_can_be_learned(self, make_case):
        case = make_case(texts=60, label_config=label_config(*CLASSES[:3]))
        case.connect(min_interval=0, busy_share=1)
        choices = [CLASSES[turn % 3] for turn in range(6)]
        tasks = list(case.truth)
        for task, choice in zip(tasks, choices, strict=False):
            case.annotator().submit(task, choice)
        case.wait_learned()
        case.client.update_project(case.id, label_config=label_config(*CLASSES))
        case.wait_until(lambda: _classes(case) == list(CLASSES))
        case.annotator().submit(tasks[10], "tech")
        assert case.wait_learned()[tasks[10]] == "tech"

    def test_a_label_that_is_removed_is_forgotten(self, make_case):
        case = make_case(texts=60)
        case.connect(min_interval=0, busy_share=1, prelabels="always")
        annotator, tasks = case.annotator(), list(case.truth)[:9]
        for turn, task in enumerate(tasks):
            annotator.submit(task, CLASSES[turn % 3])
        case.wait_learned()
        # Label Studio lets it go although annotations have it; they just count no more.
        left = CLASSES[1:]
        case.client.update_project(case.id, label_config=label_config(*left))
        case.wait_until(lambda: _classes(case) == list(left))
        case.wait_learned()
        assert case.wait_for(lambda status: status.labels == 6).state == "ready"
        case.wait_until(lambda: _answers(case) <= set(left))


class TestTasks:
    def test_unreadable_ones_cost_only_themselves_and_only_while_they_are(self, make_case):
        case = make_case(texts=40)
        blank, odd, *_ = case.truth
        _set_data(case, blank, {"text": "  "})
        _set_data(case, odd, {"text": {"no": "text"}})
        case.connect(min_interval=0, busy_share=1)
        case.label_both_ways(6)
        case.wait_learned()
        status = case.wait_for(lambda status: len(status.unreadable) == 2)
        assert sum(status.unreadable.values()) == 2
        assert len(case.queue()["tasks"]) == len(case.truth) - len(case.said())
        _set_data(case, blank, {"text": short_texts(1, seed=9)[0][0]})
        case.stack.desk.hint_now(case.uid)  # Label Studio says nothing of edited data.
        case.wait_for(lambda status: len(status.unreadable) == 1)

    def test_deleted_ones_leave_the_queue(self, make_case):
        case = make_case(texts=40)
        case.connect(min_interval=0, busy_share=1)
        gone = case.queue()["tasks"][:5]
        data_manager_action(case.client, case.id, "delete_tasks", gone)
        case.wait_for(lambda status: status.tasks == 35)
        for task in gone:
            del case.truth[task]
        case.label_both_ways(4)
        case.wait_learned()
        assert not set(gone) & set(case.queue()["tasks"])


def _another(label: str) -> str:
    return CLASSES[(CLASSES.index(label) + 1) % len(CLASSES)]


def _task_of(case: Case, annotation: int) -> int:
    return int(case.client.http.json("GET", f"/api/annotations/{annotation}")["task"])


def _set_data(case: Case, task: int, data: dict[str, object]) -> None:
    case.client.http.json("PATCH", f"/api/tasks/{task}", body={"data": data})


def _answers(case: Case) -> set[str]:
    """Return what the queue in force would answer."""
    regions = [region for regions in case.queue()["predictions"] for region in regions]
    assert regions
    return {region["value"]["choices"][0] for region in regions}


def _classes(case: Case) -> list[str]:
    return list(case.stack.store.manifest(case.uid, case.versions[-1])["heads"][0]["classes"])
