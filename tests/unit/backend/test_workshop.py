"""What a job works with is made from the settings, or what is missing is named."""

from __future__ import annotations

import pytest

from ls_active.errors import LabelStudioUnauthorized, NotConfigured
from ls_active.loop.workshop import Stopwatch, connect, open_media
from ls_active.media import MediaError
from tests.harness.rig import settings_in

INLINE = "data:text/plain;base64,YSBjYXQ="


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path)


def changed(settings, **fields):
    return settings.model_copy(update=fields)


class TestConnecting:
    def test_wants_an_address_and_a_key(self, settings):
        with pytest.raises(NotConfigured, match="LABEL_STUDIO_URL"):
            connect(changed(settings, label_studio_url=""))
        with pytest.raises(NotConfigured, match="LABEL_STUDIO_API_KEY"):
            connect(changed(settings, label_studio_api_key=type(settings.server_secret)("")))
        with pytest.raises(LabelStudioUnauthorized):
            connect(changed(settings, label_studio_api_key=type(settings.server_secret)("a b")))

    def test_asks_nothing_yet(self, settings):
        assert connect(settings).url == "http://studio.example:8080"


class TestOpeningMedia:
    def test_reads_what_the_settings_allow(self, settings):
        allowed = changed(settings, media_hosts=" Files.example , other.example,", media_max_mb=3)
        with connect(allowed) as client, open_media(allowed, client) as media:
            assert media._policy.hosts == ("files.example", "other.example")
            assert media._policy.max_bytes == 3 * 2**20
            assert media.fetch(INLINE) == b"a cat"

    def test_reads_from_nowhere_else(self, settings):
        with (
            connect(settings) as client,
            open_media(settings, client) as media,
            pytest.raises(MediaError, match=r"files\.example"),
        ):
            media.fetch("https://files.example/a.png")

    def test_keeps_no_more_than_it_may(self, settings):
        limited = changed(settings, media_seconds=1.5, media_cache_mb=0, media_private=True)
        with connect(limited) as client, open_media(limited, client) as media:
            policy = media._policy
            assert (policy.seconds, policy.cache_bytes, policy.private) == (1.5, 0, True)

    @pytest.mark.parametrize("hosts", ["https://files.example", "a/b", "two words"])
    def test_names_a_host_that_is_none(self, settings, hosts):
        wrong = changed(settings, media_hosts=hosts)
        with connect(wrong) as client, pytest.raises(NotConfigured, match="MEDIA_HOSTS"):
            open_media(wrong, client)


def test_a_stopwatch_adds_up_stages_in_the_order_they_began():
    watch = Stopwatch()
    for name in ("sync", "fit", "sync"):
        with watch.stage(name):
            pass
    assert list(watch.seconds) == ["sync", "fit"]
    assert all(spent >= 0 for spent in watch.seconds.values())
