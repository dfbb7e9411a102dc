"""What may happen to any call to Label Studio, and what is to be said of it."""

from __future__ import annotations

from tests.harness.simulated_http import Trouble

PATIENCE = 0.4
"""Seconds that the client waits for an answer here, instead of 30 and 300."""

NOT_OURS = "answered with JSON that Label Studio does not send|holds 0"
CUT_OFF = "RemoteProtocolError: (peer closed connection|Server disconnected)"
TROUBLES = {
    "401, the token was rotated": (
        Trouble(status=401, body=b'{"detail": "Invalid token."}'),
        "401: Invalid token.; make a personal access token",
    ),
    "403": (Trouble(status=403), "403: no; the key's user may not do this"),
    "404": (Trouble(status=404), "404: no|has no project 1 that our key may see"),
    "429": (Trouble(status=429), "429: no"),
    "500": (Trouble(status=500, body=b"<html>Server Error</html>"), ": 500$"),
    "502 of a proxy": (Trouble(status=502, body=b""), ": 502$"),
    "a page instead of JSON": (Trouble(status=200, body=b"<html>Sign in</html>"), "else than JSON"),
    "JSON of something else": (Trouble(status=200, body=b"[3]"), NOT_OURS),
    "an empty object": (Trouble(status=200, body=b"{}"), NOT_OURS),
    "no answer in time": (Trouble(delay=1.5 * PATIENCE), "no answer in time"),
    "half an answer": (Trouble(cut=True), CUT_OFF),
    "done, and no answer": (Trouble(lost=True), CUT_OFF),
}
"""What happens to a call, and what is said of it."""

CALLS = (
    "GET /api/projects/1$",
    "GET /api/tasks$",
    "GET /api/projects/1/model-versions/$",
    "POST /api/projects/1/import/predictions$",
    "PATCH /api/projects/1$",
)
PRUNES = "DELETE /api/projects/1/model-versions/$"
