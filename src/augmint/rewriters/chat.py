"""One question to an OpenAI-compatible server: POST URL/chat/completions, tried again where that may help.

Tried again, after backoff, 2 backoff, 4 backoff... seconds or what Retry-After says: no connection, a time-out, status
408, 409, 429 and from 500 on, and an answer that is no JSON. Redirects are not followed: the key would go along.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from augmint.core.errors import RunError, UsageError

AGAIN = frozenset({408, 409, 429})
OF_THE_TEXT = frozenset({400, 413, 422})
"""What a content filter says of a text, and also what is said of a wrong request."""

LARGEST = 8 << 20
"""Bytes of an answer that are read."""

LONGEST_WAIT = 60.0
"""Seconds that are waited at most, whatever the server says."""


_NOBODY = (ConnectionRefusedError, socket.gaierror)


def nothing() -> None:
    """What is done where nobody counts."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass(frozen=True)
class Server:
    """Where to ask, and how patiently.

    Attributes:
        url: up to ``/v1``.
        key_env: name of the environment variable with the key; "" for none.
        timeout: seconds for an answer.
        retries: how often a question is asked again.
        backoff: seconds before the second time; twice as long each time after.
    """

    url: str
    key_env: str = ""
    timeout: float = 60.0
    retries: int = 5
    backoff: float = 1.0

    def check_secrets(self) -> None:
        """Raises UsageError for an address that is none or holds a secret, and for a key where its name should be.

        It reads nothing of the environment, so that options can be refused before they are written anywhere.
        """
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
            raise UsageError(
                f"url {parts.scheme}://{parts.hostname or ''}" if self.url else "no url",
                expected="http(s)://HOST[:PORT]/v1 of an OpenAI-compatible server, without name, password or query",
                do="set method_options.url; name the environment variable of a key in method_options.key_env",
                code="endpoint-url",
            )
        if self.key_env and not re.fullmatch(r"[A-Za-z_]\w*", self.key_env, re.ASCII):
            raise UsageError(
                "a key_env that is no name",
                expected="letters, digits and _: the name of an environment variable, not the key itself",
                do="export NAME=..., and set method_options.key_env=NAME",
                code="no-key",
            )

    def check(self) -> None:
        """Raises UsageError for an address that is none or must not be asked, and for a key that is not set."""
        self.check_secrets()
        host = urllib.parse.urlsplit(self.url).hostname
        offline = os.environ.get("AUGMINT_OFFLINE", "").lower() in ("1", "true", "yes", "on")
        if offline and host not in ("localhost", "127.0.0.1", "::1"):
            raise UsageError(
                f"{host}, and AUGMINT_OFFLINE is set",
                expected="leave to use the network, or a server on this machine",
                do="unset AUGMINT_OFFLINE, or take another method",
                code="offline",
            )
        key = os.environ.get(self.key_env, "") if self.key_env else "none"
        if not key or not key.isascii() or not key.isprintable():
            wrong = "holds what no key can (a line break?)" if key else "is not set"
            raise UsageError(
                f"environment variable {self.key_env} {wrong}",
                expected="the key of the server",
                do=f"export {self.key_env}=..., or leave key_env out for a server without keys",
                code="no-key",
            )

    def ask(
        self, body: Mapping[str, Any], before: Callable[[], None] = nothing, free: Callable[[], None] = nothing
    ) -> dict[str, Any]:
        """The answer, a JSON object.

        Args:
            body: of the request.
            before: called before it is sent, each time; what it raises is raised.
            free: called after an attempt that nobody charges for: the server said that it failed or is refused, or
                there was no server.

        Raises:
            UsageError: the question is refused; code ``text-refused`` for a status that may be about this text alone.
            RunError: patience is at its end.
        """
        why = ""
        for turn in range(self.retries + 1):
            before()
            try:
                return self._once(body)
            except UsageError:
                free()
                raise
            except _AgainError as again:
                why = again.why
                if again.free:
                    free()
                if turn < self.retries:
                    wait = self.backoff * 2**turn if again.wait is None else again.wait
                    time.sleep(min(wait, LONGEST_WAIT))
        raise RunError(
            f"{self.url} gave no answer in {self.retries + 1} attempts: {why}",
            expected="an OpenAI-compatible server that answers",
            do="run the same command again when it does: answers so far are kept",
            code="endpoint",
        )

    def _once(self, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key_env:
            headers["Authorization"] = f"Bearer {os.environ[self.key_env]}"
        url = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=self.timeout) as answer:
                found = json.loads(answer.read(LARGEST))
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)  # of a time-out nobody knows what the server did
            raise _AgainError(f"{type(error).__name__}: {error}", free=isinstance(reason, _NOBODY)) from error
        except (ValueError, RecursionError) as error:
            raise _AgainError("an answer that is not JSON") from error
        if not isinstance(found, dict):
            raise _AgainError("an answer that is no JSON object")
        if found.get("error") and "choices" not in found:  # some gateways' status is 200
            raise _AgainError(self._without_key(f"an error for an answer: {found['error']}")[:200], free=True)
        return found

    def _without_key(self, told: str) -> str:
        """What a server said; some repeat the key that they refuse."""
        return told.replace(os.environ[self.key_env], "***") if self.key_env else told

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        try:
            told = error.read(4096).decode("utf8", "replace").strip()  # more than is told: no part of a key stays
        except (OSError, http.client.HTTPException):
            told = ""
        told = self._without_key(told)
        if error.code in AGAIN or error.code >= 500:
            wait = _seconds(error.headers.get("Retry-After"))
            return _AgainError(f"status {error.code} {told}"[:200], wait, free=True)
        return UsageError(
            f"{self.url} refused the request: status {error.code} {told}"[:400],
            expected="an OpenAI-compatible server that knows the model and the key",
            do="correct url, model or key_env in method_options",
            code="text-refused" if error.code in OF_THE_TEXT else "endpoint-refused",
        )


class _AgainError(Exception):
    """It may help to ask again, after so many seconds where the server says so."""

    def __init__(self, why: str, wait: float | None = None, *, free: bool = False) -> None:
        super().__init__(why)
        self.why, self.wait, self.free = why, wait, free


def _seconds(header: str | None) -> float | None:
    """What a Retry-After header says: seconds, or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
