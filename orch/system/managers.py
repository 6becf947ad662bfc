"""Orders to Docker, systemd, the table of processes and the host, over their own libraries; JSON in, JSON out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orch.system.exchange import Got, Missed
from orch.system.looks import look

if TYPE_CHECKING:
    from orch.model.wire import ToolCall

SYSTEMD = "org.freedesktop.systemd1"
SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"


class ContainerOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The body of every order to Docker. `update` is sent to Docker's update call as it is."""

    container: str
    update: dict[str, int] = {}
    stop_timeout_s: int = 300


class UnitOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The body of every order to systemd: properties that are unsigned 64-bit numbers."""

    unit: str
    properties: dict[str, int] = {}
    names: tuple[str, ...] = ()
    runtime: bool = True


class ProcessQuestion(msgspec.Struct, forbid_unknown_fields=True):
    """Which processes: those of a program; with the values of a few names in their environment."""

    program: str
    environment: tuple[str, ...] = ()


def call_manager(order: ToolCall) -> Got | Missed:
    """Carry out one order; never raises. Without a manager it is `refused`; when that says no, `failed`."""
    try:
        match order.tool:
            case "docker":
                return _docker(order)
            case "systemd":
                return _systemd(order)
            case "host":
                return look(order.body)
            case _:
                return _processes(order)
    except msgspec.MsgspecError as error:
        return Missed(reason="failed", sentence=f"{order.tool} was not asked: {error}", retryable=False)
    except ImportError as error:
        sentence = f"the library for {order.tool} is not installed ({error.name})"
        return Missed(reason="failed", sentence=sentence, retryable=False)


# -- Docker: https://docs.docker.com/reference/api/engine/ -------------------------------------------------


def _docker(order: ToolCall) -> Got | Missed:
    import docker
    import requests
    from docker import errors
    from docker.constants import DEFAULT_UNIX_SOCKET

    wanted = msgspec.json.decode(order.body, type=ContainerOrder)
    place = (order.socket or DEFAULT_UNIX_SOCKET).partition("://")[2]
    if (order.socket or "unix://").startswith("unix://") and not Path(place).is_socket():
        return Missed(reason="refused", sentence=f"no Docker engine listens at {place}", retryable=True)
    try:
        client = docker.DockerClient(base_url=order.socket or None, timeout=max(round(order.deadline_s), 1))
    except errors.DockerException as error:
        return Missed(reason="refused", sentence=f"no Docker engine answers: {error}", retryable=True)
    try:
        return Got(status=200, headers=(), body=msgspec.json.encode(_with_container(client, order.action, wanted)))
    except errors.NotFound:
        sentence = f"Docker has no container {wanted.container}"
        return Missed(reason="failed", sentence=sentence, retryable=True)
    except requests.exceptions.Timeout:
        sentence = f"Docker did not answer within {order.deadline_s:g} s"
        return Missed(reason="timeout", sentence=sentence, retryable=True)
    except (errors.DockerException, requests.exceptions.RequestException) as error:
        said = getattr(error, "explanation", None) or error
        return Missed(reason="failed", sentence=f"Docker refused: {said}", retryable=True)
    finally:
        client.close()


def _with_container(client: Any, action: str, wanted: ContainerOrder) -> dict[str, Any]:
    api = client.api
    match action:
        case "inspect":
            found: dict[str, Any] = api.inspect_container(wanted.container)
            return {key: found.get(key) for key in ("Id", "State", "HostConfig", "Config", "Args", "Path")}
        case "update":
            # The library's own update() knows no NanoCpus, without which a container made with --cpus is refused.
            address = api._url("/containers/{0}/update", wanted.container)  # noqa: SLF001 - its public calls cannot say this
            answer: dict[str, Any] = api._result(api._post_json(address, data=wanted.update), json=True)  # noqa: SLF001 - as above
            return answer
        case "stats":
            # Asked once: the library would otherwise wait a second to have two samples of the processor.
            used: dict[str, Any] = api.stats(wanted.container, stream=False, one_shot=True)
            memory = used.get("memory_stats", {})
            counts = {name: count for name, count in memory.get("stats", {}).items() if isinstance(count, int)}
            return {"memory_stats": {"usage": memory.get("usage"), "stats": counts}}
        case "start":
            api.start(wanted.container)
        case "stop":
            api.stop(wanted.container, timeout=wanted.stop_timeout_s)
        case _:
            message = f"Docker has no order {action}"
            raise msgspec.ValidationError(message)
    return {}


# -- systemd: org.freedesktop.systemd1(5) ------------------------------------------------------------------


def _systemd(order: ToolCall) -> Got | Missed:
    from jeepney import wrappers
    from jeepney.io.blocking import open_dbus_connection

    wanted = msgspec.json.decode(order.body, type=UnitOrder)
    try:
        bus = open_dbus_connection(bus=order.socket or SYSTEM_BUS)
    except (OSError, ValueError, KeyError) as error:
        return Missed(reason="refused", sentence=f"no system bus answers: {error}", retryable=True)
    try:
        answer = _with_unit(_Systemd(bus, order.deadline_s), order.action, wanted)
    except wrappers.DBusErrorResponse as error:
        sentence = f"systemd refused {wanted.unit}: {_bus_sentence(error)}"
        return Missed(reason="failed", sentence=sentence, retryable=True)
    except TimeoutError:
        sentence = f"systemd did not answer within {order.deadline_s:g} s"
        return Missed(reason="timeout", sentence=sentence, retryable=True)
    except (OSError, EOFError) as error:
        return Missed(reason="failed", sentence=f"the system bus broke off: {error}", retryable=True)
    finally:
        bus.close()
    return Got(status=200, headers=(), body=msgspec.json.encode(answer))


class _Systemd:
    """Method calls to systemd's manager over one connection."""

    def __init__(self, bus: Any, deadline_s: float) -> None:
        self._bus = bus
        self._deadline_s = deadline_s

    def call(self, path: str, interface: str, method: str, signature: str, *values: object) -> tuple[Any, ...]:
        """One method call; raises what the wrapper raises for an error."""
        from jeepney import DBusAddress, new_method_call
        from jeepney.wrappers import unwrap_msg

        address = DBusAddress(path, bus_name=SYSTEMD, interface=interface)
        message = new_method_call(address, method, signature, values)
        reply = self._bus.send_and_get_reply(message, timeout=self._deadline_s)
        answer: tuple[Any, ...] = unwrap_msg(reply)
        return answer


