"""What every stream of income amounts to in truth: the networks' own books, read out of a world's state."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from orch.emulator import storj, storj_money
from orch.emulator.facts import MINUTE
from orch.emulator.grass import epoch_name
from orch.model.base import Value
from orch.model.money import Amounts

if TYPE_CHECKING:
    from orch.emulator.facts import NodeName
    from orch.emulator.world import World


class Truth(Value):
    """What one stream of income amounts to in truth, by the evidence its network gives; penalties apart."""

    unit: str
    amounts: Amounts
    penalty: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """The whole amount, penalties not taken off."""
        return self.amounts.total


def books_of(world: World) -> dict[tuple[NodeName, str], Truth]:
    """The exact amount of every stream in the networks' own books at the world's time, in its native unit.

    Work that no debit note has counted yet and the points of a running epoch (0 until it ends) are in none.

    Keys: `satellite:YYYY-MM` (USD, gross), agreement id (GLM, less what was written off), the operator's
    address (DATA, gross of the protocol's fee) and the epoch's name (GRASS_POINTS).
    """
    state = world.state
    streams: dict[tuple[NodeName, str], Truth] = {}
    for index, satellite in enumerate(state.storj.satellites):
        identity = storj.SATELLITES[index][0]
        for month, amounts in storj_money.truth(world.storj, index, satellite, state.minute).items():
            streams["disk", f"{identity}:{month}"] = Truth(unit="USD", amounts=amounts)
    for agreement in state.golem.agreements:
        due, paid = agreement.due_at(state.minute), agreement.paid_at(state.minute)
        owed = 0 if agreement.status_at(state.minute) == "REJECTED" else due - paid
        amounts = Amounts(settled=_whole(paid), accrued=_whole(owed))
        streams["compute", agreement.id] = Truth(unit="GLM", amounts=amounts)
    outstanding = sum(world.streamr.outstanding(state.streamr.pieces[-1], state.minute * MINUTE))
    streams["relay", world.streamr.operator] = Truth(
        unit="DATA",
        amounts=Amounts(settled=_whole(state.streamr.realised), accrued=_whole(outstanding)),
        penalty=_whole(state.streamr.penalty),
    )
    *ended, current = state.grass.epochs
    points = {epoch.month: world.grass.points(epoch) for epoch in ended} | {current.month: Decimal(0)}
    for month, amount in points.items():
        amounts = Amounts(speculative=amount)
        streams["address", epoch_name(month)] = Truth(unit="GRASS_POINTS", amounts=amounts)
    return streams


def _whole(atoms: int) -> Decimal:
    """Wei or atto-GLM as a whole unit's exact decimal."""
    return Decimal(atoms).scaleb(-18)
