"""The command line: what it refuses, which project it means, what it prints."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from rich.console import Console

from ls_active import stack, words
from ls_active.cli import commands
from ls_active.cli import main as cli
from ls_active.console import connecting, known, show
from ls_active.console.waiting import NotDone, wait_for
from ls_active.engine.worker import LoopWorker
from ls_active.errors import BadLabelConfig, BadOptions, NotConfigured, NotFound, QueueDown
from ls_active.job_desk import JobDesk
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import Store
from ls_active.settings import Settings, get_settings
from tests.harness.command_line import run_here
from tests.harness.stack import free_port
from tests.http_fakes import make_settings
from tests.unit.backend.test_doctor import PROJECT

UID, OTHER = "1.1795351743", "2.1795351743"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two projects: News, connected, and Boxes, not any more."""
    made = Store(str(tmp_path))
    ProjectStatus(UID, title="News").save(made)
    Connection(UID, own_url="http://here:1").save(made)
    ProjectStatus(OTHER, title="Boxes").save(made)
    Connection(OTHER, active=False).save(made)
    return made


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run the command line; return its exit code, output and errors."""

    def command(*arguments: str) -> tuple[int, str, str]:
        done = run_here(*arguments, env={"DATA_DIR": str(tmp_path)})
        return done.returncode, done.stdout, done.stderr

    return command


class TestErrors:
    def test_help_does_not_wait_for_what_only_commands_need(self):
        code = (
            "import sys, ls_active.cli.main; "
            "heavy = {'numpy', 'sklearn', 'label_studio_sdk', 'redis'}; "
            "print(sorted(heavy & set(sys.modules)))"
        )
        assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"

    def test_an_error_is_one_line_without_a_traceback(self, run):
        code, out, err = run("connect", "News")
        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        assert "LABEL_STUDIO_URL" in err

    def test_settings_that_cannot_be_used_are_named_and_not_quoted(self, run, monkeypatch):
        monkeypatch.setenv("PORT", "sec ret")
        code, _, err = run("status")
        assert code == 1
        assert "PORT" in err
        assert "sec ret" not in err

    def test_commands_that_need_the_service_say_so(self, run, store):
        for arguments in (["retrain", "News"], ["disconnect", "News"]):
            code, _, err = run(*arguments)
            assert code == 1
            assert "start `ls-active serve` first" in err

    def test_rollback_wants_a_version_or_unpin(self, run, store):
        assert run("rollback", "News")[0] == 2
        assert run("rollback", "News", "3", "--unpin")[0] == 2

    @pytest.mark.parametrize(("version", "said"), [("x", "looks like 7"), ("7", "none yet")])
    def test_rollback_knows_its_versions(self, run, store, version, said):
        code, _, err = run("rollback", "News", version)
        assert code == 1
        assert said in err

    def test_a_disconnected_project_is_not_trained(self, run, store):
        code, _, err = run("retrain", "Boxes")
        assert code == 1
        assert "ls-active connect Boxes" in err

    def test_a_worker_alone_needs_a_redis_to_share(self, run):
        code, _, err = run("worker")
        assert code == 1
        assert "REDIS_URL" in err


class TestDisconnecting:
    @pytest.mark.parametrize("failure", ["", "DELETE http://studio/api/ml/1: 500"])
    def test_is_over_when_its_own_job_is(self, run, store, monkeypatch, failure):
        """Another run may have found the project without its row meanwhile."""

        def ask(*_):
            ProjectStatus.load(store, UID).now(State.DISCONNECTED, "no backend").save(store)
            return "a job"

        desk = SimpleNamespace(
            store=store, ask=ask, is_done=lambda _: not failure, failure=lambda _: failure
        )
        monkeypatch.setattr(commands, "open_desk", lambda _: nullcontext(desk))
        code, out, err = run("disconnect", "News")
        assert (code, "is disconnected" in out) == ((1, False) if failure else (0, True))
        assert failure in err

    @pytest.mark.parametrize("original", [{}, {"sampling": "Sequential sampling"}])
    def test_is_said_to_be_over_where_all_was_given_back(self, run, store, monkeypatch, original):
        Connection(UID, active=False, original=original).save(store)
        asked = []
        desk = SimpleNamespace(store=store, ask=lambda *words: asked.append(words) or "a job")
        monkeypatch.setattr(commands, "open_desk", lambda _: nullcontext(desk))
        monkeypatch.setattr(
            commands, "wait_for", lambda *_, **__: ProjectStatus(UID, state=State.DISCONNECTED)
        )
        out = run("disconnect", "News")[1]
        assert ("disconnected already" in out, asked) == (
            (False, [("disconnect", UID)]) if original else (True, [])
        )


class TestServe:
    @pytest.fixture(autouse=True)
    def _served(self, monkeypatch):
        self.served: list[Settings] = []
        # A service may be running on this machine.
        monkeypatch.setenv("PORT", str(free_port()))
        monkeypatch.setattr(stack, "serve", lambda settings: self.served.append(settings) or 0)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "backend.internal"])
    def test_others_are_let_in_only_with_a_password_or_on_purpose(self, run, monkeypatch, host):
        code, _, err = run("serve", "--host", host)
        assert (code, self.served) == (1, [])
        assert "--insecure" in err
        assert run("serve", "--host", host, "--insecure")[0] == 0
        monkeypatch.setenv("BASIC_AUTH_USER", "ann")
        monkeypatch.setenv("BASIC_AUTH_PASS", "pass")
        assert run("serve", "--host", host)[0] == 0
        assert [settings.host for settings in self.served] == [host, host]

    def test_wrong_options_of_all_projects_are_said_at_once(self, monkeypatch, run):
        monkeypatch.setenv("OPTIONS", "strategy=margn")
        get_settings.cache_clear()
        code, _, err = run("serve")
        assert (code, self.served) == (1, [])
        assert "margn" in err
        get_settings.cache_clear()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
    def test_the_loopback_address_is_open(self, run, host):
        assert run("serve", "--host", host, "--port", "9999")[0] == 0
        assert (self.served[0].host, self.served[0].port) == (host, 9999)


class TestWhichProject:
    @pytest.mark.parametrize("text", ["1", "News", "news", UID])
    def test_number_title_or_uid(self, store, text):
        assert known.find_known(store, text) == UID

    def test_of_two_with_one_number_the_connected_one_is_meant(self, store):
        older = "1.1700000000"
        ProjectStatus(older, title="News").save(store)
        Connection(older, active=False).save(store)
        assert known.find_known(store, "1") == UID

    def test_two_connected_ones_of_a_title_are_not_guessed_at(self, store):
        Connection("3.1795351743").save(store)
        ProjectStatus("3.1795351743", title="News").save(store)
        with pytest.raises(NotFound, match=r"3\.1795351743"):
            known.find_known(store, "News")

    def test_an_unknown_one_lists_those_there_are(self, store):
        with pytest.raises(NotFound, match=r"News.*Boxes"):
            known.find_known(store, "nonsense")


class TestConnecting:
    def test_pairs_become_options(self):
        settings = Settings(_env_file=None)
        pairs = ["strategy=entropy", "min_interval = 2"]
        assert connecting.parse_pairs(settings, pairs) == {
            "strategy": "entropy",
            "min_interval": "2",
        }

    @pytest.mark.parametrize("pair", ["strategy", "strategy=best", "colour=red", "min_labels=x"])
    def test_wrong_ones_list_the_valid_ones(self, pair):
        with pytest.raises(BadOptions, match="Valid options"):
            connecting.parse_pairs(Settings(_env_file=None), [pair])

    @pytest.mark.parametrize(
        ("fields", "url"),
        [
            ({}, "http://127.0.0.1:9090"),
            ({"host": "::1", "port": 1}, "http://[::1]:1"),
            ({"public_url": "https://al.example/x/"}, "https://al.example/x"),
        ],
    )
    def test_our_address(self, fields, url):
        assert connecting.default_url(Settings(_env_file=None, **fields)) == url

    def test_every_address_of_a_machine_is_not_one_to_call(self):
        with pytest.raises(NotConfigured, match="--url"):
            connecting.default_url(Settings(_env_file=None, host="0.0.0.0"))

    def test_a_config_with_nothing_to_learn_is_refused_with_the_reason(self):
        config = '<View><Image name="i" value="$i"/><Brush name="b" toName="i"/></View>'
        unlearnable = PROJECT.__class__(**{**vars(PROJECT), "label_config": config})
        with pytest.raises(BadLabelConfig, match="Brush"):
            connecting.refuse_unlearnable(unlearnable)
        connecting.refuse_unlearnable(PROJECT)


class TestDesk:
    def test_a_redis_without_workers_is_no_service(self, tmp_path, valkey, monkeypatch):
        monkeypatch.setattr(known, "START_SECONDS", 0.1)
        settings = make_settings(tmp_path, redis_url=SecretStr(valkey))
        with known.open_desk(settings, needs_worker=False) as desk:
            assert desk.figures().workers == 0
        with (
            pytest.raises(QueueDown, match="no worker is running"),
            known.open_desk(settings),
        ):
            pass

    def test_a_password_is_not_part_of_the_complaint(self, tmp_path):
        settings = make_settings(tmp_path, redis_url=SecretStr("redis://:hunter2@127.0.0.1:1/0"))
        with pytest.raises(QueueDown) as caught, known.open_desk(settings):
            pass
        assert "hunter2" not in str(caught.value)

    def test_a_job_that_fails_says_its_last_words(self, tmp_path, valkey, monkeypatch):
        monkeypatch.setenv("REDIS_URL", valkey)
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        get_settings.cache_clear()
        with known.open_desk(get_settings(), needs_worker=False) as desk:
            job = desk.ask("pin", UID, 3)
            assert (desk.failure(job), desk.is_done(job)) == ("", False)
            _work_off(desk)
            assert desk.failure(job) == "version 3 cannot be served; these can: []"
            assert not desk.is_done(job)
            assert not desk.is_done("forgotten")
            assert [desk.is_forgotten(each) for each in (job, "forgotten")] == [False, True]
        get_settings.cache_clear()


def _work_off(desk: JobDesk) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    ours = {number: signal.getsignal(number) for number in numbers}
    LoopWorker(desk.redis).work(burst=True)
    for number, handler in ours.items():
        signal.signal(number, handler)


class TestWaiting:
    def test_it_returns_what_was_waited_for(self, store):
        later = threading.Timer(0.2, lambda: _say(store, State.READY))
        later.start()
        found = wait_for(
            store, UID, lambda now: now.state == State.READY, what="It", since=time.time()
        )
        later.join()
        assert found.state == State.READY

    def test_a_failure_from_before_does_not_count_and_a_new_one_does(self, store):
        _say(store, State.FAILING, "an old story")
        since = time.time()
        later = threading.Timer(0.2, lambda: _say(store, State.FAILING, "401", "a new key"))
        later.start()
        with pytest.raises(NotDone, match="401; a new key"):
            wait_for(store, UID, lambda _: False, what="It", since=since)
        later.join()

    def test_a_job_that_failed_ends_it(self, store):
        with pytest.raises(NotDone, match="no such version"):
            wait_for(
                store,
                UID,
                lambda _: False,
                what="It",
                since=0,
                failure=lambda: "no such version",
            )

    def test_silence_ends_it(self, store, monkeypatch):
        monkeypatch.setattr("ls_active.console.waiting.PATIENCE", 0.2)
        with pytest.raises(NotDone, match="nothing happened"):
            wait_for(store, UID, lambda _: False, what="It", since=time.time())


def _say(store: Store, state: State, detail: str = "", remedy: str = "") -> None:
    ProjectStatus.load(store, UID).now(state, detail, remedy).save(store)


FIGURES = {
    "basis": "audit", "n": 30, "value": 0.8, "low": 0.63, "high": 0.905, "measure": "accuracy",
}  # fmt: skip
HEAD = {
    "control": "topic",
    "useful": True,
    "chosen": {**FIGURES, "basis": "chosen", "n": 40, "value": 0.95},
    "audit": {"labels": 9, "skipped": 0, "needed": 30, "figures": None},
}


def text_of(status: ProjectStatus, connection: Connection | None = None) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(show.project(status, connection))
    return console.export_text()


class TestStatus:
    def test_it_says_what_an_admin_needs_to_know(self):
        status = ProjectStatus(
            UID,
            title="News [today]",
            state=State.CONTESTED,
            detail="somebody else set the model version",
            remedy="leave it to us",
            mode="poll",
            tasks=2000,
            labels=40,
            askable=1960,
            skipped=2,
            version=7,
            publication="al-7.9",
            pinned=7,
            strategy="auto: margin, since it can",
            heads=(HEAD,),
            advice={"verdict": "too_early", "sentence": "too early to say: 9 of 30 random labels"},
            timings={"sync": 0.25, "fit": 0.5},
            left_out=("<Rating name='r'>: not learned",),
            unreadable={"empty text": 3},
            warnings=("2 tasks are tied",),
        )
        text = text_of(status, Connection(UID, extra_params="colour=red"))
        for said in (
            "News [today] (number 1)",
            "contested",
            "leave it to us",
            "40 of 2,000 tasks, 2 skips",
            "al-7, held by rollback, strategy auto: margin, since it can",
            "al-7.9",
            "too few random labels (9/30)",
            "95 % on the 40 tasks we chose",
            "too early to say: 9 of 30 random labels",
            "0.8 s (sync 0.25, fit 0.50)",
            "asking every 5 s",
            "<Rating name='r'>",
            "3 tasks: empty text",
            "2 tasks are tied",
            "Valid options: strategy=auto",
        ):
            assert said in text

    def test_the_estimate_comes_with_its_interval(self):
        estimate = {"labels": 30, "skipped": 0, "needed": 30, "figures": FIGURES}
        assert words.audit(estimate) == "80 % (63 % to 90 %) on 30 random tasks"

    def test_of_several_controls_each_has_its_own_figures(self):
        error = {**FIGURES, "n": 31, "value": 0.25, "measure": "agreement"}
        other = {"control": "stars", "useful": False, "chosen": None}
        other |= {"audit": {"labels": 31, "skipped": 0, "needed": 30, "figures": error}}
        text = text_of(ProjectStatus(UID, version=7, heads=(HEAD, other)))
        assert "quality of topic" in text
        assert "quality of stars" in text
        assert "25 % (63 % to 90 %) agreement on 31 random tasks" in text

    def test_figures_on_chosen_tasks_are_never_called_accuracy(self):
        assert "tasks we chose" in words.chosen({**FIGURES, "basis": "chosen"})
        assert "tasks we chose" in words.chosen(None)

    @pytest.mark.parametrize("state", list(State))
    def test_every_state_has_words(self, state):
        assert state in words.STATES
        assert text_of(ProjectStatus(UID, state=state))

    def test_it_works_while_nothing_runs(self, run, store):
        code, out, _ = run("status")
        assert code == 0
        assert "News" in out
        assert "no service is running" in out

    def test_json_is_for_programs(self, run, store):
        code, out, _ = run("status", "--json")
        assert code == 0
        assert [item["title"] for item in json.loads(out)] == ["News", "Boxes"]

    def test_before_the_first_project_it_says_what_to_do(self, run):
        assert "ls-active connect" in run("status")[1]


def test_a_warning_of_the_job_is_not_said_twice():
    connection = Connection(UID, extra_params="colour=red")
    problem = connection.options("")[1]
    status = ProjectStatus(UID, state=State.READY, warnings=(problem,))
    assert text_of(status, connection).count("unknown option") == 1


def test_every_command_has_a_help_text():
    callbacks = [command.callback for command in cli.app.registered_commands]
    assert len(callbacks) >= 10
    assert all(callback is not None and callback.__doc__ for callback in callbacks)
