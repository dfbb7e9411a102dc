"""How the client pages, retries, authorises, and words what went wrong."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone

import httpx
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.errors import (
    LabelStudioError,
    LabelStudioRejected,
    LabelStudioUnauthorized,
    LabelStudioUnreachable,
    NotFoundInLabelStudio,
)
from ls_active.label_studio.client import LabelStudioClient, labeled, updated_after

# The SDK itself, whenever it renews an access token.
pytestmark = pytest.mark.filterwarnings("ignore:The `parse_obj` method is deprecated")

URL = "http://studio.example:8080/base"
KEY = "5ecre7" * 6

Handler = Callable[[httpx.Request], httpx.Response]


class Server:
    """Answers in turn (the last answer for good) and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def connect(handler: Handler, *, key: str = KEY, retries: int = 2) -> LabelStudioClient:
    return LabelStudioClient(URL, key, retries=retries, transport=httpx.MockTransport(handler))


def token(kind: str, lives: timedelta = timedelta(days=1)) -> str:
    claims = {"token_type": kind, "exp": datetime.now(UTC) + lives}
    return jwt.encode(claims, "a secret of thirty-two characters", algorithm="HS256")


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


class TestPages:
    @staticmethod
    def studio(ids: Iterable[int], cap: int, came_meanwhile: list[int]) -> Handler:
        """A task list as Label Studio gives it: filtered, sorted, and with pages cut at `cap`."""
        rows = set(ids)

        def answer(request: httpx.Request) -> httpx.Response:
            query = json.loads(request.url.params["query"])
            assert query["ordering"] == ["tasks:id"]
            [after] = [
                item["value"]
                for item in query["filters"]["items"]
                if item["filter"] == "filter:tasks:id"
            ]
            found = sorted(row for row in rows if row > after)
            page = found[: min(cap, int(request.url.params["page_size"]))]
            if came_meanwhile:
                rows.add(came_meanwhile.pop())
            body = {
                "tasks": [{"id": row} for row in page],
                "total": len(found),
                "total_annotations": 0,
                "total_predictions": 0,
            }
            headers = {"Date": "Sun, 22 Nov 2026 13:29:16 GMT"}
            return httpx.Response(200, json=body, headers=headers)

        return answer

    @given(
        ids=st.sets(st.integers(1, 200)),
        cap=st.integers(1, 50),
        page_size=st.integers(1, 50),
        after=st.integers(0, 100),
        came=st.lists(st.integers(1, 200), max_size=5),
    )
    def test_every_task_once_in_order_whatever_the_server_caps(
        self, ids, cap, page_size, after, came
    ):
        server = self.studio(ids, cap, list(came))
        with connect(server) as client:
            pages = list(client.tasks(1, page_size=page_size, after_id=after))
        read = [task["id"] for page in pages for task in page]
        assert all(pages)
        assert read == sorted(set(read))
        wanted = {row for row in ids if row > after}
        assert wanted <= set(read) <= wanted | set(came)

    def test_a_server_that_ignores_the_filter_is_not_read_for_ever(self):
        body = {"tasks": [{"id": 5}], "total": 9, "total_annotations": 0, "total_predictions": 0}
        with connect(Server(httpx.Response(200, json=body))) as client:
            pages = client.tasks(1)
            assert next(pages) == [{"id": 5}]
            with pytest.raises(LabelStudioRejected, match="cannot be read safely"):
                next(pages)

    def test_ids_come_even_where_only_data_was_asked_for(self):
        server = Server(self.studio([], 1, [])(httpx.Request("GET", _list_url())))
        with connect(server) as client:
            client.tasks(1, include=["data"], filters=[labeled(True)])
        assert server.asked[0].url.params["include"] == "id,data"
        assert server.asked[0].url.params["resolve_uri"] == "false"

    def test_annotations_bring_what_a_label_is_made_of(self):
        server = Server(self.studio([], 1, [])(httpx.Request("GET", _list_url())))
        with connect(server) as client:
            client.tasks(1, include=["annotations"], fields="all")
        asked = server.asked[0].url.params["include"].split(",")
        assert {"id", "annotations", "result", "was_cancelled", "completed_by"} <= set(asked)

    def test_a_few_tasks_are_asked_for(self):
        found = {"tasks": [{"id": 7, "data": {"text": "a"}}], "total": 900}
        totals = {"total_annotations": 0, "total_predictions": 0}
        dated = {"Date": "Sun, 22 Nov 2026 13:29:16 GMT"}
        server = Server(
            httpx.Response(200, json=found | totals, headers=dated),
            httpx.Response(200, json={"tasks": [], "total": 0} | totals, headers=dated),
        )
        with connect(server) as client:
            assert client.first_tasks(1) == [{"id": 7, "data": {"text": "a"}}]
            assert client.first_tasks(1) == []
        asked = server.asked[0].url.params
        assert (asked["project"], asked["page_size"], asked["include"]) == ("1", "20", "id,data")

    def test_without_a_date_our_clock_serves_and_the_log_says_so(self, caplog):
        body = {"tasks": [], "total": 0, "total_annotations": 0, "total_predictions": 0}
        with connect(Server(httpx.Response(200, json=body))) as client:
            clock = client.tasks(1).clock
        assert abs(datetime.now(UTC) - clock) < timedelta(minutes=1)
        assert "no usable Date header" in caplog.text

    def test_a_moment_is_written_in_utc_with_microseconds(self):
        moment = datetime(2026, 11, 22, 15, 0, tzinfo=timezone(timedelta(hours=2)))
        assert updated_after(moment)["value"] == "2026-11-22T13:00:00.000000Z"

    def test_a_moment_without_a_zone_is_refused(self):
        with pytest.raises(ValueError, match="time zone"):
            updated_after(datetime(2026, 11, 22))  # noqa: DTZ001 - the point of the test

    def test_projects_are_read_to_the_end(self):
        recorded = {
            "title": "t",
            "label_config": "<View/>",
            "created_at": "2026-11-22T13:29:16.702081Z",
            "model_version": None,
            "sampling": "Uncertainty sampling",
            "skip_queue": "REQUEUE_FOR_OTHERS",
            "maximum_annotations": 1,
            "overlap_cohort_percentage": 100,
            "show_overlap_first": False,
            "show_ground_truth_first": False,
            "show_collab_predictions": True,
            "task_number": 0,
            "total_annotations_number": 0,
            "skipped_annotations_number": 0,
            "ground_truth_number": 0,
            "total_predictions_number": 0,
        }

        def answer(request: httpx.Request) -> httpx.Response:
            page = int(request.url.params["page"])
            ids = range(page * 100 - 99, min(page * 100, 230) + 1)
            results = [recorded | {"id": project} for project in ids]
            return httpx.Response(200, json={"count": 230, "results": results})

        with connect(answer) as client:
            assert [project.id for project in client.projects()] == list(range(1, 231))


