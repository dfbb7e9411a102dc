"""What breaks, and that the loop goes on: nothing is lost, and annotators do not notice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from ls_active.demo.studio import Studio
from tests.harness.case import Case
from tests.harness.label_studio import personal_access_token
from tests.harness.stack import Stack, serve

WHOLE_AGAIN = 60.0
"""Seconds after which a project must be where it should be."""


@pytest.fixture(scope="module")
def key(studio: Studio) -> str:
    """Return a personal access token, which carries all of these; other tests have a legacy one."""
    return personal_access_token(studio)


@pytest.fixture(scope="module")
def stack(studio: Studio, key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a service that may be broken."""
    folder = tmp_path_factory.mktemp("fragile")
    with serve(folder, studio.url, key, {"PREDICT_PROCESSES": "1"}) as running:
        yield running
        assert key not in running.log.read_text()


class TestNobodyHearsTheWebhook:
    def test_while_we_are_down_annotators_keep_our_order_and_are_learned_from_later(
        self, make_case, stack
    ):
        case = make_case(texts=60)
        case.connect(min_interval=0, busy_share=1)
        case.label_both_ways(4)
        case.wait_learned()
        order = case.queue()["tasks"]
        stack.kill()
        try:
            served = case.annotator().label_with(case.answer, 8)
        finally:
            stack.start()
        assert [task["id"] for task in served] == order[:8]
        assert len(case.wait_learned(WHOLE_AGAIN)) == 12

    @pytest.mark.slow
    @pytest.mark.parametrize("webhook", ["deleted", "pointing nowhere"])
    def test_asking_carries_the_loop_where_no_webhook_comes(self, make_case, stack, webhook):
        case = make_case(texts=60)
        case.connect(min_interval=0, busy_share=1)
        [hook] = case.client.webhooks(case.id)
        if webhook == "deleted":
            case.client.delete_webhook(hook["id"])
        else:
            case.client.update_webhook(hook["id"], url="http://localhost:9/webhook")
        # As if it had been so for long: what was heard while connecting counts for half a minute.
        stack.desk.redis.delete(f"al:{case.uid}:heard")
        case.label_both_ways(4)
        # The look that each half minute brings, now.
        stack.desk.coalescer.hint_later(case.uid, 0)
        case.wait_learned(WHOLE_AGAIN)
        # From now on it is known, and looked for every few seconds instead of each 30.
        case.wait_until(lambda: stack.desk.is_deaf(case.uid), 10)
        case.label(1)
        case.wait_learned(WHOLE_AGAIN)

    def test_polling_needs_no_backend_in_label_studio(self, make_case, stack):
        case = make_case(texts=60)
        stack.desk.poll(case.uid)
        case.wait_for(lambda status: status.state == "waiting" and status.mode == "poll")
        assert case.project.sampling == "Uncertainty sampling"
        order = case.queue()["tasks"]
        served = case.annotator().label_with(case.answer, 1)
        assert served[0]["id"] == order[0]
        case.label_both_ways(4)
        case.wait_learned()
        assert case.client.webhooks(case.id) == case.client.ml_backends(case.id) == []


@pytest.fixture(scope="class")
def case(make_shared_case, stack):
    case = make_shared_case(stack, texts=60)
    case.connect(min_interval=0, busy_share=1)
    case.label_both_ways(2)
    case.wait_learned()
    return case


class TestProcessesDie:
    def test_every_worker_killed_in_mid_refit(self, case, stack):
        case.label_both_ways(6)
        case.wait_until(lambda: bool(stack.desk.redis.exists(f"al:{case.uid}:lock")))
        for name in ("worker 1", "worker 2"):
            _kill(stack, name)
        case.wait_learned(WHOLE_AGAIN)
        _assert_whole(case)

    def test_redis_killed(self, case, stack):
        _kill(stack, "valkey")
        case.label(3)
        case.wait_learned(WHOLE_AGAIN)
        case.label(1)
        case.wait_learned(WHOLE_AGAIN)
        _assert_whole(case)


def _kill(stack: Stack, name: str) -> None:
    [pid] = stack.pids(name)
    os.kill(pid, signal.SIGKILL)


def _assert_whole(case: Case) -> None:
    """The queue that Label Studio names is complete there."""
    record = case.queue()
    assert case.predictions[record["name"]] == len(record["tasks"])
