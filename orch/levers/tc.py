"""The lever of traffic control: how fast an interface, or a container's, may send and receive.

tc-tbf(8), or tc-htb(8) where the kernel has no tbf, and for what comes in an intermediate device (ifb) whose own
sending is limited. Only the kernel's default queue is ever replaced, and it is back as soon as the whole link is
given again: shaping that somebody else set up is left alone and named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from orch.errors import LeverError
from orch.levers.asking import call, grain, order_body, run
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.resources import Resources
from orch.model.wire import CommandRun, ToolCall

if TYPE_CHECKING:
    from orch.model.resources import ResourceName

HANDLE = "6f72:"
CLASS = f"{HANDLE}1"
CLASS_RATE = re.compile(rf"^class htb {CLASS} .*?\brate (\d+)([KMG]?)bit", re.MULTILINE)
BITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
DEFAULT_HANDLE = "0:"
LACKING = ("unknown", "No such file", "not found")
"""What tc says of a kind of queue that the kernel does not have."""
LEAST_BURST_BYTES = 16_000
BURST_S = 0.01
"""The bucket holds what the rate gives in this time: fewer wake-ups than a timer tick, no visible bursts."""


class TcOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which interface, of the host or of a container, what it can do unlimited, and which way is limited."""

    interface: str = "eth0"
    link_mbps: Annotated[float, msgspec.Meta(gt=0.0)]
    container: str | None = None
    socket: str | None = None
    direction: Literal["egress", "both"] = "egress"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", self.interface):
            message = "interface must be the name of a network interface"
            raise ValueError(message)


class _State(msgspec.Struct, rename="pascal"):
    pid: int = 0


class _Container(msgspec.Struct, rename="pascal"):
    state: _State


class _Way(msgspec.Struct, frozen=True):
    """How tc is run where the interface lives, and what it is called there."""

    prefix: tuple[str, ...]
    device: str