class TestRetries:
    @pytest.mark.usefixtures("no_waiting")
    def test_a_read_is_tried_again(self):
        server = Server(httpx.Response(503), httpx.Response(200, json={"release": "1.23.2"}))
        with connect(server) as client:
            assert client.version() == "1.23.2"
        assert len(server.asked) == 2

    @pytest.mark.usefixtures("no_waiting")
    @pytest.mark.parametrize("answer", [httpx.Response(503), httpx.ConnectError("refused")])
    @pytest.mark.parametrize(
        "write",
        [
            lambda client: client.import_predictions(1, []),
            lambda client: client.update_project(1, title="new"),
            lambda client: client.delete_model_version(1, "al-1.1"),
        ],
        ids=["POST", "PATCH", "DELETE"],
    )
    def test_a_write_never_is(self, answer, write):
        server = Server(answer)
        with connect(server) as client, pytest.raises(LabelStudioUnreachable):
            write(client)
        assert len(server.asked) == 1


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "error", "says"),
        [
            (httpx.Response(400, json={"detail": "no"}), LabelStudioRejected, "400: no"),
            (httpx.Response(401, json={}), LabelStudioUnauthorized, "Personal Access Token"),
            (httpx.Response(403), LabelStudioUnauthorized, "may not do this"),
            (httpx.Response(404), NotFoundInLabelStudio, "GET .*/api/projects/1: 404"),
            (httpx.Response(409, json=["no", "object"]), LabelStudioRejected, "409"),
            (httpx.Response(429), LabelStudioUnreachable, "429"),
            (httpx.Response(502, text="<html>"), LabelStudioUnreachable, "502"),
            (httpx.Response(200, text="<html>"), LabelStudioUnreachable, "something else than"),
            (httpx.ReadTimeout("slow"), LabelStudioUnreachable, "no answer in time"),
            (
                httpx.ConnectError("refused"),
                LabelStudioUnreachable,
                r"nothing answers \(refused\).*LABEL_STUDIO_URL",
            ),
        ],
    )
    def test_each_says_what_was_called_and_what_came(
        self, answer: httpx.Response, error: type[LabelStudioError], says: str
    ):
        with (
            connect(Server(answer), retries=0) as client,
            pytest.raises(error, match=says) as caught,
        ):
            client.project(1)
        assert f"GET {URL}/api/projects/1" in str(caught.value)

    def test_a_long_answer_is_cut(self):
        answer = httpx.Response(400, json={"detail": "x" * 10_000})
        with connect(Server(answer)) as client, pytest.raises(LabelStudioRejected) as caught:
            client.update_project(1, title="new")
        assert len(str(caught.value)) < 500

    def test_the_status_goes_along(self):
        with (
            connect(Server(httpx.Response(418)), retries=0) as client,
            pytest.raises(LabelStudioRejected) as caught,
        ):
            client.project(1)
        assert caught.value.http_status == 418

    def test_a_number_that_is_none_never_leaves(self):
        server = Server(httpx.Response(200))
        with connect(server) as client, pytest.raises(ValueError, match="not JSON compliant"):
            client.import_predictions(1, [{"task": 1, "result": [], "score": float("nan")}])
        assert server.asked == []

    def test_no_task_left_is_not_a_missing_project(self):
        none_left = httpx.Response(404, json={"detail": "There are no tasks for you"})
        with connect(Server(none_left)) as client, pytest.raises(NotFoundInLabelStudio):
            client.next_task(1)


