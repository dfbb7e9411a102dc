"""One authorised HTTP call to Label Studio, and what its failures mean.

The SDK does the authorisation (legacy token, or personal access token renewed by itself) and the
sending; the only private parts of the SDK that this project touches are in this file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
from label_studio_sdk.client import LabelStudio
from label_studio_sdk.core.api_error import ApiError

from ls_active import __version__
from ls_active.errors import (
    LabelStudioError,
    LabelStudioRejected,
    LabelStudioUnauthorized,
    LabelStudioUnreachable,
    NotFoundInLabelStudio,
)

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")

CONNECT_TIMEOUT = 5.0
MESSAGE_LENGTH = 300

NEW_KEY_HINT = (
    "make a personal access token in Label Studio (user icon > Account & Settings > Personal Access"
    " Token > Create New Token) and set it as LABEL_STUDIO_API_KEY"
)
LOCAL_ADDRESS_HINT = (
    "start Label Studio with SSRF_PROTECTION_ENABLED=false and ML_BLOCK_LOCAL_IP=false"
    " (or USE_DEFAULT_BANNED_SUBNETS=false alone)"
)
WHERE_HINT = "is Label Studio running, and is LABEL_STUDIO_URL right?"
NOT_JSON_HINT = (
    "answered with something else than JSON; is Label Studio at this address, and is it the final"
    " one (redirects are not followed)?"
)
STRANGE_HINT = (
    "answered with JSON that Label Studio does not send; is another service at this address, or a"
    " release that nobody has tried?"
)

T = TypeVar("T")


class LabelStudioHttp:
    """Calls to one Label Studio, and to no other address.

    Redirects are not followed: the key would go along. Threads may share an instance; a forked
    process needs its own, for the connections cannot be shared.

    Parameters
    ----------
    url : str
        Where Label Studio answers, a base path included.
    api_key : str
        A personal access token or a legacy token.
    timeout : float
        Seconds to wait for an answer, unless a call says otherwise.
    retries : int
        How often a *read* is tried again on 408, 409, 429, 5xx or a refused connection. Nothing
        that writes ever is: a repeated import makes duplicates.
    transport : httpx.BaseTransport, optional
        In place of the network, for tests.

    Raises
    ------
    LabelStudioUnreachable
        If `url` is no address.
    LabelStudioUnauthorized
        If `api_key` cannot be one.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = _checked_url(url)
        self._api_key = _checked_key(api_key)
        self._retries = retries
        self._pool = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            follow_redirects=False,
            transport=transport,
        )
        try:
            sdk = LabelStudio(  # type: ignore[no-untyped-call]
                # The SDK joins its token route to this as browsers do: without the slash the last
                # part of a base path would be lost.
                base_url=f"{self.url}/",
                api_key=self._api_key,
                headers={"User-Agent": f"ls-active/{__version__}"},
                httpx_client=self._pool,
            )
        except ApiError as error:
            raise LabelStudioUnauthorized(
                f"the API key has expired or is no token: {NEW_KEY_HINT}"
            ) from error
        self._wrapper = sdk._client_wrapper
        self._http = sdk._client_wrapper.httpx_client
        self._tokens = sdk._client_wrapper._tokens_client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        """Send one request and return its 2xx response.

        Raises
        ------
        LabelStudioUnreachable
            On a refused connection, a timeout, 429 and 5xx.
        LabelStudioUnauthorized, NotFoundInLabelStudio, LabelStudioRejected
            On 401 and 403, on 404, on every other answer.
        """
        where = f"{method} {self.url}{path}"
        options: Any = {"max_retries": self._retries if method == "GET" else 0}
        if timeout is not None:
            options["timeout"] = timeout
        request = {"method": method, "params": params, "request_options": options} | _encode(body)
        try:
            response = self._http.request(path, **request)
            if response.status_code == httpx.codes.UNAUTHORIZED and self._renew_token():
                response = self._http.request(path, **request)
        except ApiError as error:
            raise self._not_renewed(where, error) from error
        except ValueError as error:
            # The SDK reads the answer of the token route as JSON, whatever came.
            raise LabelStudioUnreachable(
                f"{where}: renewing the access token: {NOT_JSON_HINT}"
            ) from error
        except httpx.HTTPError as error:
            raise LabelStudioUnreachable(f"{where}: {_trouble(error)}") from error
        if not response.is_success:
            raise _refusal(where, response, self._hide)
        return response

    def authorization(self) -> dict[str, str]:
        """Return the header that authorises a request, for files that are fetched elsewhere.

        Raises
        ------
        LabelStudioUnauthorized, LabelStudioUnreachable
            If a fresh token cannot be had.
        """
        where = f"{self.url}: renewing the token"
        try:
            return {"Authorization": self._wrapper.get_headers()["Authorization"]}
        except ApiError as error:
            raise self._not_renewed(self.url, error) from error
        except (httpx.HTTPError, ValueError) as error:
            raise LabelStudioUnreachable(f"{where}: {type(error).__name__}") from error

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Return the JSON of `call`, ``None`` where there is no body."""
        response = self.call(method, path, **options)
        if not response.content:
            return None
        try:
            return response.json()
        except (RecursionError, ValueError) as error:
            raise LabelStudioUnreachable(f"{method} {self.url}{path}: {NOT_JSON_HINT}") from error

    def read(self, of: Callable[[httpx.Response], T], method: str, path: str, **options: Any) -> T:
        """Return what `of` makes of the response of `call`; what it cannot read is no answer."""
        response = self.call(method, path, **options)
        try:
            return of(response)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            hint = NOT_JSON_HINT if isinstance(error, json.JSONDecodeError) else STRANGE_HINT
            raise LabelStudioUnreachable(f"{method} {self.url}{path}: {hint}") from error

    def _not_renewed(self, where: str, error: ApiError) -> LabelStudioError:
        where = f"{where}: renewing the token"
        if error.status_code == httpx.codes.NOT_FOUND:
            # Not that a project is gone: every Label Studio has this page.
            return LabelStudioUnreachable(f"{where}: 404, this is no Label Studio: {WHERE_HINT}")
        return _failure(where, error.status_code or 500, error.body, self._hide)

    def _hide(self, said: str) -> str:
        """Mask our key, and what it is exchanged for, in words that are not ours."""
        return _JWT.sub("***", said.replace(self._api_key, "***"))

    def _renew_token(self) -> bool:
        # The SDK judges the five minutes of an access token by our clock and without leeway, so a
        # token can die on the way. A 401 has done nothing yet: even a write may be sent again.
        if self._tokens._use_legacy_token:
            return False
        self._tokens._set_access_token(self._tokens.refresh().access)
        return True


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise LabelStudioUnreachable(f"LABEL_STUDIO_URL is no address: {error}") from error
    if parsed.userinfo or "@" in url:
        raise LabelStudioUnreachable(
            "LABEL_STUDIO_URL must not hold a user or password: Label Studio reads our key from the"
            " same header"
        )
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise LabelStudioUnreachable(
            f"LABEL_STUDIO_URL must look like http://label-studio.example:8080, got {url!r}"
        )
    return str(parsed).rstrip("/")


def _checked_key(api_key: str) -> str:
    key = api_key.strip()
    # Checked here because httpx would quote the key in its own complaint.
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise LabelStudioUnauthorized(
            f"the API key is empty or has characters that no token has: {NEW_KEY_HINT}"
        )
    return key


def _encode(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    # Encoded here: the SDK would first copy ten thousand predictions, item by item.
    content = json.dumps(body, allow_nan=False).encode()
    return {"content": content, "headers": {"Content-Type": "application/json"}}


def _refusal(where: str, response: httpx.Response, hide: Callable[[str], str]) -> LabelStudioError:
    if response.is_redirect:
        target = response.headers.get("location", "").partition("?")[0]
        return LabelStudioRejected(
            f"{where}: redirects to {target}, which is not followed (the key would go along);"
            " set LABEL_STUDIO_URL to the final address",
            response.status_code,
        )
    try:
        body = response.json()
    except (RecursionError, ValueError):
        body = None
    return _failure(where, response.status_code, body, hide)


def _trouble(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return f"nothing answers ({error}): {WHERE_HINT}"
    return f"{type(error).__name__}: {error}"


def _failure(where: str, status: int, body: Any, hide: Callable[[str], str]) -> LabelStudioError:
    """Return the error that an answer of `status` means to the person who must act."""
    said = _server_message(body, hide)
    message = f"{where}: {status}{': ' if said else ''}{said}"
    if "reserved network address" in said:
        return LabelStudioRejected(f"{message}; {LOCAL_ADDRESS_HINT}", status)
    if status == httpx.codes.UNAUTHORIZED:
        return LabelStudioUnauthorized(f"{message}; {NEW_KEY_HINT}")
    if status == httpx.codes.FORBIDDEN:
        return LabelStudioUnauthorized(
            f"{message}; the key's user may not do this: use a key of one who may"
        )
    if status == httpx.codes.NOT_FOUND:
        return NotFoundInLabelStudio(message)
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return LabelStudioUnreachable(message)
    return LabelStudioRejected(message, status)


def _server_message(body: Any, hide: Callable[[str], str]) -> str:
    if not isinstance(body, dict):
        return ""
    parts = [str(body[key]) for key in ("detail", "validation_errors") if body.get(key)]
    # Hidden before it is cut: half a key is too much as well.
    text = hide(": ".join(parts))
    return text if len(text) <= MESSAGE_LENGTH else f"{text[:MESSAGE_LENGTH]}…"