class TcLever:
    """Sets the bandwidth of an interface."""

    kind = "tc"
    options = TcOptions
    target = ("interface", "container")
    cannot = (
        "share a link between the nodes that use it: it limits an interface or a container, whole",
        "touch shaping that somebody else set up",
        "keep a limit over a reboot or a new container: the next reading finds it gone",
        'limit what arrives without `direction = "both"` and an ifb device of the kernel',
        "shape where the kernel has neither tbf nor htb",
    )

    def sets(self, protocol: str, options: TcOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Bandwidth."""
        return ("bandwidth_mbps",)

    def cost(self, protocol: str, options: TcOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """Next to nothing: connections go on."""
        return CostPrior(downtime_s=0.0, settle_s=0.0, deadline_s=30.0)

    def read(self, options: TcOptions) -> Task[LeverReading]:
        """The rate in force; the link's own where none is. Raises LeverError when the interface is gone."""
        way = yield from _way(options)
        rates = [(yield from _rate(way, options.link_mbps))]
        if options.direction == "both":
            device = _ifb(options)
            there = yield from _has_device(way, device)
            rates.append(
                (yield from _rate(_Way(way.prefix, device), options.link_mbps)) if there else options.link_mbps
            )
        return LeverReading(allocation=Resources(bandwidth_mbps=grain(min(rates))))

    def apply(self, options: TcOptions, goal: Resources) -> Task[None]:
        """Limit the interface, or take the limit away when the goal is the whole link.

        Raises:
            LeverError: The interface is gone, shaped by somebody else, or the kernel lacks what it takes.
        """
        mbps = goal.bandwidth_mbps
        if mbps is None:
            return
        way = yield from _way(options)
        yield from _rate(way, options.link_mbps)
        whole = mbps >= options.link_mbps
        yield from _limit(way, None if whole else mbps)
        if options.direction == "both":
            yield from _limit_incoming(way, options, None if whole else mbps)

    def describe(self, options: TcOptions, goal: Resources) -> str:
        """The command that does the same."""
        if goal.bandwidth_mbps is None:
            return "change nothing"
        if goal.bandwidth_mbps >= options.link_mbps:
            return f"tc qdisc del dev {options.interface} root"
        return f"tc {' '.join(_tbf(options.interface, goal.bandwidth_mbps))}"


def _speed(mbps: float) -> tuple[str, ...]:
    burst = max(LEAST_BURST_BYTES, round(mbps * 1e6 / 8 * BURST_S))
    return ("rate", f"{round(mbps * 1000)}kbit", "burst", str(burst))


def _tbf(device: str, mbps: float) -> tuple[str, ...]:
    return ("qdisc", "replace", "dev", device, "root", "handle", HANDLE, "tbf", *_speed(mbps), "latency", "50ms")


def _way(options: TcOptions) -> Task[_Way]:
    if options.container is None:
        return _Way((), options.interface)
    body = order_body({"container": options.container})
    found = yield from call(
        ToolCall(tool="docker", action="inspect", body=body, socket=options.socket), _Container
    )
    if not found.state.pid:
        raise LeverError(f"the container {options.container} does not run")
    return _Way(("nsenter", "-t", str(found.state.pid), "-n"), options.interface)


def _tool(way: _Way, *arguments: str) -> Task[bytes]:
    return (yield from run(CommandRun(argv=(*way.prefix, *arguments), deadline_s=10.0)))


def _queues(way: _Way) -> Task[list[dict[str, Any]]]:
    printed = yield from _tool(way, "tc", "-j", "qdisc", "show", "dev", way.device)
    try:
        return msgspec.json.decode(printed, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        raise LeverError(f"tc does not say how {way.device} is shaped: {error}") from error


def _rate(way: _Way, link_mbps: float) -> Task[float]:
    """Mbit/s that the device may send. Raises LeverError when somebody else shapes it."""
    for queue in (yield from _queues(way)):
        if not queue.get("root"):
            continue
        if queue.get("handle") == HANDLE and queue.get("kind") in ("tbf", "htb"):
            is_flat = queue.get("kind") == "tbf"
            rate = queue.get("options", {}).get("rate") if is_flat else (yield from _class_rate(way))
            if not isinstance(rate, (int, float)):
                raise LeverError(f"tc does not say how fast {way.device} may be")
            return min(float(rate) * 8 / 1e6, link_mbps)
        if queue.get("handle") != DEFAULT_HANDLE:
            raise LeverError(
                f"{way.device} is shaped by somebody else ({queue.get('kind')} {queue.get('handle')}): "
                "it is left alone until that is gone"
            )
    return link_mbps


def _class_rate(way: _Way) -> Task[float | None]:
    """Bytes per second of our class of a hierarchy; None where there is none. Of classes tc prints no JSON."""
    printed = (yield from _tool(way, "tc", "class", "show", "dev", way.device)).decode(errors="replace")
    found = CLASS_RATE.search(printed)
    return None if found is None else float(found[1]) * BITS[found[2]] / 8


def _limit(way: _Way, mbps: float | None) -> Task[None]:
    queues = yield from _queues(way)
    own = next((each for each in queues if each.get("root") and each.get("handle") == HANDLE), None)
    if mbps is None:
        if own is not None:
            yield from _tool(way, "tc", "qdisc", "del", "dev", way.device, "root")
    elif own is not None and own.get("kind") == "htb":
        yield from _limit_class(way, mbps)
    else:
        try:
            yield from _tool(way, "tc", *_tbf(way.device, mbps))
        except LeverError as error:
            if own is not None or not any(sign in str(error) for sign in LACKING):
                raise
            yield from _limit_by_hierarchy(way, mbps)


def _limit_by_hierarchy(way: _Way, mbps: float) -> Task[None]:
    """For kernels without tbf: a hierarchy of one class, which all traffic goes through."""
    root = ("root", "handle", HANDLE, "htb", "default", "1")
    yield from _tool(way, "tc", "qdisc", "replace", "dev", way.device, *root)
    try:
        yield from _limit_class(way, mbps)
    except LeverError:
        yield from _tool(way, "tc", "qdisc", "del", "dev", way.device, "root")
        raise


def _limit_class(way: _Way, mbps: float) -> Task[None]:
    place = ("parent", HANDLE, "classid", CLASS)
    yield from _tool(way, "tc", "class", "replace", "dev", way.device, *place, "htb", *_speed(mbps))


def _ifb(options: TcOptions) -> str:
    return f"orch-{options.interface}"[:15]


def _has_device(way: _Way, device: str) -> Task[bool]:
    links: list[dict[str, Any]] = msgspec.json.decode((yield from _tool(way, "ip", "-j", "link", "show")))
    return any(link.get("ifname") == device for link in links)


def _limit_incoming(way: _Way, options: TcOptions, mbps: float | None) -> Task[None]:
    device = _ifb(options)
    there = yield from _has_device(way, device)
    if mbps is None:
        if there:
            yield from _tool(way, "tc", "qdisc", "del", "dev", way.device, "ingress")
            yield from _tool(way, "ip", "link", "del", device)
        return
    if there:
        yield from _limit(_Way(way.prefix, device), mbps)
        return
    if any(queue.get("kind") in ("ingress", "clsact") for queue in (yield from _queues(way))):
        raise LeverError(f"what {way.device} receives is handled by somebody else: it is left alone")
    yield from _tool(way, "ip", "link", "add", device, "type", "ifb")
    try:
        yield from _tool(way, "ip", "link", "set", device, "up")
        yield from _limit(_Way(way.prefix, device), mbps)
        yield from _tool(way, "tc", "qdisc", "add", "dev", way.device, "handle", "ffff:", "ingress")
        redirect = ("action", "mirred", "egress", "redirect", "dev", device)
        match = ("parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0")
        yield from _tool(way, "tc", "filter", "add", "dev", way.device, *match, *redirect)
    except LeverError:
        yield from _tool(way, "ip", "link", "del", device)
        raise


LEVER: LeverSpec = TcLever()
