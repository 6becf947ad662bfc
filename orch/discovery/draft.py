"""The tables that a proposal adds to a configuration. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from orch.config.write import Section, Setting
from orch.discovery.judge import twin_of
from orch.discovery.proposal import Proposal, Proposed
from orch.model.base import Value
from orch.model.resources import RESOURCES, Resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEADING = (
    "orch.toml: what orch measures, and how far it may go. Written by `orch init`; edit it as you like: running",
    "`orch init` again adds what is new and changes nothing that stands here.",
    "Nothing secret belongs here: a key or token is named by the environment variable, { env = ... }, or by the",
    "file of mode 0600, { file = ... }, that holds it. `orch check` says whether everything answers.",
)
RESERVE = {"cpu_cores": 0.5, "memory_gb": 1.0, "bandwidth_mbps": 20.0, "storage_gb": 50.0}
"""What a host keeps for itself, when it is large enough for that."""

PURPOSE: dict[str, str] = {
    "storj": "Storj: earns with the disk space that fills",
    "golem": "Golem: earns with the processor time it sells",
    "streamr": "Streamr: earns by its stake; its load is small and has to be protected",
    "grass": "Grass: earns points with the residential address; points are not money",
}


class HostFacts(Value):
    """What the new file says of the host: measured here, or that of the emulated world.

    `emulated_tables` are `[host]` and `[prices]` of that world; `data_dir` is where the operator wants the data.
    """

    measured: Resources
    emulated_tables: dict[str, Any] | None = None
    prices_url: str | None = None
    data_dir: str | None = None


class Draft(Value):
    """The tables to add; `named` gives the name of every proposed node, new or known before."""

    sections: tuple[Section, ...]
    named: tuple[tuple[str, Proposed], ...]
    added: tuple[str, ...]


def draft(proposal: Proposal, tables: Mapping[str, Any], facts: HostFacts, *, careful: bool = False) -> Draft:
    """What is new.

    Args:
        proposal: The nodes that should be there.
        tables: The configuration as it is; empty for a new file.
        facts: What is known of the host.
        careful: Leave out minima and the reserve, where the host is too small for them.
    """
    nodes = tables.get("nodes", {})
    known: Mapping[str, Any] = nodes if isinstance(nodes, dict) else {}
    taken, named, added = set(known), [], []
    for each in proposal.nodes:
        twin = twin_of(each, {name: table for name, table in known.items() if isinstance(table, dict)})
        name = twin or _free(each.name, taken)
        taken.add(name)
        named.append((name, each))
        if twin is None:
            added.append((name, each))
    sections: list[Section] = []
    if not tables:
        sections += _whole(proposal, facts, careful=careful)
    if added and facts.prices_url is not None and "prices" not in tables:
        sections.append(_prices(facts))
    sections += [_node(name, each, careful=careful) for name, each in added]
    return Draft(sections=tuple(sections), named=tuple(named), added=tuple(name for name, _ in added))


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    base = name.partition("-")[0]
    return next(each for number in range(2, 10_000) if (each := f"{base}-{number}") not in taken)


def _whole(proposal: Proposal, facts: HostFacts, *, careful: bool) -> Iterator[Section]:
    """The tables of a new file besides its nodes."""
    ladder = "observe | suggest | approve | auto: a ceiling for every lever"
    orch = [Setting(name="mode", value="suggest", comment=ladder)]
    if facts.data_dir is not None:
        orch.append(Setting(name="data_dir", value=facts.data_dir))
    elif facts.emulated_tables is None:
        orch.append(Setting(name="data_dir", value="~/.local/share/orch", off=True))
    else:
        apart = "emulated and real data never share a directory"
        orch.append(Setting(name="data_dir", value="~/.local/share/orch-emulated", comment=apart))
    yield Section(path=("orch",), settings=tuple(orch))
    if facts.emulated_tables is not None:
        host = tuple(Setting(name=name, value=value) for name, value in facts.emulated_tables["host"].items())
        yield Section(path=("host",), settings=host, above=("The emulated host, not this machine.",))
    else:
        yield _host(proposal, facts, careful=careful)
    yield Section(
        path=("costs",),
        settings=(
            Setting(name="usd_per_kwh", value=0.30, comment="what electricity costs you", off=True),
            Setting(name="watts_idle", value=25, comment="what the host draws in any case", off=True),
            Setting(name="watts_per_core", value=8, comment="and for each busy core", off=True),
        ),
        above=("Without these, income is stated gross and net stays unknown.",),
    )


def _host(proposal: Proposal, facts: HostFacts, *, careful: bool) -> Section:
    measured = ", ".join(f"{name} {amount:.4g}" for name, amount in facts.measured.known())
    settings = [
        Setting(name="bandwidth_mbps", value=500, comment="your line: it cannot be measured by looking", off=True)
    ]
    given = sum(each.allocated_gb or 0.0 for each in proposal.nodes)
    here = facts.measured.storage_gb
    kept = 0.0 if careful else RESERVE["storage_gb"]
    if given and (here is None or given + kept > here):
        why = "the disks of your nodes lie elsewhere: what they were given, correct it"
        settings.append(Setting(name="storage_gb", value=math.ceil(given + kept), comment=why))
    settings.append(Setting(name="reserve", value=RESERVE, comment="the host's own", off=careful))
    above = (f"What is not set is measured (now {measured}).",) if measured else ()
    return Section(path=("host",), settings=tuple(settings), above=above)


def _prices(facts: HostFacts) -> Section:
    table = (
        {"coingecko_url": facts.prices_url} if facts.emulated_tables is None else facts.emulated_tables["prices"]
    )
    settings = tuple(Setting(name=name, value=value) for name, value in table.items())
    return Section(path=("prices",), settings=settings)


def _node(name: str, node: Proposed, *, careful: bool) -> Section:
    minimum = {resource: amount for resource, amount in node.minimum if resource in RESOURCES}
    floor = [Setting(name="min", value=minimum, comment="never less", off=careful)] if minimum else []
    return Section(
        path=("nodes", name),
        above=(PURPOSE[node.protocol], *(f"Found: {how}" for how in node.how)),
        settings=(
            Setting(name="protocol", value=node.protocol),
            *(Setting(name=key.name, value=key.value, comment=key.comment) for key in node.keys),
            *floor,
        ),
    )
