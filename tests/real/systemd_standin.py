"""A private message bus with a stand-in for systemd's manager on it: one unit, the interface of the real one.

systemd itself is the first process of a machine and cannot be started by a test. This answers the calls that the
lever makes, by the names and signatures of org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import subprocess
import sys

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.systemd1"
UNIT, PATH = "storagenode.service", "/org/freedesktop/systemd1/unit/storagenode_2eservice"
INFINITY = (1 << 64) - 1
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
</policy>
</busconfig>
"""


def start_bus(folder):
    """A bus of our own; the process and its address."""
    socket = folder / "bus.sock"
    (folder / "bus.conf").write_text(CONFIG.format(socket=socket))
    command = ["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile", "--print-address"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("unix:")
    return process, f"unix:path={socket}"


def serve(address):
    """Answer as the manager until the bus is gone."""
    bus = open_dbus_connection(bus=address)
    bus.send_and_get_reply(message_bus.RequestName(NAME))
    values = {
        "ActiveState": ("s", "active"),
        "CPUQuotaPerSecUSec": ("t", INFINITY),
        "MemoryMax": ("t", INFINITY),
        "MemoryHigh": ("t", INFINITY),
        "MemoryCurrent": ("t", 500_000_000),
    }
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        message = bus.receive()
        if message.header.message_type is not MessageType.method_call:
            continue
        bus.send(answer(message, values))


def answer(message, values):
    """The reply to one call."""
    member = message.header.fields[HeaderFields.member]
    if member == "LoadUnit":
        if message.body[0] != UNIT:
            return new_error(message, f"{NAME}.NoSuchUnit", "s", (f"Unit {message.body[0]} not found.",))
        return new_method_return(message, "o", (PATH,))
    if member == "Get":
        interface, name = message.body
        right = f"{NAME}.Unit" if name == "ActiveState" else f"{NAME}.Service"
        if interface != right or name not in values:
            return new_error(message, "org.freedesktop.DBus.Error.UnknownProperty", "s", (f"Unknown {name}.",))
        return new_method_return(message, "v", (values[name],))
    if member == "SetUnitProperties":
        unit, _, given = message.body
        if unit != UNIT:
            return new_error(message, f"{NAME}.NoSuchUnit", "s", (f"Unit {unit} not found.",))
        values |= dict(given)
        return new_method_return(message)
    return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", (f"No method {member}.",))


if __name__ == "__main__":
    serve(sys.argv[1])
