"""Asking the outside world on a few threads, without ever making the asker wait.

Every `(node, lane)` is a queue of its own with one request at a time. A handful of threads serve the
queues that have work; when none is free for a moment, because nodes hang, more are started, at most one per
queue. A watchdog ends every request at its deadline, whatever the thread is blocked on.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from orch.messages import Answered
from orch.model.never import forbidden
from orch.model.wire import HttpRequest, NoReply, Reply
from orch.system.exchange import Got, Missed, ask_http, late
from orch.system.local import do_here, place_of
from orch.system.wires import CuttableAdapter, Cutter

if TYPE_CHECKING:
    from orch.model.wire import Lane, Request
    from orch.ports import Clock, Directory

EASY_THREADS = 8
"""So many threads are started at once; as many again when no request was begun for `STALLED_S` or one waits
for `STARVED_S`."""
STALLED_S = 0.02
STARVED_S = 0.1
IDLE_S = 10.0
OVERRUN_S = 0.25
"""A thread still busy so long after its deadline hangs in the operating system (a name look-up, a dead mount)."""
CLOSE_S = 0.7


class _Call:
    """One request on its way to its one answer."""

    def __init__(self, request: Request, reply_to: str, key: str) -> None:
        self.request = request
        self.reply_to = reply_to
        self.key = key
        self.place = place_of(request)
        self.began = time.monotonic()
        self.cutter = Cutter(self.began + request.deadline_s)
        self._lock = threading.Lock()
        self._answered = False

    def begin(self) -> None:
        """Its deadline starts now: it has waited for its turn until here."""
        self.began = time.monotonic()
        self.cutter.deadline = self.began + self.request.deadline_s

    def claim(self) -> bool:
        """True for the first caller only: that one gives the answer."""
        with self._lock:
            first, self._answered = not self._answered, True
            return first


class _Queue:
    """The requests of one node and lane."""

    def __init__(self) -> None:
        self.waiting: deque[_Call] = deque()
        self.running: _Call | None = None
        self.ready_since: float | None = None
        self.hangs = False


class HttpTransport:
    """The `Transport` port over `requests`, and over this host for everything that is not HTTP.

    An answer is told exactly once per fetch, from one of its own threads (or at once from the caller's,
    when a request cannot be started). Failures of any kind are `NoReply`, never an exception.

    Args:
        directory: Who is told.
        clock: Times for `received_at` and `failed_at`; deadlines are always real time.
    """

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._adapter = CuttableAdapter()
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._watch = threading.Condition(self._lock)
        self._queues: dict[tuple[str, Lane], _Queue] = {}
        self._ready: deque[_Queue] = deque()
        self._due: list[tuple[float, int, _Queue, _Call]] = []
        self._sequence = 0
        self._running = 0
        self._relieved = 0.0
        self._taken = 0.0
        self._workers: set[threading.Thread] = set()
        self._watchdog: threading.Thread | None = None
        self._closed = False

    def fetch(self, request: Request, *, reply_to: str, key: str, node: str, lane: Lane) -> None:
        """Ask; `reply_to` is told `Answered(key=key, ...)` exactly once, within the request's deadline.

        The deadline starts when the request's turn in its `(node, lane)` has come. Never blocks. What orch never
        does is refused.
        """
        call = _Call(request, reply_to, key)
        never = forbidden(request)
        if never is not None:
            self._answer(call, Missed(reason="failed", sentence=never, retryable=False))
            return
        with self._lock:
            queue = self._queues.setdefault((node, lane), _Queue())
            refusal = self._refusal(queue, call)
            if refusal is None:
                queue.waiting.append(call)
                if queue.running is None and queue.ready_since is None:
                    self._make_ready(queue)
        if refusal is not None:
            self._answer(call, refusal)

    def close(self) -> None:
        """End everything within a second: sockets first, then the threads. What was asked is answered."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = [queue.running for queue in self._queues.values() if queue.running is not None]
            waiting = [call for queue in self._queues.values() for call in queue.waiting]
            for queue in self._queues.values():
                queue.waiting.clear()
            self._ready.clear()
            self._work.notify_all()
            self._watch.notify_all()
            threads = [*self._workers, *([self._watchdog] if self._watchdog else [])]
        for call in running:
            call.cutter.cut()
        for call in (*running, *waiting):
            self._answer(call, _stopping())
        until = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))
        self._adapter.close()

    def thread_count(self) -> int:
        """How many threads serve requests now."""
        with self._lock:
            return len(self._workers)

    # -- under the lock ------------------------------------------------------------------------------------

    def _refusal(self, queue: _Queue, call: _Call) -> Missed | None:
        if self._closed:
            return _stopping()
        return _hanging(call.place) if queue.hangs else None

    def _make_ready(self, queue: _Queue) -> None:
        queue.ready_since = time.monotonic()
        self._ready.append(queue)
        if self._lacking() <= 0:
            self._work.notify()
        elif len(self._workers) < EASY_THREADS:
            self._start_worker()
        else:
            self._watch.notify()
        if self._watchdog is None:
            self._watchdog = threading.Thread(target=self._guard, name="transport-watchdog", daemon=True)
            self._watchdog.start()

    def _lacking(self) -> int:
        """How many threads more would give every ready queue its own; negative when some are idle."""
        return len(self._ready) + self._running - len(self._workers)

    def _start_worker(self) -> None:
        worker = threading.Thread(target=self._serve, name="transport", daemon=True)
        self._workers.add(worker)
        worker.start()

    def _take(self) -> tuple[_Queue, _Call] | None:
        """The next call; waits for one, and gives up after a while without."""
        until = time.monotonic() + IDLE_S
        while not self._ready:
            left = until - time.monotonic()
            if self._closed or left <= 0:
                return None
            self._work.wait(left)
        queue = self._ready.popleft()
        queue.ready_since = None
        call = queue.waiting.popleft()
        queue.running = call
        self._running += 1
        call.begin()
        self._taken = call.began
        self._sequence += 1
        heapq.heappush(self._due, (call.cutter.deadline, self._sequence, queue, call))
        if self._due[0][3] is call:
            self._watch.notify()
        return queue, call

    def _done(self, queue: _Queue) -> None:
        queue.running, queue.hangs = None, False
        self._running -= 1
        if queue.waiting:
            self._make_ready(queue)

    # -- the workers ---------------------------------------------------------------------------------------

    def _serve(self) -> None:
        me = threading.current_thread()
        while True:
            with self._lock:
                taken = self._take()
                if taken is None:
                    self._workers.discard(me)
                    return
            queue, call = taken
            try:
                self._answer(call, self._perform(call))
            finally:
                with self._lock:
                    self._done(queue)

    def _perform(self, call: _Call) -> Got | Missed:
        if not isinstance(call.request, HttpRequest):
            return do_here(call.request, lambda: call.cutter.is_cut)
        with call.cutter:
            return ask_http(self._adapter, call.request, call.cutter, self._clock.now())

    def _answer(self, call: _Call, outcome: Got | Missed) -> None:
        if not call.claim():
            return
        if self._closed and isinstance(outcome, Missed):
            outcome = _stopping()  # a socket that was cut looks like one that was too slow
        elapsed = time.monotonic() - call.began
        now = self._clock.now()
        reply: Reply | NoReply
        if isinstance(outcome, Got):
            reply = Reply(
                status=outcome.status,
                headers=outcome.headers,
                body=outcome.body,
                received_at=now,
                elapsed_s=elapsed,
            )
        else:
            reply = NoReply(
                reason=outcome.reason,
                sentence=outcome.sentence,
                retryable=outcome.retryable,
                failed_at=now,
                elapsed_s=elapsed,
                status=outcome.status,
                body=outcome.body,
                retry_after_s=outcome.retry_after_s,
                headers=outcome.headers,
            )
        self._directory.tell(call.reply_to, Answered(key=call.key, reply=reply))

    # -- the watchdog --------------------------------------------------------------------------------------

    def _guard(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                now = time.monotonic()
                expired = self._expired(now)
                if not expired:
                    self._relieve(now)
                    self._watch.wait(self._until_next(now))
                    continue
            for call, outcome in expired:
                call.cutter.cut()
                self._answer(call, outcome)

    def _expired(self, now: float) -> list[tuple[_Call, Missed]]:
        """The calls to end now. One that is still running a moment later is known to hang."""
        ended: list[tuple[_Call, Missed]] = []
        while self._due and self._due[0][0] <= now:
            due, _, queue, call = heapq.heappop(self._due)
            if queue.running is not call:
                continue
            if due <= call.cutter.deadline:
                ended.append((call, late(call.place, call.request.deadline_s)))
                self._sequence += 1
                heapq.heappush(self._due, (due + OVERRUN_S, self._sequence, queue, call))
                continue
            queue.hangs = True
            ended += [(each, _hanging(each.place)) for each in queue.waiting]
            queue.waiting.clear()
        return ended

    def _relieve(self, now: float) -> None:
        """Start a few threads more when a queue has waited too long for one, and no few were just started."""
        if self._lacking() > 0 and now >= self._relief_at():
            self._relieved = now
            for _ in range(min(self._lacking(), EASY_THREADS)):
                self._start_worker()

    def _relief_at(self) -> float:
        oldest = (self._ready[0].ready_since if self._ready else None) or 0.0
        return max(self._relieved + STALLED_S, min(oldest + STARVED_S, max(oldest, self._taken) + STALLED_S))

    def _until_next(self, now: float) -> float | None:
        times = [self._due[0][0]] if self._due else []
        if self._lacking() > 0:
            times.append(self._relief_at())
        return max(min(times) - now, 0.0) if times else None


def _stopping() -> Missed:
    return Missed(reason="unreachable", sentence="the engine is stopping", retryable=True)


def _hanging(place: str) -> Missed:
    return Missed(
        reason="timeout",
        sentence=f"an earlier question to {place} still hangs in the operating system",
        retryable=True,
    )
