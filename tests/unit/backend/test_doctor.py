"""What the doctor says of a project, of the service and of Label Studio, and what it mends."""

from __future__ import annotations

import base64
import json
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ls_active.checks import Case, Finding, Severity, Tools, label_studio, ok, service, way_back
from ls_active.checks.mending import mend
from ls_active.cli import doctor
from ls_active.errors import (
    LabelStudioUnauthorized,
    LabelStudioUnreachable,
    NotConfigured,
    QueueDown,
)
from ls_active.label_studio.client import Identity, Project
from ls_active.records.project import Connection, ProjectStatus, State
from tests.harness.data import LABEL_CONFIG
from tests.http_fakes import make_settings

UID = "7.1795351743"
OURS = "http://backend.internal:9090"
HEADERS = {"X-Active-Learning-Secret": "s3cret"}

PROJECT = Project(
    id=7,
    uid=UID,
    title="News",
    label_config=LABEL_CONFIG,
    model_version="al-3.12",
    sampling="Uncertainty sampling",
    skip_queue="REQUEUE_FOR_OTHERS",
    maximum_annotations=1,
    overlap_cohort_percentage=100,
    show_overlap_first=False,
    show_ground_truth_first=False,
    task_number=100,
    total_annotations_number=10,
    skipped_annotations_number=0,
)
BACKEND = {"id": 5, "url": OURS, "title": "active learning", "state": "CO"}
WEBHOOK = {"id": 9, "url": f"{OURS}/webhook", "headers": HEADERS, "is_active": True}
WELL = Case(
    project=PROJECT,
    connection=Connection(UID, own_url=OURS, backend=5),
    status=ProjectStatus(UID, title="News", state=State.READY),
    backends=[BACKEND],
    webhooks=[WEBHOOK],
    published="al-3.12",
    headers=HEADERS,
    own_url=OURS,
)


def project(**fields: Any) -> Case:
    return replace(WELL, project=replace(PROJECT, **fields))


def bad(case: Case) -> list[Finding]:
    return [item for item in doctor.examine(case) if item.severity is not Severity.OK]


def the_one(case: Case, check: str) -> Finding:
    found = bad(case)
    assert [item.check for item in found] == [check]
    return found[0]


