"""One secret a service, whoever asks first, and for nobody else to read."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from ls_active.errors import StoreError
from ls_active.records.secret import server_secret
from tests.harness.rig import settings_in


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path).model_copy(update={"server_secret": SecretStr("")})


def test_the_configured_one_is_used_and_written_nowhere(tmp_path):
    assert server_secret(settings_in(tmp_path)) == b"a secret"
    assert list(tmp_path.iterdir()) == []


def test_one_is_made_once(settings):
    made = server_secret(settings)
    assert len(made) == 64
    assert server_secret(settings) == made


def test_only_we_may_read_it(settings):
    server_secret(settings)
    [path] = settings.local_dir.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_many_at_once_agree(settings):
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(server_secret, [settings] * 16))
    assert len(made) == 1
    assert len(list(settings.local_dir.iterdir())) == 1


def test_services_differ(settings, tmp_path):
    other = settings.model_copy(update={"data_dir": str(tmp_path / "other")})
    assert server_secret(settings) != server_secret(other)


def test_a_folder_that_cannot_be_made(settings):
    settings.local_dir.write_text("a file where a folder should be")
    with pytest.raises(StoreError, match=r"cannot use .*server-secret"):
        server_secret(settings)