class TestTheKey:
    def test_it_is_in_the_header_and_nowhere_else(self, caplog):
        caplog.set_level(logging.DEBUG)
        server = Server(httpx.Response(401, json={"detail": "Invalid token."}))
        with connect(server) as client:
            with pytest.raises(LabelStudioUnauthorized) as caught:
                client.version()
            shown = f"{client!r}{client.http!r}{caught.value!r}{caplog.text}"
        assert server.asked[0].headers["Authorization"] == f"Token {KEY}"
        assert KEY not in shown
        assert KEY not in str(server.asked[0].url)

    @pytest.mark.parametrize("target", ["https://other.example/", "http://studio.example:8080/x"])
    def test_it_follows_no_redirect(self, target):
        server = Server(httpx.Response(302, headers={"Location": f"{target}?next=/api"}))
        with connect(server) as client, pytest.raises(LabelStudioRejected, match=target):
            client.project(1)
        assert [request.url.host for request in server.asked] == ["studio.example"]

    @pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "schlüssel"])
    def test_what_cannot_be_one_is_refused_without_showing_it(self, key):
        with pytest.raises(LabelStudioUnauthorized, match="LABEL_STUDIO_API_KEY") as caught:
            LabelStudioClient(URL, key)
        assert not key.strip() or key not in str(caught.value)

    @pytest.mark.parametrize("key", [KEY, token("refresh")])
    @pytest.mark.parametrize("before", [0, 285])
    def test_it_is_hidden_where_a_refusal_quotes_it(self, key, before):
        said = "x" * before + f" who is {key}, who is {token('access')}?"
        server = Server(httpx.Response(400, json={"detail": said}))
        with connect(server, key=KEY) as client, pytest.raises(LabelStudioRejected) as caught:
            client.version()
        assert "***" in str(caught.value)
        assert key[:8] not in str(caught.value)

    def test_it_opens_files_as_well(self):
        with connect(Server(httpx.Response(200))) as client:
            assert client.http.authorization() == {"Authorization": f"Token {KEY}"}

    def test_a_line_end_around_it_is_forgiven(self):
        server = Server(httpx.Response(200, json={"release": "1"}))
        with connect(server, key=f"{KEY}\n") as client:
            client.version()
        assert server.asked[0].headers["Authorization"] == f"Token {KEY}"

    def test_an_expired_one_is_refused_at_once(self):
        with pytest.raises(LabelStudioUnauthorized, match="expired"):
            LabelStudioClient(URL, token("refresh", -timedelta(days=1)))


