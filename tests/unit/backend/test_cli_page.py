"""What the command line shares with the page: the doctor as JSON, and status that goes on."""

from __future__ import annotations

import json
import sys

import anyio
import pytest
from pydantic import SecretStr
from rich.console import Console

from ls_active.cli.watch import picture
from ls_active.dashboard.doctor import Doctor
from ls_active.errors import Busy
from ls_active.job_desk import JobDesk
from ls_active.records.project import Connection, ProjectStatus
from ls_active.records.store import Store
from tests.harness.command_line import run_here
from tests.http_fakes import make_settings

UID = "1.1795351743"


@pytest.fixture
def store(tmp_path) -> Store:
    made = Store(str(tmp_path))
    ProjectStatus(UID, title="News [bold]", state="ready", tasks=10, labels=3).save(made)
    Connection(UID, own_url="http://here:1").save(made)
    return made


def text_of(content) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(content)
    return captured.get()


class TestWatching:
    def test_it_shows_projects_and_what_runs(self, tmp_path, store, valkey):
        desk = JobDesk(make_settings(tmp_path, redis_url=SecretStr(valkey)))
        desk.ask("resync", UID)
        text = text_of(picture(store, desk, [UID]))
        desk.redis.close()
        assert "News [bold]" in text
        assert "resync of project 1: waits" in text
        assert "1 job waiting" in text

    def test_it_goes_on_without_redis(self, tmp_path, store):
        desk = JobDesk(make_settings(tmp_path, redis_url=SecretStr("redis://127.0.0.1:1")))
        text = text_of(picture(store, desk, [UID]))
        assert "News" in text
        assert "Redis does not answer" in text

    def test_it_is_not_for_programs(self, tmp_path):
        done = run_here("status", "--watch", "--json", env={"DATA_DIR": str(tmp_path)})
        assert done.returncode == 2


class TestTheDoctorForPrograms:
    def test_findings_are_json_and_errors_the_exit_code(self, tmp_path, store):
        done = run_here("doctor", "--json", env={"DATA_DIR": str(tmp_path)})
        found = json.loads(done.stdout)
        assert done.returncode == 1
        assert {"about", "check", "severity", "what", "remedy"} == set(found[0])
        assert {"redis", "key"} & {line["check"] for line in found}
        assert all(line["remedy"] for line in found if line["severity"] == "error")

    def test_it_mends_nothing(self, tmp_path):
        done = run_here("doctor", "--json", "--fix", env={"DATA_DIR": str(tmp_path)})
        assert done.returncode == 2

    def test_the_page_asks_the_very_same(self, tmp_path, store):
        doctor = Doctor(make_settings(tmp_path, port=1))
        found = anyio.run(doctor.look, UID)
        assert {"Service", "Label Studio"} <= {line.about for line in found}
        assert [line.check for line in found if line.severity == "error"]

    def test_where_it_cannot_look_the_page_says_why(self, tmp_path, monkeypatch):
        program = tmp_path / "python"
        program.write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        with pytest.raises(Busy, match="could not look: no room"):
            anyio.run(Doctor(make_settings(tmp_path)).look, UID)
