"""The lever of a storage node: `storage.allocated-disk-space` in its config.yaml, and a restart.

The node reads its settings once, at its start, and a flag or the environment wins over the file: where one of
those sets the allocation, an edit of the file would change nothing and is refused. What is in force is what the
node's own API says afterwards. Nothing it stores is ever removed by this: a smaller allocation only stops it from
growing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from orch.errors import LeverError
from orch.levers.asking import call, content, grain, order_body, run, write
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.resources import Resources
from orch.model.wire import CommandRun, FileWrite, HttpRequest, NoReply, Reply, ToolCall

if TYPE_CHECKING:
    from orch.model.resources import ResourceName

KEY = "storage.allocated-disk-space"
FLAG = f"--{KEY}"
VARIABLE = "STORJ_STORAGE_ALLOCATED_DISK_SPACE"
DOCKER_VARIABLE = "STORAGE"
LEAST_GB = 500.0
"""The node does not start with less, unless its own minimum was lowered."""
DAY_S = 86_400.0
SETTLE_S = 5.0
SET = re.compile(rb"^storage\.allocated-disk-space[ \t]*:[^\r\n]*", re.MULTILINE)
UNSET = re.compile(rb"^#[ \t]*storage\.allocated-disk-space[ \t]*:[^\r\n]*", re.MULTILINE)
BACKUP = ".before-orch"


class StorjConfigOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where its config.yaml and its API are, how it is restarted, and how long that may take.

    `container` is the name of its Docker container, `program` that of its process otherwise.
    """

    path: str
    restart: tuple[str, ...]
    url: str = "http://127.0.0.1:14002"
    container: str | None = None
    program: str = "storagenode"
    socket: str | None = None
    minimum_gb: Annotated[float, msgspec.Meta(gt=0.0)] = LEAST_GB
    restart_timeout_s: Annotated[float, msgspec.Meta(gt=0.0, le=3600.0)] = 360.0
    ready_timeout_s: Annotated[float, msgspec.Meta(gt=0.0, le=7200.0)] = 900.0

    def __post_init__(self) -> None:
        if not self.restart:
            message = (
                'restart must be a program with its arguments, such as ["systemctl", "restart", "storagenode"]'
            )
            raise ValueError(message)


class _Disk(msgspec.Struct):
    """`available` is the allocation where there is no `allocated` (before v1.143)."""

    used: int
    available: int
    allocated: int | None = None
    trash: int = 0


class _Sno(msgspec.Struct, rename="camel"):
    disk_space: _Disk


class _Process(msgspec.Struct):
    pid: int
    argv: tuple[str, ...]
    environment: dict[str, str]


class _Config(msgspec.Struct, rename="pascal"):
    env: tuple[str, ...] | None = None


class _Container(msgspec.Struct, rename="pascal"):
    config: _Config
    args: tuple[str, ...] = ()


