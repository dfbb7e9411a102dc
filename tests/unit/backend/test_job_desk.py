"""Everybody who wants a job asks at the desk; it says no early, and asks nobody else."""

from __future__ import annotations

import json
import logging
import time

import pytest
from pydantic import SecretStr
from redis.exceptions import ConnectionError as RedisConnectionError

from ls_active import job_desk
from ls_active.digests import digest_of
from ls_active.errors import (
    BadLabelConfig,
    BadOptions,
    LabelStudioUnauthorized,
    NotConfigured,
    NoWorkingKey,
    QueueDown,
)
from ls_active.job_desk import ADOPT_AFTER, PROBE_AFTER, JobDesk
from ls_active.records.project import Connection
from ls_active.schemas import SetupRequest, WebhookEvent
from tests.harness.rig import OWN_URL, settings_in
from tests.harness.simulated_project import CONFIG, CREATED, UID
from tests.harness.stack import free_port


@pytest.fixture
def make_desk(valkey, tmp_path):
    made = []

    def make(url: str = valkey, **fields) -> JobDesk:
        settings = settings_in(tmp_path, redis_url=SecretStr(url))
        made.append(JobDesk(settings.model_copy(update=fields), patient=True))
        return made[-1]

    yield make
    for desk in made:
        desk.redis.close()


@pytest.fixture
def desk(make_desk):
    made = make_desk()
    made.redis.flushall()
    return made


@pytest.fixture
def no_redis(make_desk, tmp_path):
    return make_desk(f"unix://{tmp_path}/nobody.sock")


def setup(**fields) -> SetupRequest:
    body = {"project": UID, "schema": CONFIG, "hostname": "http://studio.example", **fields}
    return SetupRequest.model_validate_json(json.dumps(body))


def event(action: str = "ANNOTATION_CREATED", config: str = CONFIG) -> WebhookEvent:
    project = {"id": 1, "created_at": CREATED.isoformat(), "label_config": config}
    return WebhookEvent.model_validate_json(json.dumps({"action": action, "project": project}))


def due_in(desk: JobDesk) -> float | None:
    moment = desk.redis.zscore("al:due", UID)
    return None if moment is None else moment - time.time()


def test_a_damaged_document_costs_its_project_alone(desk, caplog):
    Connection(UID).save(desk.store)
    desk.store.write("2.5", "connection", {"titles": 5})
    assert desk.active_projects() == [UID]
    assert "2.5: connection.json is damaged" in caplog.text