class TestPersonalAccessToken:
    def test_it_is_exchanged_below_the_base_path(self):
        access = token("access")
        server = Server(
            httpx.Response(200, json={"access": access}),
            httpx.Response(200, json={"release": "1"}),
        )
        with connect(server, key=token("refresh")) as client:
            client.version()
        assert [str(request.url) for request in server.asked] == [
            f"{URL}/api/token/refresh/",
            f"{URL}/api/version/",
        ]
        assert server.asked[1].headers["Authorization"] == f"Bearer {access}"

    def test_a_401_renews_it_and_the_write_goes_out_again(self):
        old, new = token("access"), token("access", timedelta(days=2))
        server = Server(
            httpx.Response(200, json={"access": old}),
            httpx.Response(401),
            httpx.Response(200, json={"access": new}),
            httpx.Response(201, json={"created": 0}),
        )
        with connect(server, key=token("refresh")) as client:
            assert client.import_predictions(1, []) == 0
        assert server.asked[3].headers["Authorization"] == f"Bearer {new}"

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (httpx.Response(401, json={"detail": "Token is invalid"}), LabelStudioUnauthorized),
            (httpx.Response(503, json={}), LabelStudioUnreachable),
            (httpx.Response(200, text="<html>"), LabelStudioUnreachable),
        ],
    )
    def test_what_goes_wrong_with_that_is_said(self, answer, error):
        with (
            connect(Server(answer), key=token("refresh"), retries=0) as client,
            pytest.raises(error, match="renewing"),
        ):
            client.version()
        with (
            connect(Server(answer), key=token("refresh"), retries=0) as client,
            pytest.raises(error, match="renewing"),
        ):
            client.http.authorization()

    def test_files_are_opened_with_what_it_is_exchanged_for(self):
        access = token("access")
        server = Server(httpx.Response(200, json={"access": access}))
        with connect(server, key=token("refresh")) as client:
            for _ in range(2):
                assert client.http.authorization() == {"Authorization": f"Bearer {access}"}
        assert len(server.asked) == 1


class TestTheAddress:
    @pytest.mark.parametrize(
        "url", ["", "studio.example", "ftp://studio.example", "http://", "http://a b:port"]
    )
    def test_what_is_none_is_refused(self, url):
        with pytest.raises(LabelStudioUnreachable, match="LABEL_STUDIO_URL"):
            LabelStudioClient(url, KEY)

    @pytest.mark.parametrize("url", ["http://me:hunter2@studio.example", "me:hunter2@studio"])
    def test_credentials_in_it_are_refused_and_not_shown(self, url):
        with pytest.raises(LabelStudioUnreachable, match="user or password") as caught:
            LabelStudioClient(url, KEY)
        assert "hunter2" not in str(caught.value)

    def test_a_slash_at_the_end_changes_nothing(self):
        with LabelStudioClient(f"{URL}/", KEY) as client:
            assert client.url == URL


def _list_url() -> str:
    query = json.dumps(
        {
            "ordering": ["tasks:id"],
            "filters": {"items": [{"filter": "filter:tasks:id", "value": 0}]},
        }
    )
    return str(httpx.URL(f"{URL}/api/tasks", params={"query": query, "page_size": 1}))


@pytest.mark.parametrize("body", [[3], {}, "up", {"results": 3}, {"tasks": {}}], ids=repr)
@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.check(),
        lambda client: client.project(1),
        lambda client: client.update_project(1, title="x"),
        lambda client: client.count(1),
        lambda client: list(client.tasks(1)),
        lambda client: client.import_predictions(1, []),
        lambda client: client.delete_model_version(1, "x"),
    ],
    ids=range(7),
)
def test_json_that_label_studio_does_not_send_is_no_answer(body, call):
    server = Server(httpx.Response(200, json=body))
    with connect(server) as client, pytest.raises(LabelStudioUnreachable, match="another service"):
        call(client)


def test_json_nested_beyond_what_can_be_read_is_no_answer():
    deep = b"[" * 100_000 + b"]" * 100_000
    with connect(Server(httpx.Response(200, content=deep))) as client:
        for call in (client.projects, lambda: list(client.tasks(1))):
            with pytest.raises(LabelStudioUnreachable, match="JSON"):
                call()
    refused = Server(httpx.Response(400, content=deep))
    with connect(refused) as client, pytest.raises(LabelStudioRejected, match="400"):
        client.project(1)


@pytest.mark.parametrize("body", [[3], [{}], [{"id": 1}], {"detail": "no"}, 3], ids=repr)
def test_rows_without_an_id_and_an_address_are_none(body):
    server = Server(httpx.Response(200, json=body))
    with connect(server) as client:
        for call in (client.webhooks, client.ml_backends):
            with pytest.raises(LabelStudioUnreachable, match="another service"):
                call(1)
