"""The money at the top of the board: net of a day first, with its age and one word of trust. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from orch.cli.words import UNKNOWN, age, also, earned_in_words, earned_sum, interval, usd, usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from orch.model.board import Dashboard
    from orch.model.money import Rate

STALE_AFTER_S = 7200.0


def trust(rate: Rate, board: Dashboard) -> tuple[str, str]:
    """How far a rate is to be trusted, in a word, and the word's style."""
    stopped = not board.engine.running or any(each.code == "PRICE_STALE" for each in board.blockers)
    if stopped or rate.age_s > STALE_AFTER_S:
        return "stale", "bold red"
    return (rate.evidence, "yellow") if rate.evidence in ("estimated", "speculative") else ("fresh", "green")


def income(board: Dashboard) -> Iterator[RenderableType]:
    """What is left of a day, how far to trust it, whom it leaves out, what was earned so far."""
    total = board.total
    rate = total.usd_per_hour
    left_out = f"leaves out {', '.join(total.leaves_out)}: income not known" if total.leaves_out else ""
    if rate is None:
        yield Text.assemble((f"{UNKNOWN} USD a day", "bold"), ("  not known yet", "dim"))
    else:
        yield _a_day(rate, board)
        yield Text(
            f"{usd_per_hour(rate.mean)} USD/h{also(rate.mean, board.display, '/h')} gross, {rate.evidence}, "
            f"90 % {interval(rate)}"
        )
    if left_out:
        yield Text(left_out, style="yellow")
    if len(total.by_protocol) < sum(node.usd_per_hour is not None for node in board.nodes):
        shares = (f"{name} {usd_per_hour(each.mean)}" for name, each in sorted(total.by_protocol.items()))
        yield Text(f"by protocol: {' · '.join(shares)}", style="dim")
    whole = also(earned_sum(total.earned_usd), board.display)
    yield Text(f"earned so far: {earned_in_words(total.earned_usd)}{whole}")
    if board.display is not None:
        yield Text(
            board.display.sentence, style="yellow" if board.display.state in ("stale", "unknown") else "dim"
        )


def _a_day(rate: Rate, board: Dashboard) -> Text:
    """The figure that counts: what is left of a day's income after its costs."""
    net = None if rate.net_mean is None else rate.net_mean * 24
    line = Text(f"{usd(net)} USD{also(net, board.display)} net a day", style="bold")
    if net is None or rate.net_note:
        line.append(f" ({rate.net_note or 'running costs not known'})", style="not bold")
    line.append(" · ").append(f"{usd(rate.mean * 24)} gross", style="not bold dim").append(" · ")
    word, style = trust(rate, board)
    return line.append(word, style=style).append(f", {age(rate.age_s)}", style="not bold dim")
