"""Whatever a value holds, it is a file or a named error, and nothing secret is shown."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.media import Media, MediaError, MediaPolicy, MediaProblem
from ls_active.media.address import host_name
from ls_active.media.inline import decode
from tests.harness.media_server import Scripted, moved

STUDIO = "http://studio.example:8080/base"
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def network() -> Scripted:
    return Scripted()


@pytest.fixture(scope="module")
def media(network) -> Iterator[Media]:
    policy = MediaPolicy(hosts=("*",), max_bytes=LIMIT)
    with Media(STUDIO, lambda: {"Authorization": "Token 0123"}, policy, None, network) as made:
        yield made


PIECES = st.sampled_from(
    [
        *("http://", "https://", "HTTP:", "//", "/", "\\", "\\\\", "@", ":", "?", "#", "%", "%00"),
        *(
            "%2e%2e",
            "%0d%0a",
            "..",
            ".",
            "[",
            "]",
            "[::1]",
            "::",
            "data:",
            ";base64,",
            ",",
            "s3://",
        ),
        *("user:pass@", "studio.example", "studio.example:8080", ":99999", ":-1", ":0", ":\u0663"),
        *("xn--", "xn--a", "\u2177.example", "\ufb01.example", "127.1", "0x7f.1", "1.2.3.4.5"),
        *("/data/upload/", "/base", "/tasks/7/resolve/?fileuri=", "gs://", "file:///etc", "%ud800"),
        *("javascript:", "\x00", "\r\n", "\t", "\x7f", "\ud800", "\U0001f600", "\u202e", "\xa0"),
        *("\u200b", "%zz", "=", "&", "+", "~", "|", "^", "`", "{", "}", "<", ">", '"', "'", " "),
    ]
)
NASTY = st.one_of(
    st.text(),
    st.text(st.characters()),
    st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join),
    st.builds("".join, st.tuples(st.sampled_from(["http://", "/", "data:"]), st.text())),
)


def check(media: Media, value: str) -> None:
    (found,) = media.fetch_all([value])
    if isinstance(found, MediaError):
        assert str(found).isprintable()
        assert 0 < len(str(found)) < 400
    else:
        assert found


class TestAnyValue:
    @given(NASTY)
    def test_is_a_file_or_a_media_error(self, media, value):
        check(media, value)

    @given(NASTY)
    def test_of_a_redirect_too(self, media, network, target):
        network.answers = [moved(target.replace("\r", "").replace("\n", ""))]
        check(media, "/data/upload/1")

    @pytest.mark.parametrize(
        "value",
        [
            "http://" + "a" * 10**6,
            "http://a.example/" + "a" * 10**6,
            "/data/upload/" + "%2e" * 10**5,
            "http://" + "." * 60000,
            "http://a.example:" + "9" * 60000,
            "http://" + "é" * 20000,
            "http://" + "xn--" * 10000,
            "/" * 60000,
            "data:" + ";" * 10**6,
            "data:;base64," + "=" * 10**6,
            "data:," + "%" * 10**5,
        ],
    )
    def test_may_be_huge(self, media, value):
        check(media, value)

    @given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=20))
    def test_shows_no_secret(self, media, secret):
        for value in [
            f"http://me:{secret}X@images.example/",
            f"s3://{secret}X/cat.png",
            f"/data/upload/\n?sig={secret}X",
            f"http://images.example:{secret}X/",
            f"http://[{secret}X]/",
            f"data:image/png;base64,{secret}X!",
            f"{secret}X",
        ]:
            with pytest.raises(MediaError) as caught:
                media.fetch(value)
            assert f"{secret}X" not in f"{caught.value!r} {caught.value.__cause__!r}"
            assert caught.value.__context__ is None or caught.value.__suppress_context__

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            ("", MediaProblem.BAD_ADDRESS),
            ("cat.png", MediaProblem.BAD_ADDRESS),
            ("data/upload/cat.png", MediaProblem.BAD_ADDRESS),
            ("\\\\server\\share", MediaProblem.BAD_ADDRESS),
            ("http:cat.png", MediaProblem.BAD_ADDRESS),
            ("http:///cat.png", MediaProblem.BAD_ADDRESS),
            ("http://a.example:99999/", MediaProblem.BAD_ADDRESS),
            ("http://a.example:0/", MediaProblem.BAD_ADDRESS),
            ("http://me@a.example/", MediaProblem.BAD_ADDRESS),
            ("http://a.example\\@b.example/", MediaProblem.BAD_ADDRESS),
            ("http://a%2eexample/", MediaProblem.BAD_ADDRESS),
            ("http://a example/", MediaProblem.BAD_ADDRESS),
            ("s3://bucket/cat.png", MediaProblem.UNSUPPORTED_SCHEME),
            ("azure-blob://c/cat.png", MediaProblem.UNSUPPORTED_SCHEME),
            ("file:///etc/passwd", MediaProblem.UNSUPPORTED_SCHEME),
            ("C:\\cat.png", MediaProblem.UNSUPPORTED_SCHEME),
        ],
    )
    def test_that_is_no_address_says_what_is_wrong(self, media, value, problem):
        with pytest.raises(MediaError) as caught:
            media.fetch(value)
        assert caught.value.problem == problem
        assert not caught.value.transient

    def test_of_a_bucket_says_what_to_do(self, media):
        with pytest.raises(MediaError, match="add the storage to the project"):
            media.fetch("s3://bucket/cat.png")


class TestDataUrls:
    @given(st.binary(max_size=300), st.sampled_from(["", "image/png", "text/csv;charset=utf-8"]))
    def test_hold_any_bytes(self, data, kind):
        assert decode(f"data:{kind},{quote_from_bytes(data)}", LIMIT) == data
        plain = base64.b64encode(data).decode()
        for text in (
            plain,
            plain.rstrip("="),
            plain.replace("=", "%3D"),
            f" {plain[:4]}\n{plain[4:]}",
        ):
            assert decode(f"data:{kind};base64,{text}", LIMIT) == data
        assert decode(f"DATA:{kind}; BASE64 ,{plain}", LIMIT) == data

    @pytest.mark.parametrize(
        "value",
        ["data:", "data:image/png;base64", "data:;base64,a", "data:;base64,@@@@", "data:,\ud800"],
    )
    def test_that_are_none_are_named(self, media, value):
        with pytest.raises(MediaError) as caught:
            media.fetch(value)
        assert caught.value.problem == MediaProblem.BAD_DATA_URL

    @pytest.mark.parametrize("head", ["data:,", "data:;base64,"])
    def test_have_a_limit(self, head):
        assert len(decode(head + "AAAA" * 3, 12)) in {9, 12}
        for count in (5, 100):
            with pytest.raises(MediaError) as caught:
                decode(head + "AAAA" * count, 12)
            assert caught.value.problem == MediaProblem.TOO_BIG

    def test_may_be_empty_and_then_are_no_file(self, media):
        with pytest.raises(MediaError, match="no bytes"):
            media.fetch("data:image/png;base64,")


@given(st.text())
def test_a_host_name_is_one_or_is_refused(name):
    try:
        host = host_name(name)
    except ValueError:
        return
    assert host == host_name(host)
    assert MediaPolicy(hosts=(name,)).allows(host)