class TestSetup:
    def test_of_a_new_connection_is_looked_at_a_moment_later(self, desk):
        assert desk.setup(setup(), OWN_URL) == "al-0"
        assert desk.get(f"al:{UID}:look").partition(" ")[2] == OWN_URL
        assert 0 < due_in(desk) <= ADOPT_AFTER
        assert desk.queue.count == 0

    def test_that_says_nothing_new_asks_for_nothing(self, desk):
        desk.setup(setup(), OWN_URL)
        Connection(UID).save(desk.store)
        desk.redis.delete("al:due", f"al:{UID}:look")
        assert desk.setup(setup(access_token="another"), OWN_URL) == "al-0"
        assert (due_in(desk), desk.get(f"al:{UID}:look")) == (None, None)

    def test_that_says_nothing_new_is_looked_at_where_the_data_folder_was_deleted(self, desk):
        desk.setup(setup(), OWN_URL)
        desk.redis.delete("al:due", f"al:{UID}:look")
        desk.setup(setup(), OWN_URL)
        assert due_in(desk) is not None

    @pytest.mark.parametrize("lost", ["hint_later", "redis.set"])
    def test_that_was_half_noted_is_noted_again(self, desk, monkeypatch, lost):
        """Killed, or without an answer of Redis, at any step: the same /setup comes again."""

        def silent(*_, **__):
            raise RedisConnectionError("no answer")

        owner, name = (desk.redis, "set") if lost == "redis.set" else (desk.coalescer, lost)
        with monkeypatch.context() as broken:
            broken.setattr(owner, name, silent)
            desk.setup(setup(), OWN_URL)
        desk.setup(setup(), OWN_URL)
        assert due_in(desk) is not None
        assert desk.get(f"al:{UID}:look")

    def test_whose_moment_was_lost_is_noted_again(self, desk):
        """The timer took it out, and was killed."""
        desk.setup(setup(), OWN_URL)
        desk.redis.delete("al:due")
        desk.setup(setup(), OWN_URL)
        assert due_in(desk) is not None

    @pytest.mark.parametrize(
        "news", [{"extra_params": {"seed": 3}}, {"schema": CONFIG.replace("cat", "cow")}]
    )
    def test_that_says_something_new_is_looked_at(self, desk, news):
        desk.setup(setup(), OWN_URL)
        desk.redis.delete("al:due")
        desk.setup(setup(**news), OWN_URL)
        assert due_in(desk) is not None

    @pytest.mark.parametrize(
        ("fields", "error", "words"),
        [
            ({"schema": "<View"}, BadLabelConfig, "not XML"),
            ({"schema": CONFIG.replace("toName", 'choice="several" toName')}, BadLabelConfig,
             "choice='several'"),
            ({"extra_params": {"sed": 1}}, BadOptions, "unknown option 'sed'"),
        ],
    )  # fmt: skip
    def test_that_could_not_work_is_refused_unless_it_is_live(self, desk, fields, error, words):
        with pytest.raises(error, match=words):
            desk.setup(setup(**fields), OWN_URL)
        assert due_in(desk) is None
        Connection(UID, own_url=OWN_URL).save(desk.store)
        assert desk.setup(setup(**fields), OWN_URL) == "al-0"
        assert due_in(desk) is not None

    @pytest.mark.parametrize("xml", ["", " ", "<View></View>"])
    def test_of_a_project_that_nobody_has_set_up_yet_is_welcome(self, desk, xml):
        assert desk.setup(setup(schema=xml), OWN_URL) == "al-0"

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"label_studio_url": ""}, "LABEL_STUDIO_URL is not set"),
            ({"label_studio_api_key": SecretStr("")}, "LABEL_STUDIO_API_KEY is not set"),
        ],
    )
    def test_without_address_or_key_is_refused(self, desk, make_desk, fields, words):
        with pytest.raises(NoWorkingKey, match=words):
            make_desk(**fields).setup(setup(), OWN_URL)

    def test_with_a_key_that_was_refused_lately_is_refused(self, desk, monkeypatch, caplog):
        def connect(settings, **limits):
            raise LabelStudioUnauthorized("the key is wrong")

        monkeypatch.setattr(job_desk, "connect", connect)
        for _ in range(3):
            desk.probe()
        assert caplog.text.count("no project can be connected: the key is wrong") == 1
        with pytest.raises(NoWorkingKey, match="the key is wrong"):
            desk.setup(setup(), OWN_URL)
        desk.redis.delete("al:probe")
        assert desk.setup(setup(), OWN_URL) == "al-0"

    def test_with_nobody_at_the_address_is_noted_and_the_log_tells(self, make_desk, caplog):
        desk = make_desk(label_studio_url=f"http://127.0.0.1:{free_port()}")
        desk.redis.flushall()
        for _ in range(3):
            desk.probe()
        assert caplog.text.count("no project can be connected: ") == 1
        assert "Connection refused" in caplog.text
        assert desk.setup(setup(), OWN_URL) == "al-0"

    def test_is_answered_without_redis(self, no_redis, caplog):
        with caplog.at_level(logging.WARNING):
            assert no_redis.setup(setup(access_token="5ecre7"), OWN_URL) == "al-0"
        assert "/setup not noted" in caplog.text
        assert "5ecre7" not in caplog.text

    def test_writes_no_token_anywhere(self, desk, tmp_path):
        desk.setup(setup(access_token="5ecre7-of-label-studio"), OWN_URL)
        kept = [desk.redis.get(key) for key in desk.redis.keys("al:*") if b"due" not in key]
        assert not any(b"5ecre7" in value for value in kept)
        assert not any(b"5ecre7" in file.read_bytes() for file in tmp_path.rglob("*.*"))