class TestProject:
    def test_a_healthy_one_has_nothing_but_good_findings(self):
        assert bad(WELL) == []
        assert {item.check for item in doctor.examine(WELL)} >= {
            "backend",
            "webhook",
            "sampling",
            "model version",
            "label config",
        }

    def test_every_bad_finding_says_what_to_do(self):
        sick = replace(
            project(sampling="Sequential sampling", model_version="", maximum_annotations=2),
            backends=[],
            webhooks=[],
        )
        assert len(bad(sick)) >= 4
        assert all(item.remedy for item in bad(sick))

    @pytest.mark.parametrize(
        ("named", "words"),
        [
            ("", "at random"),
            ("active learning", "a backend's title"),
            ("al-3.11", "not our last publication al-3.12"),
        ],
    )
    def test_another_model_version_is_mended(self, named, words):
        finding = the_one(project(model_version=named), "model version")
        assert words in finding.what
        assert (finding.severity, finding.fix) == (Severity.ERROR, mend)

    def test_on_contested_leave_is_respected(self):
        case = project(model_version="theirs")
        left = replace(case, connection=case.connection.but(extra_params={"on_contested": "leave"}))
        assert "unless on_contested=leave" in the_one(left, "model version").remedy

    def test_sampling(self):
        finding = the_one(project(sampling="Sequential sampling"), "sampling")
        assert (finding.severity, finding.fix) == (Severity.ERROR, mend)

    @pytest.mark.parametrize(
        ("fields", "check"),
        [
            ({"maximum_annotations": 2}, "overlap"),
            ({"show_overlap_first": True, "overlap_cohort_percentage": 50}, "overlap"),
            ({"show_ground_truth_first": True}, "ground truth"),
        ],
    )
    def test_what_comes_before_our_order_is_a_warning_that_nobody_else_mends(self, fields, check):
        finding = the_one(project(**fields), check)
        assert (finding.severity, finding.fix) == (Severity.WARNING, None)

    def test_a_second_backend(self):
        other = {"id": 6, "url": "http://other:1", "title": "theirs", "state": "CO"}
        assert (
            "2 on this project" in the_one(replace(WELL, backends=[BACKEND, other]), "backend").what
        )

    @pytest.mark.parametrize("title", ["al-3", "al-3.12"])
    def test_a_title_that_passes_for_a_version(self, title):
        case = replace(WELL, backends=[BACKEND | {"title": title}])
        assert repr(title) in the_one(case, "backend").what

    def test_another_project_under_its_number(self):
        finding = the_one(project(uid="7.1999999999"), "project")
        assert finding.severity is Severity.ERROR

    def test_nothing_to_learn(self):
        config = '<View><Image name="i" value="$i"/><Brush name="b" toName="i"/></View>'
        assert the_one(project(label_config=config), "label config").severity is Severity.ERROR

    def test_a_config_that_is_no_xml(self):
        assert the_one(project(label_config="<View"), "label config").severity is Severity.ERROR

    def test_left_out_controls_are_named(self):
        config = LABEL_CONFIG.replace("</View>", '<TextArea name="r" toName="text"/></View>')
        finding = the_one(project(label_config=config), "label config")
        assert (finding.severity, "TextArea" in finding.what) == (Severity.NOTE, True)

    def test_option_problems_list_the_valid_ones(self):
        case = replace(WELL, options_problem="unknown option 'foo'. Valid options: strategy=margin")
        assert "Valid options" in the_one(case, "options").what

    def test_what_the_last_job_said_is_passed_on(self):
        status = replace(
            WELL.status, state=State.FAILING, detail="401", remedy="a new key", warnings=("2 tied",)
        )
        found = bad(replace(WELL, status=replace(status, unreadable={"empty text": 3})))
        assert [item.check for item in found] == ["project", "labels", "tasks"]
        assert found[0].remedy == "a new key"


class TestWayBack:
    def test_no_backend_row(self):
        finding = bad(replace(WELL, backends=[], webhooks=[]))[0]
        assert (finding.check, finding.severity) == ("backend", Severity.ERROR)
        assert "ls-active connect 7" in finding.remedy

    def test_a_row_that_label_studio_cannot_reach(self):
        row = BACKEND | {"state": "DI", "error_message": "Traceback\nConnection refused"}
        finding = the_one(replace(WELL, backends=[row]), "backend")
        assert "Connection refused" in finding.what
        assert "SSRF_PROTECTION_ENABLED" in finding.remedy

    def test_public_url_that_is_not_where_label_studio_calls(self):
        case = replace(WELL, public_url="https://other.example")
        assert the_one(case, "address").severity is Severity.WARNING
        assert bad(replace(WELL, public_url=OURS)) == []

    def test_polling_needs_neither_row_nor_webhook(self):
        case = replace(WELL, connection=Connection(UID), own_url="", backends=[], webhooks=[])
        assert bad(case) == []

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ([], "none"),
            ([WEBHOOK, WEBHOOK | {"id": 10}], "2 call us"),
            ([WEBHOOK | {"headers": {}}], "without our secret"),
            ([WEBHOOK | {"is_active": False}], "switched off"),
        ],
    )
    def test_a_webhook_that_is_not_as_it_should_be_is_mended(self, rows, words):
        finding = the_one(replace(WELL, webhooks=rows), "webhook")
        assert (words in finding.what, finding.fix) == (True, mend)

    def test_webhooks_of_others_are_left_alone(self):
        assert bad(replace(WELL, webhooks=[WEBHOOK, {"id": 1, "url": "http://x/webhook"}])) == []

    def test_no_webhook_for_a_host_that_label_studio_refuses_cannot_be_mended(self):
        url = "http://ml_backend:9090"
        case = replace(
            WELL,
            own_url=url,
            connection=Connection(UID, own_url=url, backend=5),
            backends=[BACKEND | {"url": url}],
            webhooks=[],
        )
        finding = the_one(case, "webhook")
        assert finding.fix is None
        assert "alias" in finding.remedy

    def test_local_addresses_are_mentioned_while_there_is_no_webhook(self):
        url = "http://127.0.0.1:9090"
        case = replace(
            WELL,
            own_url=url,
            connection=Connection(UID, own_url=url, backend=5),
            backends=[BACKEND | {"url": url}],
            webhooks=[],
        )
        assert [item.check for item in bad(case)] == ["webhook", "address"]
        hook = WEBHOOK | {"url": f"{url}/webhook"}
        assert bad(replace(case, webhooks=[hook])) == []

    def test_webhooks_that_never_arrive(self):
        assert "did not announce" in the_one(replace(WELL, deaf=True), "webhook").what

    def test_an_orphan_is_deleted(self):
        case = replace(
            WELL,
            connection=WELL.connection.but(active=False),
            backends=[],
            status=ProjectStatus(UID),
        )
        orphan = next(item for item in bad(case) if item.check == "webhook")
        client = RecordingClient()
        assert orphan.fix is not None
        said = orphan.fix(Tools(client, None, UID))  # type: ignore[arg-type]
        assert (client.deleted, said) == ([9], "deleted webhook 9")

    @pytest.mark.parametrize(
        "host", ["localhost", "127.0.0.1", "ml-backend.local", "backend.internal", "::1"]
    )
    def test_hosts_that_label_studio_takes(self, host):
        assert way_back.webhook_host_problem(host) == ""

    @pytest.mark.parametrize("host", ["backend", "vm", "ml_backend.local", "backend.x", "a..b"])
    def test_hosts_that_it_does_not(self, host):
        assert way_back.webhook_host_problem(host)