class StorjConfigLever:
    """Sets the storage of a storage node."""

    kind = "storj_config"
    options = StorjConfigOptions
    target = ("path",)
    cannot = (
        "take space back that is filled: less than is stored only stops it from growing",
        "set cores, memory or bandwidth: a lever of the system does",
        "act without a restart, during which the node misses audits",
        "have a say where a flag, the environment or Docker's STORAGE sets the allocation",
    )

    def sets(self, protocol: str, options: StorjConfigOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Storage."""
        return ("storage_gb",)

    def cost(self, protocol: str, options: StorjConfigOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """A restart, at most once a day."""
        deadline = SETTLE_S + options.restart_timeout_s + options.ready_timeout_s
        return CostPrior(
            downtime_s=120.0, settle_s=SETTLE_S, deadline_s=deadline, dwell_s=DAY_S, read_every_s=600.0
        )

    def read(self, options: StorjConfigOptions) -> Task[LeverReading]:
        """What the running node says it may use, and uses. Raises LeverError while it says nothing."""
        disk = yield from _disk(options)
        used = disk.used + disk.trash if disk.allocated is None else disk.used
        return LeverReading(
            allocation=Resources(storage_gb=grain(_allocated_gb(disk))),
            # What is stored cannot be given away.
            committed=Resources(storage_gb=grain(used / 1e9)),
            used=Resources(storage_gb=grain(used / 1e9)),
        )

    def apply(self, options: StorjConfigOptions, goal: Resources) -> Task[None]:
        """Edit the file and restart the node, unless what is wanted is in force already.

        A node that says nothing is given what is wanted all the same: it may be away because of what is to be
        undone, and no allocation makes it lose what it stores.

        Raises:
            LeverError: Too little, or less than is stored, or the edit would have no effect, or the file is not as
                it should be, or the restart failed: the file has its old content then.
        """
        wanted_gb = goal.storage_gb
        if wanted_gb is None:
            return
        if wanted_gb < options.minimum_gb:
            raise LeverError(
                f"a storage node does not start with {wanted_gb:g} GB: at least {options.minimum_gb:g}"
            )
        answer = yield _question(options)
        disk = _disk_of(answer) if isinstance(answer, Reply) else None
        if disk is not None:
            _refuse_below_use(disk, wanted_gb)
        yield from _refuse_where_idle(options)
        before = yield from content(options.path)
        after = edited(before, wanted_gb, options.path)
        if after != before:
            yield from write(
                FileWrite(path=options.path, body=after, expected=before, backup_suffix=BACKUP, deadline_s=30.0)
            )
        if disk is not None and _size(_allocated_gb(disk)) == _size(wanted_gb):
            return
        try:
            yield from run(CommandRun(argv=options.restart, deadline_s=options.restart_timeout_s))
        except LeverError as error:
            if after != before:
                yield from write(FileWrite(path=options.path, body=before, expected=after, deadline_s=30.0))
            raise LeverError(f"the node was not restarted, its configuration is as before: {error}") from error

    def describe(self, options: StorjConfigOptions, goal: Resources) -> str:
        """The line and the command."""
        if goal.storage_gb is None:
            return "change nothing"
        return f"set `{KEY}: {_size(goal.storage_gb)}` in {options.path}, then run {' '.join(options.restart)}"


def edited(before: bytes, wanted_gb: float, path: str) -> bytes:
    """The configuration with one line changed, or one added below its comment or at the end.

    Raises:
        LeverError: The key is there twice, or the file is not text.
    """
    if b"\0" in before:
        raise LeverError(f"{path} is not a text file")
    line = f"{KEY}: {_size(wanted_gb)}".encode()
    found = SET.findall(before)
    if len(found) > 1:
        raise LeverError(f"{path} sets {KEY} {len(found)} times: leave one of them")
    if found:
        return SET.sub(line, before, count=1)
    comment = UNSET.search(before)
    end = b"\r\n" if b"\r\n" in before else b"\n"
    if comment is not None:
        return before[: comment.end()] + end + line + before[comment.end() :]
    glue = b"" if not before or before.endswith(b"\n") else end
    return before + glue + line + end


def _size(amount_gb: float) -> str:
    return f"{grain(amount_gb):.3f}".rstrip("0").rstrip(".") + " GB"


def _refuse_below_use(disk: _Disk, wanted_gb: float) -> None:
    """Raise LeverError where less is wanted than there is, and less than is filled."""
    stored_gb = (disk.used + (disk.trash if disk.allocated is None else 0)) / 1e9
    if wanted_gb < stored_gb and wanted_gb < _allocated_gb(disk):
        raise LeverError(f"it stores {stored_gb:.1f} GB, which {wanted_gb:g} GB cannot hold")


def _allocated_gb(disk: _Disk) -> float:
    return (disk.available if disk.allocated is None else disk.allocated) / 1e9


def _question(options: StorjConfigOptions) -> HttpRequest:
    return HttpRequest(url=f"{options.url.rstrip('/')}/api/sno/", deadline_s=10.0)


def _disk(options: StorjConfigOptions) -> Task[_Disk]:
    answer: Reply | NoReply = yield _question(options)
    if isinstance(answer, NoReply):
        raise LeverError(f"the node does not say what it uses: {answer.sentence}")
    return _disk_of(answer)


def _disk_of(answer: Reply) -> _Disk:
    try:
        disk = msgspec.json.decode(answer.body, type=_Sno).disk_space
    except msgspec.MsgspecError as error:
        raise LeverError(f"the node does not say what it uses: {error}") from error
    if min(disk.used, disk.available, disk.allocated or 0, disk.trash) < 0:
        raise LeverError("the node says that it uses less than nothing")
    return disk


def _refuse_where_idle(options: StorjConfigOptions) -> Task[None]:
    """Raise LeverError where something else than the file has the last word on the allocation."""
    if options.container is not None:
        body = order_body({"container": options.container})
        found = yield from call(
            ToolCall(tool="docker", action="inspect", body=body, socket=options.socket), _Container
        )
        pairs = dict(each.partition("=")[::2] for each in found.config.env or ())
        argv = found.args
        # Absent, the image's own default of 2 TB would be there: only an empty one leaves the file its say.
        if pairs.get(DOCKER_VARIABLE) != "":
            has = pairs.get(DOCKER_VARIABLE, "2.0TB")
            raise LeverError(
                f"the container {options.container} has {DOCKER_VARIABLE}={has}, which wins over {options.path}: "
                f'make it anew with {DOCKER_VARIABLE}=""'
            )
        _refuse_overruled(argv, pairs, options)
        return
    body = order_body({"program": options.program, "environment": [VARIABLE]})
    processes = yield from call(ToolCall(tool="processes", action="find", body=body), tuple[_Process, ...])
    for process in processes:
        _refuse_overruled(process.argv, process.environment, options)


def _refuse_overruled(argv: tuple[str, ...], environment: dict[str, str], options: StorjConfigOptions) -> None:
    flag = next((each for each in argv if each == FLAG or each.startswith(f"{FLAG}=")), None)
    if flag is not None:
        raise LeverError(f"the node runs with {FLAG}, which wins over {options.path}: start it without")
    if VARIABLE in environment:
        raise LeverError(f"the node runs with {VARIABLE}, which wins over {options.path}: start it without")


LEVER: LeverSpec = StorjConfigLever()