class TestHints:
    def test_any_number_is_one_job_and_a_second_look(self, desk):
        for _ in range(50):
            assert desk.hint(event())
        assert desk.queue.count == 1
        assert 0 < due_in(desk) <= PROBE_AFTER
        assert time.time() - float(desk.get(f"al:{UID}:heard")) < 60

    def test_remember_since_when_somebody_waits(self, desk):
        desk.hint(event())
        first = desk.get(f"al:{UID}:asked")
        desk.hint(event())
        assert desk.get(f"al:{UID}:asked") == first

    def test_that_mean_nothing_are_dropped(self, desk):
        assert not desk.hint(event("LABEL_LINK_CREATED"))
        assert not desk.hint(WebhookEvent(action="ANNOTATION_CREATED"))
        assert desk.queue.count == 0

    def test_of_our_own_updates_are_dropped(self, desk):
        desk.redis.set(f"al:{UID}:config", digest_of(CONFIG).hex())
        assert not desk.hint(event("PROJECT_UPDATED"))
        assert desk.hint(event("PROJECT_UPDATED", CONFIG.replace("cat", "cow")))
        assert desk.queue.count == 1

    def test_of_an_update_we_know_nothing_of_count(self, desk):
        assert desk.hint(event("PROJECT_UPDATED"))

    def test_are_refused_without_redis(self, no_redis):
        for ask in (
            lambda: no_redis.hint(event()),
            lambda: no_redis.hint_now(UID),
            lambda: no_redis.start_training(UID),
            lambda: no_redis.ask("disconnect", UID),
            no_redis.figures,
            no_redis.ticked,
            lambda: no_redis.is_deaf(UID),
            lambda: no_redis.failure("x"),
        ):
            with pytest.raises(QueueDown, match="Redis does not answer"):
                ask()


class TestJobs:
    def test_training_is_forced_and_named(self, desk):
        job = desk.start_training(UID)
        assert job in desk.queue.job_ids
        assert desk.coalescer.forced(UID)
        assert desk.start_training(UID) == job

    def test_others_are_asked_for_by_name(self, desk):
        job = desk.ask("pin", UID, 3)
        found = desk.queue.fetch_job(job)
        assert (found.func_name, found.args) == ("ls_active.jobs.pin", [UID, 3])
        assert desk.failure(job) == ""
        assert desk.failure("unknown") == ""

    def test_figures(self, desk):
        desk.hint_now(UID)
        figures = desk.figures()
        assert (figures.queued, figures.running, figures.failed, figures.workers) == (1, 0, 0, 0)
        assert not desk.ticked()
        desk.redis.set("al:tick", 1)
        assert desk.ticked()


class TestProjects:
    def test_known_and_active_ones(self, desk):
        Connection(UID).save(desk.store)
        Connection("2.5", active=False).save(desk.store)
        assert desk.active_projects() == [UID]
        assert desk.knows("2.5")
        assert not desk.is_active("2.5")
        assert not desk.knows("3.5")

    def test_polling_is_a_job(self, desk):
        desk.poll(UID, {"seed": 3})
        [job] = desk.queue.jobs
        assert (job.func_name, job.args) == ("ls_active.jobs.poll", [UID, '{"seed": 3}'])

    def test_secrets_differ_by_project(self, desk):
        assert len({desk.webhook_secret(UID), desk.webhook_secret("2.5")}) == 2
        assert desk.webhook_secret(UID) == desk.webhook_secret(UID)


def test_no_redis_at_all_is_said(tmp_path):
    with pytest.raises(NotConfigured, match="REDIS_URL is not set"):
        JobDesk(settings_in(tmp_path))