MANAGER = "/org/freedesktop/systemd1"


def _with_unit(systemd: _Systemd, action: str, wanted: UnitOrder) -> dict[str, Any]:
    match action:
        case "get":
            (path,) = systemd.call(MANAGER, f"{SYSTEMD}.Manager", "LoadUnit", "s", wanted.unit)
            found: dict[str, Any] = {}
            kind = wanted.unit.rpartition(".")[2].capitalize()
            for name in wanted.names:
                interface = f"{SYSTEMD}.Unit" if name in ("ActiveState", "LoadState") else f"{SYSTEMD}.{kind}"
                (value,) = systemd.call(path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name)
                found[name] = value[1]
            return found
        case "set":
            values = [(name, ("t", value)) for name, value in wanted.properties.items()]
            systemd.call(
                MANAGER, f"{SYSTEMD}.Manager", "SetUnitProperties", "sba(sv)", wanted.unit, wanted.runtime, values
            )
            return {}
        case _:
            message = f"systemd has no order {action}"
            raise msgspec.ValidationError(message)


def _bus_sentence(error: Any) -> str:
    data = getattr(error, "data", ())
    return str(data[0]) if data else str(getattr(error, "name", error))


# -- processes ---------------------------------------------------------------------------------------------


def _processes(order: ToolCall) -> Got | Missed:
    """Processes by the name of their program: number, arguments, and what was asked of their environment."""
    import psutil

    wanted = msgspec.json.decode(order.body, type=ProcessQuestion)
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        if process.info["name"] != wanted.program[:15] and process.info["name"] != wanted.program:
            continue
        try:
            environment = process.environ() if wanted.environment else {}
            argv = process.cmdline()
        except psutil.AccessDenied:
            sentence = f"{wanted.program} belongs to another user: its arguments may not be read"
            return Missed(reason="permission", sentence=sentence, retryable=False)
        except psutil.Error:
            continue
        shown = {name: environment[name] for name in wanted.environment if name in environment}
        found.append({"pid": process.info["pid"], "argv": argv, "environment": shown})
    return Got(status=200, headers=(), body=msgspec.json.encode(found))
