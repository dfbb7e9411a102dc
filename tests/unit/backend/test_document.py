"""Every operation of our OpenAPI document answers as the document says, whatever it is sent."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ls_active.dashboard.actions import ACTIONS
from ls_active.dashboard.door import TOKEN_HEADER
from ls_active.job_desk import JobDesk
from ls_active.service import Service
from ls_active.web.app import create_app
from tests.harness.quick import quick
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID
from tests.http_fakes import serve
from tests.redis_fixture import fresh_valkey

PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"ann:pass").decode()}

pytestmark = pytest.mark.timeout(7200)

how_often = pytest.mark.parametrize("examples", [4, pytest.param(1000, marks=pytest.mark.long)])


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Rig:
    with quick():
        made = Rig(tmp_path_factory.mktemp("rig"), SimulatedLabelStudio(TEXTS[:16]))
        made.connect()
        made.label(6)
        made.run()
    return made


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    with fresh_valkey() as url:
        yield url


@pytest.fixture(scope="module", params=["open", "closed"])
def client(request, rig, valkey) -> Iterator[httpx.Client]:
    """Return what knows the password of a service with a project; an open one asks for none."""
    changes: dict[str, Any] = {"redis_url": SecretStr(valkey)}
    if request.param == "closed":
        changes |= {"basic_auth_user": "ann", "basic_auth_pass": SecretStr("pass")}
    settings = rig.settings.model_copy(update=changes)
    desk = JobDesk(settings)
    desk.redis.flushall()
    with serve(create_app(settings, service=Service(settings), jobs=desk)) as opened:
        opened.headers.update(PASSWORD)
        yield opened
    desk.redis.close()


@pytest.fixture(scope="module")
def document(client) -> Any:
    url = f"{client.base_url}/api/openapi.json"
    document = schemathesis.openapi.from_url(url, headers=PASSWORD)
    # The right password goes along with every case; what comes without is a check of its own.
    document.config.generation.update(with_security_parameters=False)
    return document


@how_often
def test_what_is_right_is_answered_as_it_says(document, client, examples: int) -> None:
    token = {TOKEN_HEADER: client.get("/api/token").json()["token"]}
    for found in document.get_all_operations():
        operation = found.ok()

        @effort(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(), st.sampled_from(sorted(ACTIONS)))
        def check(case: Case, action: str) -> None:
            # The doctor, which asks Label Studio and takes its time, is asked of strangers only.
            if not case.path.endswith("/doctor"):
                real = {"uid": UID, "action": action}
                case.path_parameters |= {name: real[name] for name in case.path_parameters}
            # No schema can say that a text is a label config, or that an action can be done now.
            beyond = [positive_data_acceptance] if case.method == "POST" else []
            case.call_and_validate(headers=PASSWORD | token, excluded_checks=beyond)

        check()


@how_often
def test_what_is_wrong_is_refused_as_it_says(document, examples: int) -> None:
    for found in document.get_all_operations():
        operation = found.ok()
        if not (operation.body or list(operation.iter_parameters())):
            continue

        @effort(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def check(case: Case) -> None:
            case.call_and_validate(headers=PASSWORD)

        check()


def test_it_has_every_route_for_programs(document) -> None:
    said = {operation.ok().label for operation in document.get_all_operations()}
    assert {
        "GET /", "GET /health", "GET /metrics", "GET /versions", "POST /predict", "POST /setup",
        "POST /webhook", "GET /api/projects", "POST /api/projects/{uid}/actions/{action}",
    } <= said  # fmt: skip
