"""What was fetched is there again, unharmed or not at all, and the disk does not fill up."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.media import Media, MediaError, MediaPolicy
from ls_active.media.cache import FileCache
from tests.harness.media_server import MediaServer, content, redirect

BIG = 1 << 30
FILE = "/data/upload/3/cat.png"


@pytest.fixture
def cache(tmp_path) -> FileCache:
    return FileCache(tmp_path / "media", BIG)


def files(folder: Path, kind: str = "*") -> list[Path]:
    return sorted((folder / "media").glob(f"*.{kind}"))


def size_of(folder: Path) -> int:
    return sum(max(path.stat().st_size, 4096) for path in files(folder))


def age(folder: Path) -> None:
    """Make everything there a thousand seconds older."""
    for path in files(folder):
        moment = path.stat().st_mtime - 1000
        os.utime(path, (moment, moment))


class TestFileCache:
    def test_gives_back_what_was_put(self, cache, tmp_path):
        assert cache.get("a") is None
        cache.put("a", b"cat")
        assert cache.get("a") == b"cat"
        assert FileCache(tmp_path / "media", BIG).get("a") == b"cat"
        assert cache.get("b") is None

    @given(st.text(), st.text(), st.binary(), st.binary())
    def test_of_any_address(self, tmp_path_factory, one, other, first, second):
        cache = FileCache(tmp_path_factory.mktemp("cache"), BIG)
        cache.put(one, first)
        cache.put(other, second)
        assert cache.get(other) == second
        assert cache.get(one) == (second if one == other else first)

    def test_keeps_equal_files_once(self, cache, tmp_path):
        for address in "abc":
            cache.put(address, b"cat" * 5000)
        assert len(files(tmp_path, "content")) == 1
        assert [cache.get(address) for address in "abc"] == [b"cat" * 5000] * 3

    def test_is_for_our_user_alone(self, cache, tmp_path):
        cache.put("a", b"cat")
        for path in [tmp_path / "media", *files(tmp_path)]:
            assert path.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("damage", [b"", b"ca", b"cut", b"cat" * 9])
    @pytest.mark.parametrize("kind", ["content", "address"])
    def test_what_is_damaged_is_a_miss_and_mends(self, cache, tmp_path, kind, damage):
        cache.put("a", b"cat")
        (path,) = files(tmp_path, kind)
        path.write_bytes(damage)
        assert cache.get("a") is None
        cache.put("a", b"cat")
        assert cache.get("a") == b"cat"

    @pytest.mark.parametrize("kind", ["content", "address"])
    def test_what_is_gone_is_a_miss(self, cache, tmp_path, kind):
        cache.put("a", b"cat")
        files(tmp_path, kind)[0].unlink()
        assert cache.get("a") is None

    def test_a_pointer_cannot_lead_out_of_the_folder(self, cache, tmp_path):
        (tmp_path / "outside.content").write_bytes(b"not ours")
        cache.put("a", b"cat")
        files(tmp_path, "address")[0].write_text("../outside")
        assert cache.get("a") is None
        assert (tmp_path / "outside.content").exists()

    def test_a_disk_that_fails_costs_the_cache_alone(self, tmp_path, caplog):
        (tmp_path / "media").write_text("no folder")
        cache = FileCache(tmp_path / "media", BIG)
        with caplog.at_level(logging.WARNING):
            cache.put("a", b"cat")
            cache.put("b", b"cat")
        assert cache.get("a") is None
        assert len(caplog.records) == 1


class TestSize:
    LIMIT = 1_000_000

    def test_is_kept(self, tmp_path):
        cache = FileCache(tmp_path / "media", self.LIMIT)
        for number in range(60):
            cache.put(str(number), bytes([number]) * 50_000)
            assert size_of(tmp_path) <= self.LIMIT
        assert cache.get("59") == bytes([59]) * 50_000
        assert cache.get("0") is None
        assert size_of(tmp_path) > self.LIMIT / 2

    def test_counts_small_files_as_the_disk_does(self, tmp_path):
        cache = FileCache(tmp_path / "media", self.LIMIT)
        for number in range(300):
            cache.put(str(number), str(number).encode())
        assert len(files(tmp_path)) <= self.LIMIT / 4096

    def test_is_made_by_throwing_out_what_was_not_used(self, tmp_path):
        cache = FileCache(tmp_path / "media", self.LIMIT)
        for number in range(16):
            age(tmp_path)
            cache.put(str(number), bytes([number]) * 50_000)
        age(tmp_path)
        assert cache.get("0")
        age(tmp_path)
        for number in range(16, 24):
            cache.put(str(number), bytes([number]) * 50_000)
        assert cache.get("0")
        assert cache.get("1") is None

    def test_leaves_what_is_not_ours(self, tmp_path):
        (tmp_path / "media").mkdir()
        (tmp_path / "media" / "notes.txt").write_bytes(bytes(self.LIMIT))
        cache = FileCache(tmp_path / "media", self.LIMIT)
        for number in range(30):
            cache.put(str(number), bytes([number]) * 50_000)
        assert (tmp_path / "media" / "notes.txt").exists()

    def test_what_a_killed_process_left_goes_too(self, tmp_path):
        (tmp_path / "media").mkdir()
        (tmp_path / "media" / "tmpabc123.part").write_bytes(bytes(self.LIMIT))
        age(tmp_path)
        FileCache(tmp_path / "media", self.LIMIT).put("a", b"cat")
        assert files(tmp_path, "part") == []

    def test_what_takes_more_than_half_is_not_kept(self, tmp_path):
        cache = FileCache(tmp_path / "media", self.LIMIT)
        cache.put("small", b"cat")
        cache.put("big", bytes(self.LIMIT // 2 + 1))
        assert cache.get("big") is None
        assert cache.get("small") == b"cat"


class TestTogether:
    @pytest.mark.parametrize("shared", [True, False], ids=["one for all", "one each"])
    def test_whole_files_or_none_are_found(self, tmp_path, shared):
        # Between caches there is only the disk, as between processes.
        one = FileCache(tmp_path / "media", 300_000)

        def use(start: int) -> bool:
            cache = one if shared else FileCache(tmp_path / "media", 300_000)
            found = []
            for number in range(start, start + 50):
                content = bytes([number % 50]) * 10_000
                found.append(cache.get(str(number % 50)) in (None, content))
                cache.put(str(number % 50), content)
            return all(found)

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(use, [0, 10, 20, 30]))
        assert files(tmp_path, "part") == []
        assert size_of(tmp_path) <= 300_000 + (1 if shared else 4) * 30_000


class TestMediaOnDisk:
    def test_is_read_over_http_once(self, tmp_path):
        with MediaServer({FILE: content(b"cat")}) as studio:
            for _ in range(2):
                with Media(studio.url, dict, MediaPolicy(), tmp_path) as media:
                    assert media.fetch(FILE) == b"cat"
                    assert media.fetch(studio.url + FILE) == b"cat"
            assert len(studio.requests) == 1

    def test_is_known_by_what_was_asked_for_not_by_where_it_was_found(self, tmp_path):
        with MediaServer({FILE: redirect("/data/upload/signed-for-a-minute")}) as studio:
            studio.answers["/data/upload/signed-for-a-minute"] = content(b"cat")
            with Media(studio.url, dict, MediaPolicy(), tmp_path) as media:
                assert media.fetch_all([FILE, FILE]) == [b"cat"] * 2
                assert media.fetch(FILE) == b"cat"
            assert len(studio.requests) == 2

    def test_errors_are_not_kept(self, tmp_path):
        with MediaServer() as studio, Media(studio.url, dict, MediaPolicy(), tmp_path) as media:
            assert isinstance(media.fetch_all([FILE])[0], MediaError)
            studio.answers[FILE] = content(b"cat")
            assert media.fetch(FILE) == b"cat"

    def test_of_a_host_that_is_not_allowed_any_more_is_refused(self, tmp_path):
        with MediaServer({"/cat.png": content(b"cat")}) as images:
            value = f"{images.url}/cat.png"
            open_wide = MediaPolicy(hosts=("127.0.0.1",), private=True)
            with Media("http://studio.example", dict, open_wide, tmp_path) as media:
                assert media.fetch(value) == b"cat"
            with (
                Media("http://studio.example", dict, MediaPolicy(), tmp_path) as media,
                pytest.raises(MediaError, match="MEDIA_HOSTS"),
            ):
                media.fetch(value)

    def test_a_data_url_needs_no_disk(self, tmp_path):
        with Media("http://studio.example", dict, MediaPolicy(), tmp_path / "media") as media:
            assert media.fetch("data:,cat") == b"cat"
        assert not (tmp_path / "media").exists()
