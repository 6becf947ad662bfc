"""Telling people by Apprise (https://github.com/caronc/apprise): a bounded worker per channel, with retries.

A channel that hangs or fails holds up nobody: each has a thread of its own, started with its first notice, and a
queue of bounded length. What could not be delivered is written to `dead_letters.jsonl`, without secrets.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from orch.messages import NoticeDelivered, NoticeFailed
from orch.model.base import Value
from orch.system.log import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from orch.model.notices import Notice
    from orch.model.wire import Secret
    from orch.ports import Directory

WAITS_S = (2.0, 8.0, 30.0, 60.0)
"""Real seconds before each further try: less than two minutes in all, so that the next look decides anew."""
MOST_WAITING = 50
LARGEST_LOG = 1_000_000
SHORTEST_PART = 6
KINDS = {"info": "info", "warning": "warning", "page": "failure"}

log = logging.getLogger(__name__)


class Attempt(NamedTuple):
    """What came of one try; `retryable` says whether another one may end better."""

    arrived: bool
    sentence: str = ""
    retryable: bool = True


class DeadLetter(Value):
    """A notice that did not arrive."""

    failed_at: datetime
    channel: str
    kind: str
    title: str
    body: str
    tries: int
    reason: str


def address_parts(url: str) -> Iterator[str]:
    """The address and every part of it that could be a credential: for the redactor."""
    yield url
    _, _, rest = url.partition("://")
    for text in dict.fromkeys((rest, unquote(rest))):
        for part in re.split(r"[/:@?&=#,]+", text):
            if len(part) >= SHORTEST_PART:
                yield part


def deliver(url: Secret, notice: Notice) -> Attempt:
    """Try once, in this thread. Takes what the service takes: Apprise's own timeouts are 4 s per step."""
    from apprise import Apprise, AppriseAsset, NotifyFormat

    redactor = Redactor(address_parts(url.value))
    asset = AppriseAsset(app_id="orch", app_desc="orch", app_url="")
    with _Heard() as heard:
        try:
            # The service itself: Apprise's own way sends from a shared pool, whose threads outlive a stop.
            service = Apprise.instantiate(url.value, asset=asset)
            if service is None:
                said = "it is no address that Apprise knows: see its list of services for the form"
                return Attempt(False, said, retryable=False)
            arrived = service.notify(
                title=notice.title,
                body=notice.body or notice.title,
                notify_type=_type_of(notice),
                body_format=NotifyFormat.TEXT,
            )
        except Exception as error:  # noqa: BLE001 - a plug-in of a service may raise anything
            return Attempt(False, redactor.clean(f"{type(error).__name__}: {error}"))
    if arrived:
        return Attempt(True)
    return Attempt(False, redactor.clean("; ".join(heard.lines) or "the service did not take it"))


