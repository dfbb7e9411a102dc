"""Annotators get the tasks in our order, from the first one on and while the queue moves."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from ls_active.records.secret import SECRET_HEADER
from tests.harness.case import Case
from tests.harness.data import short_texts
from tests.harness.label_studio import Annotator, data_manager_action, start_training

NEVER = 1_000
"""A `min_labels` that is never reached: the queue stays as it is."""


def number(name: str) -> int:
    return int(name.rpartition(".")[2])


@pytest.fixture(scope="module")
def still(make_shared_case):
    """Return a project whose queue is never learned from: it moves only as it is used up."""
    case = make_shared_case(texts=300)
    case.connect(min_labels=NEVER)
    return case


class TestAQueueThatStays:
    """In this order: each test goes on where the one before left the queue."""

    def test_connecting_through_the_api_is_enough(self, still):
        assert still.project.sampling == "Uncertainty sampling"
        record = still.queue()
        assert not record["provisional"]
        [hook] = still.client.webhooks(still.id)
        assert (hook["url"], hook["is_active"]) == (f"{still.stack.url}/webhook", True)
        assert len(hook["headers"][SECRET_HEADER]) == 64
        served = still.annotator().label_with(still.answer, 20)
        assert [task["id"] for task in served] == record["tasks"][:20]

    def test_two_annotators_get_the_best_that_the_other_has_not(self, still, colleague):
        done = still.said()
        order = [task for task in still.queue()["tasks"] if task not in done]
        couple = [still.annotator(), still.annotator(colleague)]
        taken: list[int] = []
        mine = [_take(annotator, order, taken) for annotator in couple]
        for turn in range(12):
            # The second annotator is slower: one task to two of the other.
            who = 1 if turn % 3 == 2 else 0
            couple[who].submit(mine[who], still.truth[mine[who]])
            mine[who] = _take(couple[who], order, taken)
        assert taken == order[:14]
        for annotator, task in zip(couple, mine, strict=True):
            annotator.submit(task, still.truth[task])

    @pytest.mark.slow
    def test_an_annotator_who_skips_everything_gets_no_random_task(self, still):
        annotator = still.annotator()
        served = []
        before = number(still.project.model_version)
        for _ in range(150):
            task = annotator.next()
            assert task is not None
            after = number(still.project.model_version)
            served.append((task["id"], before, after))
            annotator.skip(task["id"])
            before = after
        _assert_served_from_the_queue(still, served)


@pytest.fixture(scope="module")
def small(make_shared_case):
    """Return a project that fits into the head of its queue, with its first labels learned."""
    case = make_shared_case(texts=short_texts(60, seed=3)[:40])
    case.connect(min_interval=0, busy_share=1)
    case.label_both_ways(4)
    case.wait_learned()
    assert set(case.queue()["tasks"]) == set(case.truth) - set(case.said())
    return case


class TestAQueueThatMoves:
    def test_annotators_loop_while_it_is_swapped(self, make_case, colleague):
        """Every task served was of a publication in force while it was asked for."""
        case = make_case(texts=400)
        case.connect(min_interval=0, busy_share=1)
        enough = Event()
        served: list[tuple[int, int, int]] = []

        def annotate(annotator: Annotator) -> None:
            while not enough.is_set():
                before = number(case.project.model_version)
                task = annotator.next()
                assert task is not None
                served.append((task["id"], before, number(case.project.model_version)))
                annotator.submit(task["id"], case.answer(task))

        with ThreadPoolExecutor(2) as pool:
            couple = [case.annotator(), case.annotator(colleague)]
            loops = [pool.submit(annotate, annotator) for annotator in couple]
            try:
                for labels in (10, 20, 30):
                    case.wait_until(lambda n=labels: len(served) > n or _ended(loops))
                    here = number(case.project.model_version)
                    case.wait_until(
                        lambda n=here: number(case.project.model_version) > n or _ended(loops)
                    )
            finally:
                enough.set()
            for loop in loops:
                loop.result()
        _assert_served_from_the_queue(case, served)

    def test_start_training_makes_a_new_version(self, small):
        [*_, newest] = small.versions
        start_training(small.client, small.backend)
        small.wait_until(lambda: small.in_force(newest + 1))
        assert small.learned(small.said())

    def test_tasks_imported_later_enter_it(self, small):
        late = small.add(short_texts(60, seed=3)[40:])
        small.wait_until(lambda: set(late) <= set(small.queue()["tasks"]))

    @pytest.mark.slow
    def test_predictions_retrieved_by_hand_stay_and_do_not_slow_the_swap(self, make_case):
        case = make_case(texts=330)
        case.connect(min_interval=0, busy_share=1)
        case.label_both_ways(6)
        case.wait_learned()
        version = f"al-{case.versions[-1]}"
        unlabelled = [task for task in case.truth if task not in case.said()][:300]
        data_manager_action(case.client, case.id, "retrieve_tasks_predictions", unlabelled)
        assert case.predictions[version] == 300
        before = number(case.project.model_version)
        case.label(1)
        case.wait_until(lambda: number(case.project.model_version) > before, 20)
        case.wait_learned()
        case.wait_until(lambda: len(case.predictions) <= 4, 60)
        assert case.predictions[version] == 300

    @pytest.mark.slow
    def test_audit_tasks_keep_their_share_when_every_label_moves_it(self, make_case):
        share, case = 0.3, make_case(texts=100)
        case.connect(min_interval=0, busy_share=1, audit_share=share)
        annotator = case.annotator()
        audited = 0
        for done in range(1, 13):
            record = case.queue()
            task = annotator.next()
            assert task is not None
            place = record["tasks"].index(task["id"])
            audited += record["reasons"][place] == "audit"
            assert abs(audited - share * done) <= 1
            annotator.submit(task["id"], case.answer(task))
            if len(set(case.said().values())) > 1:
                case.wait_learned()


def _take(annotator: Annotator, order: list[int], taken: list[int]) -> int:
    """Ask for a task: the best that nobody has."""
    task = annotator.next()
    assert task is not None
    best = next(candidate for candidate in order if candidate not in taken)
    assert task["id"] == best
    taken.append(best)
    return best


def _ended(loops: list[Future[None]]) -> bool:
    return any(loop.done() for loop in loops)


def _assert_served_from_the_queue(case: Case, served: list[tuple[int, int, int]]) -> None:
    """Every task was of a publication in force when it was asked for, or when it came."""
    last = max(after for _, _, after in served)
    case.wait_until(lambda: case.publications()[-1]["publication"] >= last, 10)
    heads = {record["publication"]: set(record["tasks"]) for record in case.publications()}
    outside = [
        (task, before, after)
        for task, before, after in served
        if not any(task in heads.get(between, ()) for between in range(before, after + 1))
    ]
    assert outside == []
