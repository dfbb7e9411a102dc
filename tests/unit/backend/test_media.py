"""Files are read where they may be, with our key only where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from active_learning.errors import Unreadable
from ls_active.media import Media, MediaError, MediaPolicy, MediaProblem
from tests.harness.media_server import MediaServer, Town, content, redirect, status

KEY = Town.KEY["Authorization"]
PROXY = "/tasks/7/resolve/"
SIGNED = "http://bucket.example/cat.png?X-Amz-Signature=5ec4e7"


@pytest.fixture
def town() -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(stack)


def failure(media: Media, value: str) -> MediaError:
    with pytest.raises(MediaError) as caught:
        media.fetch(value)
    return caught.value


def problem(media: Media, value: str) -> MediaProblem:
    return failure(media, value).problem


def keys(server: MediaServer) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.requests]


class TestLabelStudio:
    @pytest.mark.parametrize(
        "value",
        [
            "/data/upload/3/5fe0-cat%20%D0%BC.png",
            "/data/local-files/?d=cats/a%20cat.png",
            "/data/local-files?d=cats/cat.png",
            "/tasks/7/resolve/?fileuri=czM6Ly9idWNrZXQvY2F0LnBuZw==",
            "/projects/3/resolve/?fileuri=czM6Ly9idWNrZXQvY2F0LnBuZw==",
            "/storage-data/uploaded/?filepath=upload/3/cat.png",
        ],
    )
    def test_files_are_read_with_our_key(self, town, value):
        town.studio.answers[value.partition("?")[0]] = content(b"cat")
        media = town.media()
        assert media.fetch(value) == b"cat"
        assert media.fetch(f" {town.studio.url}{value}\n") == b"cat"
        assert town.studio.paths == [value, value]
        assert keys(town.studio) == [KEY] * 2

    def test_characters_of_file_names_are_encoded(self, town):
        town.studio.answers["/data/local-files/"] = content(b"cat")
        town.media().fetch("/data/local-files/?d=мои коты/1.png")
        assert town.studio.paths == [
            "/data/local-files/?d=%D0%BC%D0%BE%D0%B8%20%D0%BA%D0%BE%D1%82%D1%8B/1.png"
        ]

    @pytest.mark.parametrize(
        "value", ["/data/upload/3/cat.png", "/studio/data/upload/3/cat.png", "ALIAS"]
    )
    def test_under_a_base_path_it_has_one_address(self, town, value):
        town.studio.answers["/studio/data/upload/3/cat.png"] = content(b"cat")
        alias = "https://label.example/out"
        media = town.media("/studio", aliases=(alias,))
        assert media.fetch(value.replace("ALIAS", f"{alias}/data/upload/3/cat.png")) == b"cat"
        assert keys(town.studio) == [KEY]

    def test_other_paths_of_its_origin_are_not_its_own(self, town):
        town.studio.answers["/data/upload/3/cat.png"] = content(b"cat")
        media = town.media("/studio")
        assert media.fetch(f"{town.studio.url}/data/upload/3/cat.png") == b"cat"
        assert keys(town.studio) == [None]

    def test_an_alias_that_is_none_changes_nothing(self, town):
        town.studio.answers["/studio/data/upload/3/cat.png"] = content(b"cat")
        media = town.media("/studio", aliases=(town.studio.url,))
        assert media.fetch(f"{town.studio.url}/studio/data/upload/3/cat.png") == b"cat"

    def test_what_an_alias_lacks_is_not_looked_for_elsewhere(self, town):
        media = town.media(aliases=("https://label.example:8443",))
        value = "https://label.example/data/upload/3/cat.png"
        assert problem(media, value) == MediaProblem.HOST_NOT_ALLOWED

    @pytest.mark.parametrize(
        "path",
        [
            "/api/users/",
            "/api/current-user/token",
            "/static/samples/cat.png",
            "/data/upload/../../api/users/",
            "/data/upload/%2e%2e/%2E%2e/api/users/",
            "/data/upload/..%2f..%2fapi/users/",
            "/data/upload/..%5c..%5capi/users/",
            "/tasks/7/resolve/../../../api/users/",
            "/projects/3/data?tab=1",
            "/data/uploads/cat.png",
        ],
    )
    def test_only_routes_of_files_get_our_key(self, town, path):
        media = town.media()
        assert problem(media, path) == MediaProblem.NOT_FOUND
        assert problem(media, town.studio.url + path) == MediaProblem.NOT_FOUND
        assert keys(town.studio) == [None, None]

    def test_another_port_of_its_host_is_another_server(self, town):
        value = f"{town.images.url}/data/upload/3/cat.png"
        assert problem(town.media(), value) == MediaProblem.HOST_NOT_ALLOWED
        open_wide = town.media(hosts=("*",))
        assert problem(open_wide, value) == MediaProblem.PRIVATE_ADDRESS
        town.images.answers["/data/upload/3/cat.png"] = content(b"cat")
        assert town.media(hosts=("*",), private=True).fetch(value) == b"cat"
        assert keys(town.images) == [None]

    def test_a_key_that_fails_is_no_fault_of_the_file(self, town):
        def no_key() -> dict[str, str]:
            raise LookupError("the key was revoked")

        with Media(town.studio.url, no_key, MediaPolicy(), None) as media:
            with pytest.raises(LookupError):
                media.fetch_all(["/data/upload/3/cat.png"])
            assert media.fetch_all(["data:,cat"]) == [b"cat"]

    @pytest.mark.parametrize("url", ["", "studio.example", "ftp://studio.example", "http://"])
    def test_needs_an_address(self, url):
        with pytest.raises(ValueError):
            Media(url, dict, MediaPolicy(), None)


class TestHosts:
    def test_are_refused_before_anybody_is_asked(self, town):
        error = failure(town.media(), "http://images.example/cat.png?token=5ec4e7")
        assert error.problem == MediaProblem.HOST_NOT_ALLOWED
        assert "images.example" in str(error)
        assert "5ec4e7" not in str(error)
        assert "5ec4e7" not in repr(error)
        assert town.network.looked_up == []

    @pytest.mark.parametrize("hosts", [("images.example",), ("Images.Example.",), ("*",)])
    def test_are_read_when_listed_without_our_key(self, town, hosts):
        media = town.media(hosts=hosts)
        assert media.fetch("http://images.example/cat.png") == b"cat"
        assert media.fetch("http://IMAGES.example./cat.png") == b"cat"
        assert media.fetch("//images.example/cat.png") == b"cat"
        assert set(keys(town.images)) == {None}
        assert town.images.requests[0].headers["host"] == "images.example"

    def test_others_than_those_listed_are_refused(self, town):
        media = town.media(hosts=("images.example",))
        for host in ["bucket.example", "sub.images.example", "images.example.evil.example"]:
            assert problem(media, f"http://{host}/cat.png") == MediaProblem.HOST_NOT_ALLOWED

    @pytest.mark.parametrize(
        "name", ["https://images.example", "images.example/cats", "images.example:80", "", "a b"]
    )
    def test_must_be_names(self, name):
        with pytest.raises(ValueError, match="must be a host name"):
            MediaPolicy(hosts=(name,))

    def test_international_names_are_compared_as_dns_has_them(self):
        assert MediaPolicy(hosts=("Bücher.example",)).allows("xn--bcher-kva.example")


class TestRedirects:
    def test_to_the_storage_of_a_project_need_no_leave(self, town):
        town.studio.answers[PROXY] = redirect(SIGNED)
        assert town.media().fetch(f"{PROXY}?fileuri=czM6") == b"stored cat"
        assert keys(town.studio) == [KEY]
        assert keys(town.bucket) == [None]
        assert town.bucket.paths == ["/cat.png?X-Amz-Signature=5ec4e7"]

    def test_of_that_storage_neither(self, town):
        town.studio.answers[PROXY] = redirect(SIGNED)
        town.bucket.answers["/cat.png"] = redirect("http://images.example/cat.png", 307)
        assert town.media().fetch(f"{PROXY}?fileuri=czM6") == b"cat"

    def test_from_elsewhere_in_label_studio_do(self, town):
        town.studio.answers["/user/login/"] = redirect("http://images.example/cat.png")
        value = "/user/login/?next=//images.example/cat.png"
        assert problem(town.media(), value) == MediaProblem.HOST_NOT_ALLOWED

    def test_of_a_listed_host_lead_to_listed_hosts_only(self, town):
        town.images.answers["/cat.png"] = redirect(SIGNED)
        error = failure(town.media(hosts=("images.example",)), "http://images.example/cat.png")
        assert error.problem == MediaProblem.HOST_NOT_ALLOWED
        assert "bucket.example" in str(error)
        assert "5ec4e7" not in str(error)
        both = town.media(hosts=("images.example", "bucket.example"))
        assert both.fetch("http://images.example/cat.png") == b"stored cat"

    @pytest.mark.parametrize(
        "target",
        [
            "http://127.0.0.1:{port}/cat.png",
            "http://[::ffff:127.0.0.1]:{port}/",
            "http://localhost/",
        ],
    )
    def test_to_a_private_address_are_refused(self, town, target):
        town.studio.answers[PROXY] = redirect(target.format(port=town.bucket.port))
        assert problem(town.media(), f"{PROXY}?fileuri=czM6") == MediaProblem.PRIVATE_ADDRESS
        assert town.bucket.requests == []

    def test_to_a_private_storage_may_be_allowed(self, town):
        town.studio.answers[PROXY] = redirect(f"{town.bucket.url}/cat.png")
        assert town.media(private=True).fetch(f"{PROXY}?fileuri=czM6") == b"stored cat"
        assert keys(town.bucket) == [None]

    def test_within_label_studio_keep_the_key(self, town):
        town.studio.answers["/data/local-files"] = redirect("/data/local-files/?d=cat.png", 301)
        town.studio.answers["/data/local-files/"] = content(b"cat")
        assert town.media().fetch("/data/local-files?d=cat.png") == b"cat"
        assert keys(town.studio) == [KEY] * 2

    def test_to_its_other_address_stay_within(self, town):
        town.studio.answers["/data/upload/1"] = redirect("https://label.example/data/upload/2")
        town.studio.answers["/data/upload/2"] = content(b"cat")
        assert town.media(aliases=("https://label.example",)).fetch("/data/upload/1") == b"cat"

    def test_back_from_a_stranger_come_without_the_key(self, town):
        back = f"{town.studio.url}/data/upload/3/secret.png"
        town.images.answers["/cat.png"] = redirect(back)
        town.studio.answers["/data/upload/3/secret.png"] = status(401)
        error = failure(town.media(hosts=("images.example",)), "http://images.example/cat.png")
        assert (error.problem, error.status) == (MediaProblem.HTTP_STATUS, 401)
        assert keys(town.studio) == [None]

    def test_in_a_circle_end(self, town):
        town.studio.answers["/data/upload/1"] = redirect("/data/upload/1")
        assert problem(town.media(), "/data/upload/1") == MediaProblem.TOO_MANY_REDIRECTS
        assert len(town.studio.requests) == 6

    def test_five_are_followed(self, town):
        for number in range(5):
            town.studio.answers[f"/data/upload/{number}"] = redirect(f"/data/upload/{number + 1}")
        town.studio.answers["/data/upload/5"] = content(b"cat")
        assert town.media().fetch("/data/upload/0") == b"cat"

    @pytest.mark.parametrize(
        "target",
        [
            "file:///etc/passwd",
            "gopher://images.example/",
            "http://[x",
            "http://me@images.example/",
        ],
    )
    def test_to_anything_else_are_refused(self, town, target):
        town.studio.answers["/data/upload/1"] = redirect(target)
        assert problem(town.media(), "/data/upload/1") == MediaProblem.BAD_ADDRESS


def test_an_error_is_an_unreadable_value():
    assert issubclass(MediaError, Unreadable)
