"""Every knob of the whole service, and the only door to the environment."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once from the environment (and a `.env` file beside the process)."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # It holds every secret there is.
    )

    label_studio_url: str = Field("", description="Where Label Studio answers, as we reach it.")
    label_studio_host: str = Field(
        "",
        description="Label Studio's own LABEL_STUDIO_HOST; addresses of files and pages begin so.",
    )
    label_studio_api_key: SecretStr = Field(
        SecretStr(""),
        description="A personal access token; legacy tokens are off in a new Label Studio.",
    )
    allow_setup_token: bool = Field(
        False,
        description="Try the token that Label Studio sends along with /setup when no key is set.",
    )
    public_url: str = Field(
        "", description="Our address as Label Studio reaches it; else the Host of /setup."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9090, ge=0, le=65535, description="Port to listen on.")
    basic_auth_user: str = Field("", description="With BASIC_AUTH_PASS: guards all but `GET /`.")
    basic_auth_pass: SecretStr = Field(SecretStr(""), description="See BASIC_AUTH_USER.")
    data_dir: str = Field(
        "./ls-active-data", description="Versions and publications: a folder or an fsspec URL."
    )
    cache_dir: Path | None = Field(
        None, description="Local mirror of tasks and features; default: inside a local DATA_DIR."
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Redis >= 5 or Valkey; empty: an embedded one in the data folder.",
    )
    server_secret: SecretStr = Field(
        SecretStr(""),
        description="Signs webhook secrets; empty: made once, kept in the data folder.",
    )
    options: str = Field(
        "", description="Defaults for every project's options: JSON or `key=value` lines."
    )
    workers: int = Field(2, ge=1, le=64, description="RQ workers that `serve` and `worker` start.")
    predict_processes: int = Field(2, ge=1, le=64, description="Processes that answer /predict.")
    predict_backlog: int = Field(
        64, ge=1, description="Batches that may wait for a predict process; beyond: 503."
    )
    media_hosts: str = Field(
        "",
        description="Hosts besides Label Studio's that files may come from, by comma; `*`: any.",
    )
    media_private: bool = Field(
        False, description="Whether these may be in a private network, or on this machine."
    )
    media_max_mb: int = Field(50, ge=1, description="Largest file behind a task, in MiB.")
    media_seconds: float = Field(20.0, gt=0, description="Seconds that one file may take.")
    media_cache_mb: int = Field(1024, ge=0, description="Files kept on the local disk, in MiB.")
    max_body_mb: int = Field(
        256, ge=1, description="Largest request body in MiB; twice that is held at once."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    label_studio_venv: Path | None = Field(
        None, description="A virtual environment with Label Studio in it, for `demo` to use."
    )

    @field_validator("label_studio_url", "label_studio_host", "public_url")
    @classmethod
    def _plain_address(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            # What is before an @ may be a password.
            raise ValueError(f"must start with http:// or https://, got {url.rpartition('@')[2]!r}")
        # Addresses are shown and logged; and httpx would send it in the place of our key.
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError("must not hold a user name or password")
        return url.rstrip("/")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError(f"must be DEBUG, INFO, WARNING or ERROR, got {level!r}")
        return level.upper()

    @model_validator(mode="after")
    def _whole_credentials(self) -> Self:
        # Half of them would leave the doors open, or lock out Label Studio, which sends both.
        if bool(self.basic_auth_user) != bool(self.basic_auth_pass.get_secret_value()):
            raise ValueError("BASIC_AUTH_USER and BASIC_AUTH_PASS go together, one is missing")
        if ":" in self.basic_auth_user:
            raise ValueError("BASIC_AUTH_USER must not contain a colon")
        return self

    @property
    def browser_url(self) -> str:
        """Where people open Label Studio, without a slash at its end; empty where nobody says."""
        return self.label_studio_host or self.label_studio_url

    @property
    def local_dir(self) -> Path:
        """Folder for what must be local: the mirror, the embedded server, the server secret."""
        if self.cache_dir is not None:
            return self.cache_dir.expanduser().resolve()
        if "://" in self.data_dir and not self.data_dir.startswith("file://"):
            return Path("~/.cache/ls-active").expanduser()
        return Path(self.data_dir.removeprefix("file://")).expanduser().resolve() / "local"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that give a child process these very settings."""
    environment = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        environment[name.upper()] = "" if text is None else str(text)
    return environment


def plain_environment() -> dict[str, str]:
    """Return what any program, pip included, needs to run and nothing that configures one."""
    named = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE"}
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    return {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - the one door to it
        if name in named or name.upper() in proxies or name.startswith("PIP_")
    }
