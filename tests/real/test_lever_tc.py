"""The traffic lever on a pair of virtual interfaces between two network namespaces, measured by iperf3.

It is measured where it arrives, second by second, and the median counts: a receiver that this machine held up
for a moment reads in the next second what had been waiting for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from statistics import median

import pytest

from orch.errors import LeverError
from orch.levers.tc import LEVER, TcOptions
from orch.model.resources import Resources
from orch.model.wire import CommandRun
from tests.fakes.hands import bad, pull, this_host

pytestmark = pytest.mark.real

LINK_MBPS = 10_000.0
NEAR, FAR = "10.213.7.1", "10.213.7.2"


def sh(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture(scope="module")
def pair():
    """Our end of the pair and the namespace of the other; an iperf3 server listens at both."""
    if os.geteuid() != 0:
        pytest.skip("interfaces are made by root")
    for program in ("ip", "tc", "iperf3"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"{program} is not installed (apt install iproute2 iperf3)")
    space, ours, theirs = f"orch{os.getpid()}", f"orcha{os.getpid()}"[:15], f"orchb{os.getpid()}"[:15]
    try:
        sh("ip", "netns", "add", space)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    try:
        sh("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs)
        sh("ip", "link", "set", theirs, "netns", space)
        sh("ip", "addr", "add", f"{NEAR}/24", "dev", ours)
        sh("ip", "link", "set", ours, "up")
        for arguments in (("addr", "add", f"{FAR}/24", "dev", theirs), ("link", "set", theirs, "up")):
            sh("ip", "-n", space, *arguments)
        with listening(NEAR), listening(FAR, space):
            yield ours, space
    finally:
        for command in (("ip", "link", "del", ours), ("ip", "netns", "del", space)):
            with contextlib.suppress(subprocess.CalledProcessError):
                sh(*command)


def within(space):
    return () if space is None else ("ip", "netns", "exec", space)


@contextlib.contextmanager
def listening(address, space=None):
    """An iperf3 server at one end."""
    command = [*within(space), "iperf3", "-s", "-B", address, "--forceflush"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert any("listening" in line for line in iter(server.stdout.readline, ""))
            yield
        finally:
            server.kill()


@pytest.fixture
def interface(pair):
    """Our end, as it was made: a test that fails leaves no limit to the next."""
    ours, _ = pair
    yield ours
    leftovers = (
        ("tc", "qdisc", "del", "dev", ours, "root"),
        ("tc", "qdisc", "del", "dev", ours, "ingress"),
        ("ip", "link", "del", f"orch-{ours}"[:15]),
    )
    for command in leftovers:
        with contextlib.suppress(subprocess.CalledProcessError):
            sh(*command)


@pytest.fixture
def sent_mbps(pair):
    """A function: what our end gets through, as the other receives it."""
    return lambda: received_mbps(NEAR, within=within(pair[1]))


def received_mbps(sender, *, within=(), seconds=5):
    """What arrives from the server at an address: the median of some seconds after the first."""
    command = [*within, "iperf3", "-c", sender, "-R", "-t", str(seconds), "-O", "1", "-J"]
    each = [second["sum"] for second in json.loads(sh(*command))["intervals"]]
    return median(second["bits_per_second"] for second in each if not second["omitted"]) / 1e6


def test_sending_is_shaped_and_the_queue_of_before_restored(interface, sent_mbps):
    options = TcOptions(interface=interface, link_mbps=LINK_MBPS)
    before = sh("tc", "qdisc", "show", "dev", interface)
    assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == LINK_MBPS
    for mbps in (10.0, 25.0):
        pull(LEVER.apply(options, Resources(bandwidth_mbps=mbps)), this_host)
        assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == mbps
        assert sent_mbps() == pytest.approx(mbps, rel=0.1)
    pull(LEVER.apply(options, Resources(bandwidth_mbps=LINK_MBPS)), this_host)
    assert sh("tc", "qdisc", "show", "dev", interface) == before
    assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == LINK_MBPS
    assert sent_mbps() > 100


def without_tbf(request):
    """This host, had its kernel no tbf: what tc says then."""
    if isinstance(request, CommandRun) and "tbf" in request.argv:
        return bad("failed", "tc ended with 2: Error: Specified qdisc kind is unknown.")
    return this_host(request)


def test_a_kernel_without_tbf_shapes_by_a_hierarchy_of_one_class(interface, sent_mbps):
    options = TcOptions(interface=interface, link_mbps=LINK_MBPS)
    before = sh("tc", "qdisc", "show", "dev", interface)
    for mbps in (10.0, 25.0):
        pull(LEVER.apply(options, Resources(bandwidth_mbps=mbps)), without_tbf)
        assert "htb" in sh("tc", "qdisc", "show", "dev", interface)
        assert pull(LEVER.read(options), without_tbf).allocation.bandwidth_mbps == mbps
        assert sent_mbps() == pytest.approx(mbps, rel=0.1)
    pull(LEVER.apply(options, Resources(bandwidth_mbps=LINK_MBPS)), without_tbf)
    assert sh("tc", "qdisc", "show", "dev", interface) == before


def test_receiving_is_shaped_too_where_the_kernel_can(interface, sent_mbps):
    options = TcOptions(interface=interface, link_mbps=LINK_MBPS, direction="both")
    before = sh("tc", "qdisc", "show", "dev", interface)
    try:
        pull(LEVER.apply(options, Resources(bandwidth_mbps=10.0)), this_host)
    except LeverError as error:
        assert sh("ip", "-j", "link", "show").count("orch-") == 0
        pytest.skip(f"this kernel cannot shape what comes in: {error}")
    assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == 10.0
    assert received_mbps(FAR) == pytest.approx(10.0, rel=0.1)
    assert sent_mbps() == pytest.approx(10.0, rel=0.1)
    pull(LEVER.apply(options, Resources(bandwidth_mbps=20.0)), this_host)
    assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == 20.0
    pull(LEVER.apply(options, Resources(bandwidth_mbps=LINK_MBPS)), this_host)
    assert sh("tc", "qdisc", "show", "dev", interface) == before
    assert "orch-" not in sh("ip", "link", "show")


def test_what_somebody_else_shapes_is_left_alone(interface):
    options = TcOptions(interface=interface, link_mbps=LINK_MBPS)
    sh("tc", "qdisc", "add", "dev", interface, "root", "handle", "1:", "htb")
    theirs = sh("tc", "qdisc", "show", "dev", interface)
    for task in (LEVER.read(options), LEVER.apply(options, Resources(bandwidth_mbps=10.0))):
        with pytest.raises(LeverError, match=r"shaped by somebody else \(htb 1:\)"):
            pull(task, this_host)
    assert sh("tc", "qdisc", "show", "dev", interface) == theirs
    sh("tc", "qdisc", "del", "dev", interface, "root")


def test_an_interface_that_is_gone_is_named():
    with pytest.raises(LeverError, match="orch-gone"):
        pull(LEVER.read(TcOptions(interface="orch-gone", link_mbps=100.0)), this_host)


def test_an_interface_that_is_down_is_limited_when_it_comes_back(interface):
    options = TcOptions(interface=interface, link_mbps=LINK_MBPS)
    before = sh("tc", "qdisc", "show", "dev", interface)
    sh("ip", "link", "set", interface, "down")
    try:
        pull(LEVER.apply(options, Resources(bandwidth_mbps=10.0)), this_host)
        assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == 10.0
    finally:
        sh("ip", "link", "set", interface, "up")
    assert pull(LEVER.read(options), this_host).allocation.bandwidth_mbps == 10.0
    pull(LEVER.apply(options, Resources(bandwidth_mbps=LINK_MBPS)), this_host)
    assert sh("tc", "qdisc", "show", "dev", interface) == before