class AppriseNotifier:
    """The `Notifier` port.

    Args:
        directory: Where outcomes are told.
        channels: The address of each channel, by name.
        dead_letters: Where notices go that did not arrive.
        now: The time of the clock.
        compose: Writes the body of a report, in the channel's thread. May raise; that is tried again.
        waits_s: Real seconds before each further try.
        most_waiting: Notices that may wait for one channel; further ones are dead letters at once.
    """

    def __init__(
        self,
        directory: Directory,
        channels: Mapping[str, Secret],
        dead_letters: Path,
        now: Callable[[], datetime],
        *,
        compose: Callable[[Notice], str] | None = None,
        waits_s: tuple[float, ...] = WAITS_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._directory = directory
        self._channels = dict(channels)
        self._dead_letters = dead_letters
        self._now = now
        self._compose = compose
        self._waits_s = waits_s
        self._most_waiting = most_waiting
        self._redactor = Redactor(part for url in channels.values() for part in address_parts(url.value))
        self._workers: dict[str, queue.Queue[tuple[Notice, str] | None]] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._closing = threading.Event()

    def send(self, notice: Notice, *, reply_to: str) -> None:
        """As the port says. Never waits."""
        if self._closing.is_set():
            return
        if notice.channel not in self._channels:
            self._give_up(notice, reply_to, "there is no such channel any more", 0)
            return
        try:
            self._worker(notice.channel).put_nowait((notice, reply_to))
        except queue.Full:
            self._give_up(notice, reply_to, f"{self._most_waiting} notices wait for this channel already", 0)

    def close(self, within_s: float = 1.0) -> None:
        """End the workers; what waits or is being sent is not answered any more."""
        self._closing.set()
        with self._lock:
            workers, threads = list(self._workers.values()), list(self._threads)
        for waiting in workers:
            try:
                waiting.put_nowait(None)
            except queue.Full:
                continue
        for thread in threads:
            thread.join(within_s / max(len(threads), 1))

    def _worker(self, channel: str) -> queue.Queue[tuple[Notice, str] | None]:
        with self._lock:
            waiting = self._workers.get(channel)
            if waiting is None:
                waiting = self._workers[channel] = queue.Queue(self._most_waiting)
                # A daemon: a service that hangs must not hold up the end of the process.
                thread = threading.Thread(
                    target=self._run, args=(channel, waiting), name=f"notify {channel}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
        return waiting

    def _run(self, channel: str, waiting: queue.Queue[tuple[Notice, str] | None]) -> None:
        while not self._closing.is_set():
            asked = waiting.get()
            if asked is None:
                return
            notice, reply_to = asked
            attempt, tries = self._try(notice, self._channels[channel])
            if self._closing.is_set() and not attempt.arrived:
                return
            if attempt.arrived:
                self._directory.tell(reply_to, NoticeDelivered(notice_id=notice.id, channel=channel))
            else:
                self._give_up(notice, reply_to, attempt.sentence, tries)

    def _try(self, notice: Notice, url: Secret) -> tuple[Attempt, int]:
        attempt, tries = Attempt(False), 0
        for wait_s in (0.0, *self._waits_s):
            if self._closing.wait(wait_s):
                break
            attempt, tries = self._once(notice, url), tries + 1
            if attempt.arrived or not attempt.retryable:
                break
            log.debug("%s: try %d failed: %s", notice.channel, tries, self._redactor.clean(attempt.sentence))
        return attempt, tries

    def _once(self, notice: Notice, url: Secret) -> Attempt:
        if notice.kind == "report" and self._compose is not None:
            try:
                notice = replace(notice, body=self._compose(notice))
            except Exception as error:  # noqa: BLE001 - whatever keeps a report from being written
                return Attempt(False, f"the report could not be written: {error}")
        return deliver(url, notice)

    def _give_up(self, notice: Notice, reply_to: str, sentence: str, tries: int) -> None:
        reason = self._redactor.clean(sentence)
        letter = DeadLetter(
            failed_at=self._now(),
            channel=notice.channel,
            kind=notice.kind,
            title=self._redactor.clean(notice.title),
            body=self._redactor.clean(notice.body),
            tries=tries,
            reason=reason,
        )
        with self._file_lock:
            _append(self._dead_letters, msgspec.json.encode(letter) + b"\n")
        failed = NoticeFailed(notice_id=notice.id, channel=notice.channel, sentence=f"{reason} ({tries} tries)")
        self._directory.tell(reply_to, failed)


class _Heard(logging.Handler):
    """What Apprise logs in this thread while the block lasts: the only place where it says what went wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()
        self._logger = logging.getLogger("apprise")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of this thread."""
        if record.thread == self._thread:
            self.lines.append(" ".join(record.getMessage().split()))

    def __enter__(self) -> Self:
        # Its lines may hold whole addresses: they are heard here, cleaned, and go nowhere else.
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


def _type_of(notice: Notice) -> Any:
    from apprise import NotifyType

    over = notice.kind == "alerts" and notice.is_over
    return NotifyType.SUCCESS if over else NotifyType(KINDS[notice.severity])


def _append(path: Path, line: bytes) -> None:
    """Add a line to a file of mode 0600 that does not grow for ever; what cannot be written is logged."""
    try:
        if path.exists() and path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".old.jsonl"))
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(line)
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error.strerror)
