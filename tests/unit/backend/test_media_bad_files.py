"""A file that cannot be read has a named error, in time, and costs no other."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ls_active.media import Media, MediaError, MediaPolicy, MediaProblem, patience
from ls_active.media.network import Network
from tests.harness.media_server import (
    Answer,
    MediaServer,
    SlowNames,
    content,
    endless,
    hang,
    raw,
    status,
)

FILE = "/data/upload/3/cat.png"
QUICK = 0.7  # Seconds that a file may take, where it will take all of them.
OK = b"HTTP/1.1 200 OK\r\n"
LETTERS = [bytes([letter]) for letter in OK + b"X: yyyyyyyyyyyyyyyyyyyyy\r\n"]


@pytest.fixture
def studio() -> Iterator[MediaServer]:
    with MediaServer({"/data/upload/3/good.png": content(b"good")}) as server:
        yield server


def make(studio: MediaServer, network: Network | None = None, **policy: Any) -> Media:
    return Media(studio.url, dict, MediaPolicy(**policy), None, network)


def failure(studio: MediaServer, answer: Answer, **policy: Any) -> MediaError:
    """What an answer comes to, after the file beside it was read all the same."""
    studio.answers[FILE] = answer
    with make(studio, **policy) as media:
        bad, good = media.fetch_all([f"{FILE}?sig=5ec4e7", "/data/upload/3/good.png"])
        assert good == b"good"
        assert isinstance(bad, MediaError)
        assert "5ec4e7" not in str(bad)
        assert FILE in str(bad) or bad.problem == MediaProblem.EMPTY
        return bad


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hang, id="a server that hangs"),
        pytest.param(raw(OK, *[b"X: y\r\n"] * 40, b"\r\ncat", pause=0.05), id="a head that drips"),
        pytest.param(raw(*LETTERS, b"\r\ncat", pause=0.05), id="a line that drips"),
        pytest.param(raw(OK + b"\r\n", *[b"cat"] * 40, pause=0.05), id="a body that drips"),
        pytest.param(raw(OK + b"Content-Length: 9\r\n\r\n", b"cat", pause=2), id="one that stops"),
        pytest.param(raw(*[b"HTTP/1.1 102 W\r\n\r\n"] * 40, pause=0.05), id="one that promises"),
    ],
)
def test_a_file_that_comes_too_slowly_is_named(studio, answer):
    error = failure(studio, answer, seconds=QUICK)
    assert error.problem == MediaProblem.TOO_SLOW
    assert error.transient


class TestTime:
    def test_a_look_up_counts(self, studio):
        over = threading.Event()
        with make(studio, SlowNames(over), seconds=QUICK, hosts=("*",)) as media:
            try:
                with pytest.raises(MediaError, match="in time") as caught:
                    media.fetch("http://images.example/cat.png")
            finally:
                over.set()
        assert caught.value.problem == MediaProblem.TOO_SLOW

    def test_redirects_share_the_time(self, studio):
        def slowly(visit: Any) -> None:
            studio.over.wait(QUICK / 3)
            visit.head(302, {"Location": FILE, "Content-Length": 0})

        error = failure(studio, slowly, seconds=QUICK)
        assert error.problem == MediaProblem.TOO_SLOW


class TestTooBig:
    LIMIT = 1 << 17

    def test_is_seen_in_the_head(self, studio):
        studio.answers[FILE] = raw(OK + b"Content-Length: 999999999999\r\n\r\n")
        error = failure(studio, studio.answers[FILE], max_bytes=self.LIMIT)
        assert error.problem == MediaProblem.TOO_BIG
        assert "131,072 bytes" in str(error)
        assert not error.transient

    def test_is_cut_off_where_the_head_does_not_say(self, studio):
        assert failure(studio, endless, max_bytes=self.LIMIT).problem == MediaProblem.TOO_BIG

    def test_chunks_are_counted(self, studio):
        chunks = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        answer = raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[chunks] * 3, b"0\r\n\r\n")
        assert failure(studio, answer, max_bytes=self.LIMIT).problem == MediaProblem.TOO_BIG

    def test_a_file_of_just_the_limit_is_not(self, studio):
        studio.answers[FILE] = content(bytes(self.LIMIT))
        with make(studio, max_bytes=self.LIMIT) as media:
            assert media.fetch(FILE) == bytes(self.LIMIT)

    def test_a_head_without_end_is_refused(self, studio):
        error = failure(studio, raw(OK, *[b"X: " + b"y" * 1000 + b"\r\n"] * 300))
        assert error.problem == MediaProblem.BROKEN_OFF

    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate, gzip"])
    def test_nothing_is_unpacked(self, studio, encoding):
        bomb = content(gzip.compress(bytes(1 << 20)), **{"Content-Encoding": encoding})
        error = failure(studio, bomb, max_bytes=self.LIMIT)
        assert error.problem == MediaProblem.ENCODED
        assert studio.requests[0].headers["accept-encoding"] == "identity"


class TestBroken:
    @pytest.mark.parametrize(
        "answer",
        [
            raw(OK + b"Content-Length: 9\r\n\r\ncat"),
            raw(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\ncat"),
            raw(OK + b"Content-Length: three\r\n\r\ncat"),
            raw(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\ncat"),
            raw(OK),
            raw(b""),
            raw(b"\x89PNG\r\n\x1a\n\r\n\r\n"),
            raw(b"220 mail.example ESMTP\r\n"),
        ],
    )
    def test_is_named(self, studio, answer):
        error = failure(studio, answer)
        assert error.problem == MediaProblem.BROKEN_OFF
        assert error.transient

    def test_more_than_was_announced_is_not_read(self, studio):
        studio.answers[FILE] = raw(OK + b"Content-Length: 3\r\n\r\ncatHTTP/1.1 200 OK\r\n\r\n")
        with make(studio) as media:
            assert media.fetch_all([FILE, "/data/upload/3/good.png"]) == [b"cat", b"good"]

    def test_an_empty_file_is_named(self, studio):
        assert failure(studio, content(b"")).problem == MediaProblem.EMPTY

    def test_without_its_key_in_the_error(self, studio):
        # A key that no header can hold; h11 would quote it.
        bad_key = {"Authorization": "Token 0123\n4567"}
        with (
            Media(studio.url, lambda: bad_key, MediaPolicy(), None) as media,
            pytest.raises(MediaError) as caught,
        ):
            media.fetch(FILE)
        assert "4567" not in repr(caught.value)
        assert caught.value.__suppress_context__


class TestStatus:
    @pytest.mark.parametrize(
        ("code", "problem", "transient"),
        [
            (404, MediaProblem.NOT_FOUND, False),
            (410, MediaProblem.NOT_FOUND, False),
            (401, MediaProblem.HTTP_STATUS, True),
            (403, MediaProblem.HTTP_STATUS, False),
            (429, MediaProblem.HTTP_STATUS, True),
            (500, MediaProblem.HTTP_STATUS, True),
            (206, MediaProblem.HTTP_STATUS, False),
            (302, MediaProblem.HTTP_STATUS, False),  # To nowhere.
        ],
    )
    def test_is_named(self, studio, code, problem, transient):
        error = failure(studio, status(code))
        assert (error.problem, error.transient) == (problem, transient)
        assert str(code) in str(error)
        assert ("our key" in str(error)) == (code in {401, 403})

    def test_a_server_that_is_not_there_is_named(self, studio):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with Media(f"http://127.0.0.1:{port}", dict, MediaPolicy(), None) as media:
            (error,) = media.fetch_all([FILE])
        assert isinstance(error, MediaError)
        assert error.problem == MediaProblem.UNREACHABLE
        assert error.transient


class TestManyAtOnce:
    def test_keep_their_order(self, studio):
        for number in range(40):
            studio.answers[f"/data/upload/{number}"] = content(str(number).encode())
        values = [f"/data/upload/{number}" for number in (*range(40), *range(0, 40, 3))]
        with make(studio) as media:
            found = media.fetch_all(values)
        assert found == [value.rpartition("/")[2].encode() for value in values]
        assert len(studio.requests) == 40

    def test_are_bounded(self, studio):
        guard = threading.Lock()
        now = most = 0
        full = threading.Event()

        def answer(visit: Any) -> None:
            nonlocal now, most
            with guard:
                now += 1
                most = max(most, now)
            if now == 3:
                full.set()
            full.wait(1)
            with guard:
                now -= 1
            content(b"cat")(visit)

        values = [f"/data/upload/{number}" for number in range(12)]
        studio.answers |= dict.fromkeys(values, answer)
        with make(studio, concurrency=3) as media:
            assert media.fetch_all(values) == [b"cat"] * 12
        assert most == 3

    def test_streamed_are_read_only_a_little_ahead(self, studio):
        asked: list[int] = []

        def values() -> Iterator[str]:
            for number in range(100):
                asked.append(number)
                yield f"data:,{number}"

        with make(studio, concurrency=2) as media:
            stream = media.stream(values())
            assert next(stream) == b"0"
            assert len(asked) == 4
            assert list(stream) == [str(number).encode() for number in range(1, 100)]

    def test_that_are_equal_are_read_once(self, studio):
        with make(studio) as media:
            assert list(media.stream(["/data/upload/3/good.png"] * 9)) == [b"good"] * 9
            assert media.fetch_all([]) == []
        assert len(studio.requests) == 1

    def test_streamed_are_forgotten_behind(self, studio):
        values = [f"/data/upload/{number}" for number in (0, 1, 2, 3, 4, 0)]
        studio.answers |= dict.fromkeys(values, content(b"cat"))
        with make(studio, concurrency=1) as media:
            assert list(media.stream(values)) == [b"cat"] * 6
        assert studio.paths == values

    def test_an_abandoned_stream_begins_no_more(self, studio):
        gate = threading.Event()
        studio.answers["/data/upload/slow"] = lambda visit: gate.wait(5) and content(b"cat")(visit)
        values = ["data:,cat", *(f"/data/upload/slow?{number}" for number in range(7))]
        with make(studio, concurrency=4) as media:
            stream = media.stream(values)
            assert next(stream) == b"cat"
            stream.close()
            gate.set()
            assert media.fetch_all(["data:,dog"]) == [b"dog"]
        assert len(studio.requests) <= 4

    def test_connections_are_used_again(self, studio):
        studio.answers[FILE] = content(b"cat")
        opened: list[int] = []

        class Counted(Network):
            def connect(self, address: str, port: int, seconds: float) -> Any:
                opened.append(port)
                return super().connect(address, port, seconds)

        with make(studio, Counted()) as media:
            for _ in range(3):
                media.fetch(FILE)
        assert len(opened) == 1


class TestAHostThatDoesNotAnswer:
    """Is left alone after three files, or a thousand of its files would hold everything up."""

    @pytest.fixture
    def two_files(self, studio):
        studio.answers |= {"/data/upload/hang": hang, "/data/upload/cat": content(b"cat")}
        with make(studio, seconds=0.15, concurrency=1) as media:
            yield media

    def test_is_not_asked_again_for_a_while(self, studio, two_files):
        files = two_files.fetch_all([f"/data/upload/hang?{number}" for number in range(20)])
        assert {file.problem for file in files} == {MediaProblem.TOO_SLOW, MediaProblem.UNREACHABLE}
        assert all(file.transient for file in files)
        assert len(studio.requests) == patience.FAILURES
        with pytest.raises(MediaError, match=r"did not answer 3 times.* asked again in \d+ s"):
            two_files.fetch("/data/upload/cat")

    def test_is_asked_again_later(self, two_files, monkeypatch):
        monkeypatch.setattr(patience, "REST_SECONDS", 0.2)
        two_files.fetch_all([f"/data/upload/hang?{number}" for number in range(5)])
        time.sleep(0.3)
        assert two_files.fetch("/data/upload/cat") == b"cat"

    def test_is_forgiven_what_comes_between_answers(self, studio, two_files):
        for number in range(2 * patience.FAILURES):
            with pytest.raises(MediaError):
                two_files.fetch(f"/data/upload/hang?{number}")
            assert two_files.fetch(f"/data/upload/cat?{number}") == b"cat"

    def test_is_no_trouble_of_others(self, studio, two_files):
        two_files.fetch_all([f"/data/upload/hang?{number}" for number in range(5)])
        assert two_files.fetch("data:,cat") == b"cat"

    def test_of_many_the_last_thousand_are_remembered(self, monkeypatch):
        monkeypatch.setattr(patience, "HOSTS", 10)
        known, silent = patience.Patience(), MediaError(MediaProblem.TOO_SLOW, "30 s")
        for host in range(11):
            for _ in range(patience.FAILURES):
                known.heard(f"{host}.test", silent)
        known.check("0.test")
        with pytest.raises(MediaError, match=r"1\.test did not answer"):
            known.check("1.test")
