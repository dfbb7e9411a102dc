"""The command line against a real Label Studio: connect, break, doctor, mend, go back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ls_active.demo.studio import Studio
from ls_active.label_studio.client import LabelStudioClient
from ls_active.records.project import Connection
from ls_active.records.secret import SECRET_HEADER
from tests.harness.case import Case
from tests.harness.command_line import Done, run_here
from tests.harness.data import LABEL_CONFIG, short_texts
from tests.harness.label_studio import installation, label_studio
from tests.harness.stack import Stack, serve


def run(stack: Stack, *arguments: str) -> Done:
    """Run our command line against a service."""
    return run_here(*arguments, env=stack.env)


@pytest.fixture
def case(make_case):
    """A project that the command line connected, to be broken."""
    return connected(make_case(texts=60))


@pytest.fixture(scope="module")
def calm(make_shared_case):
    """A project that the command line connected, and that nobody breaks."""
    return connected(make_shared_case(texts=60))


def connected(made: Case) -> Case:
    done = run(made.stack, "connect", str(made.id), "-o", "min_interval=0", "-o", "busy_share=1")
    assert done.returncode == 0, done.stderr
    assert "Label All Tasks" in done.stdout
    return made


class TestDoctor:
    def test_what_is_broken_is_found_and_mended(self, case):
        client, secret = case.client, case.stack.desk.webhook_secret(case.uid)
        _put_nothing_back_for_now(case)
        (hook,) = client.webhooks(case.id)
        client.update_webhook(hook["id"], headers={})
        client.create_webhook(case.id, hook["url"])
        client.update_project(
            case.id, sampling="Sequential sampling", model_version="active learning"
        )
        sick = run(case.stack, "doctor", str(case.id))
        assert sick.returncode == 1
        for words in (
            "2 call us",
            "without our secret",
            "'Sequential sampling'",
            "a backend's title",
        ):
            assert words in sick.stdout
        mended = run(case.stack, "doctor", str(case.id), "--fix")
        assert mended.returncode == 0, mended.stdout + mended.stderr
        assert "nothing is left to mend" in mended.stdout
        (hook,) = client.webhooks(case.id)
        assert hook["headers"] == {SECRET_HEADER: secret}
        assert case.project.sampling == "Uncertainty sampling"
        assert case.project.model_version == case.queue()["name"]
        for text in (sick.stdout, mended.stdout, sick.stderr, mended.stderr):
            assert secret not in text
            assert case.client.http._tokens._api_key not in text

    def test_the_webhook_of_a_backend_that_is_gone_is_deleted(self, case):
        (row,) = case.client.ml_backends(case.id)
        case.client.delete_ml_backend(row["id"])
        sick = run(case.stack, "doctor", str(case.id))
        assert sick.returncode == 1
        assert "no backend is connected there" in sick.stdout
        mended = run(case.stack, "doctor", str(case.id), "--fix")
        assert "deleted webhook" in mended.stdout
        assert case.client.webhooks(case.id) == []


def _put_nothing_back_for_now(case):
    """Have the loop believe that it put something back a moment ago: it waits 10 min then."""
    connection = Connection.load(case.stack.store, case.uid)
    assert connection is not None
    connection.but(adopted_at=0.0, contested_at=time.time()).save(case.stack.store)


class TestCommands:
    """In this order: each test goes on where the one before left the project."""

    def test_a_healthy_project_passes(self, calm):
        done = run(calm.stack, "doctor", str(calm.id))
        assert done.returncode == 0, done.stdout
        assert "warning" not in done.stdout
        assert "error" not in done.stdout

    def test_training_without_labels_says_what_is_missing(self, calm):
        done = run(calm.stack, "retrain", str(calm.id))
        assert done.returncode == 1
        assert "at least 2 labels in 2 classes" in done.stderr
        assert calm.versions == []

    def test_train_go_back_and_on(self, calm):
        calm.label_both_ways(6)
        calm.wait_learned()
        trained = run(calm.stack, "retrain", str(calm.id))
        assert trained.returncode == 0, trained.stderr
        newest = calm.versions[-1]
        assert f"al-{newest} was made from 6 labels" in trained.stdout
        back = run(calm.stack, "rollback", calm.project.title, "1")
        assert back.returncode == 0, back.stderr
        assert calm.project.model_version.startswith("al-1.")
        status = run(calm.stack, "status", str(calm.id))
        assert "held by rollback" in status.stdout
        assert run(calm.stack, "rollback", str(calm.id), "--unpin").returncode == 0
        assert calm.project.model_version.startswith(f"al-{newest}.")
        (said,) = json.loads(run(calm.stack, "status", str(calm.id), "--json").stdout)
        assert (said["version"], said["pinned"], said["labels"]) == (newest, None, 6)

    def test_connecting_again_changes_the_options(self, calm):
        done = run(calm.stack, "connect", str(calm.id), "-o", "strategy=entropy")
        assert done.returncode == 0, done.stderr
        (row,) = calm.client.ml_backends(calm.id)
        assert row["extra_params"] == {"strategy": "entropy"}

    def test_disconnecting_gives_it_back(self, calm):
        done = run(calm.stack, "disconnect", str(calm.id))
        assert done.returncode == 0, done.stderr
        assert calm.client.ml_backends(calm.id) == []
        assert calm.project.sampling == "Sequential sampling"

    def test_a_project_that_was_deleted_can_still_be_disconnected(self, stack, client):
        other = client.create_project("soon gone", LABEL_CONFIG)
        client.import_tasks(other.id, [{"data": {"text": text}} for text, _ in short_texts(5)])
        assert run(stack, "connect", str(other.id)).returncode == 0
        client.delete_project(other.id)
        assert "no project" in run(stack, "doctor", other.uid).stdout
        done = run(stack, "disconnect", other.uid)
        assert done.returncode == 0, done.stderr
        assert "gone from Label Studio" in done.stdout


class TestLocalAddressesThatLabelStudioRefuses:
    """Facts 2.1 to 2.3: what people with Label Studio's default settings meet first."""

    @pytest.mark.slow
    def test_it_is_explained_and_polling_is_a_way_out(self, strict, tmp_path):
        with _news_in(strict, tmp_path) as (stack, client, number):
            refused = run(stack, "connect", str(number))
            assert refused.returncode == 1
            assert "SSRF_PROTECTION_ENABLED=false" in refused.stderr
            assert "--poll" in refused.stderr
            done = run(stack, "connect", str(number), "--poll")
            assert done.returncode == 0, done.stderr
            _assert_asks(stack, client, number, done, "as wished")

    @pytest.mark.slow
    def test_with_one_switch_off_it_asks_by_itself(self, tmp_path):
        if installation().version.startswith("1.22."):
            pytest.skip("in Label Studio 1.22 one of them off is enough")
        env = {"ML_BLOCK_LOCAL_IP": "false", "SSRF_PROTECTION_ENABLED": "true"}
        with (
            label_studio(tmp_path / "studio", env=env) as studio,
            _news_in(studio, tmp_path) as (stack, client, number),
        ):
            done = run(stack, "connect", str(number))
            assert done.returncode == 0, done.stderr
            assert "SSRF_PROTECTION_ENABLED=false" in done.stderr
            _assert_asks(stack, client, number, done, "USE_DEFAULT_BANNED_SUBNETS=false")


@contextmanager
def _news_in(studio: Studio, folder: Path) -> Iterator[tuple[Stack, LabelStudioClient, int]]:
    """Have a service for a Label Studio, and a project in it."""
    with (
        LabelStudioClient(studio.url, studio.api_key) as client,
        serve(folder / "service", studio.url, studio.api_key) as stack,
    ):
        project = client.create_project("News", LABEL_CONFIG)
        tasks = [{"data": {"text": text}} for text, _ in short_texts(20)]
        client.import_tasks(project.id, tasks)
        yield stack, client, project.id


def _assert_asks(
    stack: Stack, client: LabelStudioClient, number: int, done: Done, words: str
) -> None:
    assert "every 5 s" in done.stdout
    assert client.project(number).model_version.startswith("al-0.")
    # As a process of its own, as it is mostly run.
    doctor = stack.run("doctor", "News")
    assert doctor.returncode == 0, doctor.stdout
    assert words in doctor.stdout
