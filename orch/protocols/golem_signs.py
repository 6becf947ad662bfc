"""What yagna says of itself and of the work that runs now: activities, accounts, driver, counters, version.

None of it is money. Counters live as long as the daemon: after a restart they begin at 0 again, so they are only
ever read as "since the daemon started" and never subtracted from each other. Sources: yagna's activity-api,
metrics-api, payment-api and healthcheck (0.17).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec

from orch.errors import ShapeError
from orch.model.base import Value
from orch.protocols.decode import decode, within
from orch.protocols.golem_memory import Activity, Counters

if TYPE_CHECKING:
    from orch.model.wire import NoReply, Reply

MOST_SECONDS = 1e12
MESSAGE_END = b"\n"
"""A message is one line of JSON; what follows it only says that it is over."""

PREFIXES = "market_proposals_provider,market_agreements_provider,web3_rpc"
"""Of the daemon's counters only these are asked for."""

_CPU = "golem.usage.cpu_sec"
_WALL = "golem.usage.duration_sec"
_SAMPLE = re.compile(r"^(?P<name>[a-z0-9_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>\S+)$", re.MULTILINE)
_REASON = re.compile(r'reason="(?P<reason>[^"]*)"')


class _Activity(Value, rename="camel"):
    id: str
    state: str
    agreement_id: str
    usage: dict[str, float] | None = None
    exe_unit: str | None = None


class _Monitor(Value):
    activities: list[_Activity]


class _Account(Value):
    platform: str
    receive: bool


class _Problem(Value):
    kind: str
    driver: str
    network: str | None = None


class _Release(Value):
    version: str


class _Version(Value):
    current: _Release
    pending: _Release | None = None


class _Trouble(Value):
    step: str | None = None
    instance: str = ""
    problems: tuple[str, ...] = ()


class _Healthy(Value):
    status: str


class _Rejection(Value, rename="camel"):
    rejection_reason: str = ""
    message: str | None = None


class _Event(Value, rename="camel"):
    invoice_id: str
    event_type: str
    rejection: _Rejection | None = None


def read_activities(reply: Reply) -> tuple[Activity, ...]:
    """The first message of `_monitor`: what runs, and what ended since the daemon started."""
    text = reply.body.strip()
    if not text.startswith(b"data:"):
        raise ShapeError("monitor: the answer is not a message of an event stream")
    message = msgspec.structs.replace(reply, body=text.removeprefix(b"data:"))
    return tuple(
        Activity(
            activity_id=each.id,
            agreement_id=each.agreement_id,
            state=each.state,
            runtime=each.exe_unit,
            cpu_s=_seconds(each.usage, _CPU),
            wall_s=_seconds(each.usage, _WALL),
        )
        for each in decode(message, _Monitor, "monitor", content_type="text/event-stream").activities
    )


def read_accounts(reply: Reply) -> tuple[str, ...]:
    """`providerAccounts`: the payment platforms on which this node can be paid."""
    return tuple(each.platform for each in decode(reply, list[_Account], "accounts") if each.receive)


def read_driver(reply: Reply) -> tuple[str, ...]:
    """`payments/status`: what the payment driver complains of, each once."""
    rows = decode(reply, list[_Problem], "driver")
    return tuple(dict.fromkeys(f"{row.kind} on {row.network or row.driver}" for row in rows))


def read_version(reply: Reply) -> tuple[str, str | None]:
    """`version/get`: the running version, and the newer one that is out."""
    answer = decode(reply, _Version, "version")
    return answer.current.version, answer.pending.version if answer.pending else None


def read_health(reply: Reply) -> None:
    """`healthcheck` when all is well; anything else comes with status 500.

    Raises:
        ShapeError: It has status 200 and does not say "ok".
    """
    if decode(reply, _Healthy, "healthcheck").status != "ok":
        raise ShapeError("healthcheck: neither ok nor an error")


def trouble_of(failure: NoReply) -> str | None:
    """The check of `healthcheck` that failed, with what it says; None where there is no such answer."""
    try:
        trouble = msgspec.json.decode(failure.body, type=_Trouble)
    except msgspec.MsgspecError:
        return None
    if trouble.step is None:
        return None
    what = "; ".join(trouble.problems) or trouble.instance.rpartition("/")[2]
    return f"{trouble.step}: {what}" if what else trouble.step


def read_counters(reply: Reply) -> Counters:
    """The daemon's counters since its start, of Prometheus' text format."""
    if not (reply.header("Content-Type") or "").startswith("text/plain"):
        raise ShapeError("metrics: the answer is not plain text")
    text = reply.body.decode("utf-8", errors="replace")
    if not text.lstrip().startswith("#"):
        raise ShapeError("metrics: the answer is not in Prometheus' text format")
    sums: dict[str, float] = {}
    ended: dict[str, int] = {}
    for sample in _SAMPLE.finditer(text):
        value = _count(sample["value"])
        name, labels = sample["name"], sample["labels"] or ""
        reason = _REASON.search(labels)
        if name == "market_agreements_provider_terminated_reason":
            if reason is not None:
                ended[reason["reason"][:60]] = ended.get(reason["reason"][:60], 0) + int(value)
        elif not labels or name.startswith("web3_rpc"):
            sums[name] = sums.get(name, 0.0) + value
    return Counters(
        proposals=_whole(sums, "market_proposals_provider_received"),
        refused_by_us=_whole(sums, "market_proposals_provider_rejected_by_us"),
        refused_by_them=_whole(sums, "market_proposals_provider_rejected_by_them"),
        ended=tuple(sorted(ended.items())),
        rpc_good=_whole(sums, "web3_rpc_success"),
        rpc_bad=_whole(sums, "web3_rpc_error"),
    )


def read_rejection(reply: Reply, key: str, invoice_id: str) -> str:
    """Why the requestor rejected an invoice, from `invoiceEvents`; empty where the events do not tell."""
    for event in decode(reply, list[_Event], key):
        if event.invoice_id == invoice_id and event.rejection is not None:
            said = json.dumps(event.rejection.message)[1:81] if event.rejection.message else ""
            reason = event.rejection.rejection_reason.replace("_", " ").lower()[:40]
            return f"{reason} ({said.rstrip(chr(34))})" if said else reason
    return ""


def _seconds(usage: dict[str, float] | None, name: str) -> float | None:
    value = (usage or {}).get(name)
    return None if value is None else within(float(value), f"monitor: {name}", 0, MOST_SECONDS)


def _count(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ShapeError(f"metrics: {text[:40]!r} is not a number") from error
    return within(value, "metrics: a counter", 0, 1e18)


def _whole(sums: dict[str, float], name: str) -> int | None:
    value = sums.get(name)
    return None if value is None else int(value)