class RecordingClient:
    def __init__(self) -> None:
        self.deleted: list[int] = []

    def delete_webhook(self, number: int) -> None:
        self.deleted.append(number)


class TestMending:
    def test_each_thing_is_done_once_and_a_failure_does_not_stop_the_rest(self):
        calls = []

        def first(_: Tools) -> str:
            calls.append("first")
            raise QueueDown("no Redis")

        def second(_: Tools) -> str:
            calls.append("second")
            return "done"

        findings = [
            Finding("a", Severity.ERROR, "", fix=first),
            Finding("b", Severity.ERROR, "", fix=first),
            ok("c", "well"),
            Finding("d", Severity.ERROR, "", fix=second),
        ]
        said = list(doctor.mend(findings, None))  # type: ignore[arg-type]
        assert calls == ["first", "second"]
        assert said == ["a: not mended: no Redis", "d: done"]


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{body}.signature"


class TestKey:
    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            ("0123456789abcdef" * 2 + "01234567", label_studio.KeyKind.LEGACY),
            (jwt(token_type="refresh", exp=9_000_000_000), label_studio.KeyKind.PERSONAL),
            (jwt(token_type="access", exp=9_000_000_000), label_studio.KeyKind.ACCESS),
            (jwt(token_type="refresh", exp=1), label_studio.KeyKind.EXPIRED),
        ],
    )
    def test_kinds(self, key, kind):
        assert label_studio.kind_of(key) is kind

    @given(st.text())
    def test_any_text_has_a_kind(self, key):
        assert label_studio.kind_of(key)
        assert label_studio.kind_of(f"a.{key}.b")

    def test_an_access_token_is_told_before_label_studio_is_asked(self):
        key = jwt(token_type="access", exp=time.time() + 300)
        settings = make_settings(
            Path(), label_studio_url="http://127.0.0.1:1", label_studio_api_key=SecretStr(key)
        )
        with ExitStack() as stack:
            found, client = doctor.examine_label_studio(settings, stack)
        assert client is None
        assert [item.severity for item in found] == [Severity.ERROR]
        assert "access token" in found[0].what

    def test_legacy_tokens_that_are_switched_off(self):
        said = LabelStudioUnauthorized(
            "401: Authentication token no longer valid: legacy token authentication has been "
            "disabled for this organization"
        )
        (finding,) = label_studio.access(said, "abc")
        assert "legacy token" in finding.what
        assert "Personal Access Token" in finding.remedy

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (LabelStudioUnreachable("no answer"), "start Label Studio"),
            (LabelStudioUnauthorized("401"), "personal access token"),
            (NotConfigured("LABEL_STUDIO_URL is not set"), "set it"),
        ],
    )
    def test_every_failure_has_a_remedy(self, error, words):
        (finding,) = label_studio.access(error, "abc")
        assert words in finding.remedy

    def test_no_finding_quotes_the_key(self):
        key = "k" * 40
        for outcome in (Identity(1, "a@b", "1.23.2"), LabelStudioUnauthorized("401")):
            assert all(key not in repr(item) for item in label_studio.access(outcome, key))


