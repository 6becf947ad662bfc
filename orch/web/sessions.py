"""Who may: the token for programs, and what a browser is given for it once.

A session is a cookie that page code cannot read and other sites cannot send: when it ends, a random number, and
what only a holder of the token can make of the two (HMAC-SHA256). So it outlives a restart of orch, and ends with
the token. A session that was ended by its owner is remembered until it would have ended by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

SESSION_S = 30 * 86_400
PURPOSE = b"orch session "


class Sessions:
    """Makes sessions, knows them again, ends them. For the web thread.

    Args:
        token: The token of the data directory.
        now: Real time, whatever the speed of the world: browsers live in it.
    """

    def __init__(self, token: str, now: Callable[[], datetime]) -> None:
        self._token = token.encode()
        self._digest = hashlib.sha256(self._token).digest()
        self._now = now
        self._ended: dict[str, int] = {}

    def is_token(self, given: str) -> bool:
        """Whether this is the token; how long that takes tells neither how much of it is right nor its length."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(digest, self._digest)

    def begin(self) -> str:
        """A new session."""
        what = f"{int(self._now().timestamp()) + SESSION_S}.{secrets.token_urlsafe(18)}"
        return f"{what}.{self._sign(what)}"

    def is_known(self, session: str) -> bool:
        """Whether it was begun here, has not been ended, and is not too old."""
        what, _, signature = session.rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._sign(what).encode()):
            return False
        return int(what.partition(".")[0]) > self._now().timestamp() and what not in self._ended

    def end(self, session: str) -> None:
        """From now on it is not known."""
        if not self.is_known(session):
            return
        now = self._now().timestamp()
        self._ended = {what: until for what, until in self._ended.items() if until > now}
        what = session.rpartition(".")[0]
        self._ended[what] = int(what.partition(".")[0])

    def _sign(self, what: str) -> str:
        return hmac.new(self._token, PURPOSE + what.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
