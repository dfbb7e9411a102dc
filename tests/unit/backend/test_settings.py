from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ls_active.settings import Settings, as_environment, get_settings, plain_environment


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder whose `.env` is read, and holds nothing yet."""
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    monkeypatch.chdir(tmp_path)


def test_every_knob_is_described_and_has_a_default() -> None:
    assert Settings() == Settings(_env_file=None)
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_the_environment_wins_over_the_file_and_empty_means_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("PORT=1111\nWORKERS=7\nUNKNOWN=1\n")
    monkeypatch.setenv("PORT", "2222")
    monkeypatch.setenv("WORKERS", "")

    assert (Settings().port, Settings().workers) == (2222, 7)


def test_settings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    get_settings.cache_clear()
    first = get_settings()
    monkeypatch.setenv("PORT", "2222")

    assert get_settings() is first
    get_settings.cache_clear()
    assert get_settings().port == 2222
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"label_studio_url": "localhost:8080"}, "http"),
        ({"public_url": "ftp://al"}, "http"),
        ({"label_studio_url": "http://ann:hunter2@ls.example"}, "user name or password"),
        ({"label_studio_url": "https://hunter2@ls.example/base"}, "user name or password"),
        ({"label_studio_url": "ann:hunter2@ls.example"}, "http"),
        ({"public_url": "http://ann:hunter2@al.example"}, "user name or password"),
        ({"label_studio_host": "http://ann:hunter2@ls.example"}, "user name or password"),
        ({"log_level": "LOUD"}, "INFO"),
        ({"port": 70000}, "port"),
        ({"workers": 0}, "workers"),
        ({"basic_auth_user": "ann"}, "together"),
        ({"basic_auth_pass": "hunter2"}, "together"),
        ({"basic_auth_user": "a:nn", "basic_auth_pass": "hunter2"}, "colon"),
    ],
)
def test_a_wrong_value_is_named_and_secrets_are_not(
    values: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem) as caught:
        Settings(label_studio_api_key="hunter3", **values)  # type: ignore[arg-type]
    assert "hunter" not in str(caught.value)


def test_addresses_have_no_trailing_slash_and_levels_any_case() -> None:
    settings = Settings(public_url="https://al/base/", log_level="debug")
    assert (settings.public_url, settings.log_level) == ("https://al/base", "DEBUG")


def test_secrets_are_in_no_repr() -> None:
    secret = ("label_studio_api_key", "basic_auth_pass", "redis_url", "server_secret")
    settings = Settings(basic_auth_user="ann", **dict.fromkeys(secret, "hunter2"))  # type: ignore[arg-type]

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"


words = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "label_studio_url": st.just("http://ls.example:8080"),
            "label_studio_api_key": words,
            "allow_setup_token": st.booleans(),
            "port": st.integers(0, 65535),
            "cache_dir": st.just("/var/cache/al"),
            "options": words,
            "log_level": st.sampled_from(["DEBUG", "error"]),
        },
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_child_process_sees_the_very_same(values: dict[str, object]) -> None:
    mine = Settings(**values)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in as_environment(mine).items():
            patch.setenv(name, value)
        assert Settings() == mine


def test_other_programs_learn_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {name.upper() for name in Settings.model_fields}
    for name in ours:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")

    given_on = plain_environment()

    assert not ours & given_on.keys()
    assert {"PATH", "HTTPS_PROXY"} <= given_on.keys()


@pytest.mark.parametrize(
    ("values", "folder"),
    [
        ({"data_dir": "data"}, "data/local"),
        ({"data_dir": "file:///srv/al"}, "/srv/al/local"),
        ({"data_dir": "s3://bucket/al"}, "~/.cache/ls-active"),
        ({"data_dir": "s3://bucket/al", "cache_dir": "~/al"}, "~/al"),
    ],
)
def test_what_must_be_local_is(values: dict[str, str], folder: str) -> None:
    expected = Path(folder).expanduser().absolute()
    assert Settings(**values).local_dir == expected  # type: ignore[arg-type]