class TestClock:
    @pytest.mark.parametrize(
        ("seconds", "fine"), [(0, True), (59, True), (-61, False), (61, False)]
    )
    def test_skew(self, seconds, fine):
        now = datetime.now(UTC)
        (finding,) = label_studio.clock(now, now + timedelta(seconds=seconds))
        assert (finding.severity is Severity.OK) is fine
        if not fine:
            assert ("ahead" if seconds > 0 else "behind") in finding.what


class TestService:
    @pytest.mark.parametrize(
        ("url", "count"),
        [
            ("unix:///run/valkey.sock", 0),
            ("redis://localhost:6379/0", 0),
            ("redis://127.0.0.1:6379", 0),
            ("redis://redis.example:6379", 2),
            ("redis://:pw@redis.example:6379", 1),
            ("rediss://redis.example:6379", 1),
            ("rediss://:pw@redis.example:6379", 0),
        ],
    )
    def test_a_redis_that_others_reach_needs_password_and_tls(self, url, count):
        found = list(service.redis_exposure(url))
        assert len(found) == count
        assert all("pw" not in f"{item.what} {item.remedy}" for item in found)

    @pytest.mark.parametrize(
        ("version", "fine"), [("4.0.9", False), ("5.0.0", True), ("7.2", True)]
    )
    def test_versions(self, version, fine):
        (finding,) = service.redis_server({"redis_version": version})
        assert (finding.severity is Severity.OK) is fine

    def test_nobody_at_work(self):
        found = [*service.workers(0), *service.timer(ticks=False), *service.failed_jobs(2)]
        assert [item.severity for item in found] == [
            Severity.ERROR,
            Severity.ERROR,
            Severity.WARNING,
        ]

    def test_disk(self):
        (full,) = service.disk("/data", 2**20, writable=True)
        (locked,) = service.disk("/data", 2**40, writable=False)
        assert (full.severity, locked.severity) == (Severity.WARNING, Severity.ERROR)

    def test_default_options(self):
        (finding,) = service.default_options("strategy=best")
        assert "Valid options" in finding.what
        assert list(service.default_options("strategy=entropy")) == []

    def test_an_old_flask_is_a_note(self):
        (old,) = service.packages({"label-studio-ml": "1.0.9", "flask": "1.1.2"})
        (new,) = service.packages({"label-studio-ml": "1.0.9", "flask": "3.1.3"})
        assert (old.severity, new.severity) == (Severity.NOTE, Severity.OK)

    def test_a_redis_without_a_service_around_it(self, tmp_path, valkey):
        with ExitStack() as stack:
            settings = make_settings(tmp_path, redis_url=SecretStr(valkey), port=1)
            found, desk = doctor.examine_service(settings, stack)
        by_check = {item.check: item.severity for item in found}
        assert desk is not None
        assert by_check == {
            "redis": Severity.OK,
            "workers": Severity.ERROR,
            "timer": Severity.ERROR,
            "api": Severity.ERROR,
            "disk": Severity.OK,
            "packages": by_check["packages"],
        }

    def test_no_service_at_all(self, tmp_path):
        with ExitStack() as stack:
            found, desk = doctor.examine_service(make_settings(tmp_path, port=1), stack)
        assert desk is None
        redis = next(item for item in found if item.check == "redis")
        assert "ls-active serve" in redis.what
