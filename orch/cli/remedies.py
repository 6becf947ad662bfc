"""What to do about a question that a node does not answer, and about its health, as tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orch.cli.findings import Result
    from orch.model.readings import Failure, Reason

GENERAL: dict[Reason, str] = {
    "refused": "start the node, or correct its url: nobody listens there",
    "timeout": "see whether the node hangs, and whether the url is the right one",
    "unreachable": "correct the url, or the way there",
    "http_status": "see the node's own log: it refuses to answer this",
    "unauthorised": "give orch a valid key or token for this node",
    "rate_limited": "wait: the other side wants to be asked less often",
    "content_type": "correct the url: something else than the node answers there",
    "too_large": "correct the url: no node answers with so much",
    "redirect": "give the address itself: orch does not follow to other hosts",
    "malformed": "see what answers there: it is not what the node says",
    "shape": "update orch, or the node: its answer has another shape",
    "absurd": "see the node's own log: its figures cannot be",
    "missing_file": "correct the path, or let the node write the file first",
    "permission": "let the user that runs orch read it",
    "conflict": "leave it alone for a moment: something else changes it",
    "failed": "see what it says of itself, and run it by hand",
}

KEY = "as the node's user run `yagna app-key create orch` and give orch what it prints, by app_key = "
APP_KEY = f"{KEY}{{ env = ... }} or {{ file = ... }}"
PROVIDER = "set provider_dir to ya-provider's data directory (~/.local/share/ya-provider of the node's user)"
PLUGIN = 'add "info": {} under "plugins" of the node\'s configuration and restart it, or remove info_url'
OWN_RPC = "take an RPC endpoint of your own for rpc_url: public ones are limited, and come and go"
TOKEN = "log in to the dashboard in a browser and give orch the new accessToken from its local storage"  # noqa: S105 - no secret
EVERY = "*"

SPECIAL: dict[tuple[str, str, Reason], str] = {
    ("storj", EVERY, "refused"): "start the node, or correct its url; in Docker publish its console with "
    "-p 127.0.0.1:14002:14002",
    (
        "storj",
        "sno",
        "timeout",
    ): "a node that scans its disk may be silent for minutes: try again, then see its log",
    ("storj", "sno", "content_type"): "correct the url: it is not that of a storage node's console (port 14002)",
    ("storj", "disk", "absurd"): "correct storage_path: it is no directory of this host, or leave it out",
    ("storj", "log", "missing_file"): "correct log_path (the node's log.output), or leave it out",
    ("golem", EVERY, "refused"): "start yagna (golemsp run, or its service), or correct the url (port 7465)",
    ("golem", EVERY, "unauthorised"): APP_KEY,
    ("golem", "hardware", "refused"): PROVIDER,
    ("golem", "presets", "refused"): PROVIDER,
    ("golem", "hardware", "missing_file"): PROVIDER,
    ("golem", "presets", "missing_file"): PROVIDER,
    ("golem", "hardware", "permission"): "let the user that runs orch read ya-provider's directory and its files",
    ("golem", "presets", "permission"): "let the user that runs orch read ya-provider's directory and its files",
    ("streamr", "info", "unauthorised"): "set info_key to one of the keys in the node's apiAuthentication",
    ("streamr", "fleet", "refused"): "enable the node's websocket plugin, or correct websocket_url (port 7170)",
    ("streamr", "fleet", "unauthorised"): "set websocket_key to one of the keys in the node's apiAuthentication",
    ("streamr", "fleet", "unreachable"): "correct websocket_url, or the way there",
    ("streamr", "fleet", "timeout"): "see whether the node hangs, and whether websocket_url is the right one",
    ("streamr", "fleet", "malformed"): "correct websocket_url: what answers there is no websocket plugin",
    ("streamr", EVERY, "refused"): "correct rpc_url: nobody listens there",
    ("streamr", EVERY, "timeout"): OWN_RPC,
    ("streamr", EVERY, "unreachable"): "correct rpc_url, or the way there",
    ("streamr", EVERY, "rate_limited"): OWN_RPC,
    ("streamr", EVERY, "unauthorised"): "correct rpc_url: its provider refuses the key in it",
    ("streamr", EVERY, "content_type"): "correct rpc_url: what answers there is no JSON-RPC endpoint",
    ("grass", EVERY, "refused"): "correct the url, or leave it out: the dashboard's own is known",
    ("grass", EVERY, "unauthorised"): TOKEN,
    ("grass", EVERY, "rate_limited"): f"wait some hours; if it lasts a day the token has expired: {TOKEN}",
}

PLUGIN_OFF: frozenset[Reason] = frozenset({"refused", "http_status", "content_type"})
"""How a Streamr node without its `info` plugin answers: no port is open, or another plugin's server knows no such
page."""

HEALTH = (
    ("streamr", "publishes heartbeats", "see whether a node of the operator runs, and its log"),
    ("streamr", "behind the chain", f"its figures are old: {OWN_RPC}"),
    (
        "streamr",
        "serves chain",
        "set rpc_url to an endpoint of the chain the operator contract is on, or chain_id",
    ),
    ("streamr", "flag is open", "make sure that a node of the operator runs, is reachable and sends heartbeats"),
    ("golem", "no relay session", "check the host's internet connection and outgoing UDP"),
    ("golem", "no offer", "see ya-provider's log; deactivating and activating the preset publishes it anew"),
    ("grass", "no token", TOKEN),
    ("grass", "no device", "start the Grass node, and log in there with the same account"),
    ("storj", "no satellite and no customer", "see whether its port (28967) can be reached from the internet"),
)

GRAVE = frozenset(
    {
        "secret_missing",
        "app_key_refused",
        "wrong_chain",
        "grass_token_missing",
        "grass_token_unusable",
        "grass_token_refused",
        "grass_token_expired",
    }
)
"""Findings that leave a node unmeasured: problems, however mildly they are put elsewhere."""


class Told(NamedTuple):
    """How a failure is told."""

    result: Result
    sentence: str
    remedy: str


def told(protocol: str, group: str, failure: Failure) -> Told:
    """The failure of a kind of question: how grave it is, in words, and what to do."""
    if (protocol, group) == ("streamr", "info") and failure.reason in PLUGIN_OFF:
        sentence = f"local diagnostics off, the info plugin does not answer ({failure.sentence})"
        return Told("warning", sentence, PLUGIN)
    remedy = SPECIAL.get((protocol, group, failure.reason)) or SPECIAL.get((protocol, EVERY, failure.reason))
    return Told("failed", failure.sentence, remedy or GENERAL[failure.reason])


def health_remedy(protocol: str, reason: str, *, failures: bool) -> str:
    """What to do about a node that is not well."""
    known = next((remedy for name, words, remedy in HEALTH if name == protocol and words in reason), None)
    return known or ("see the lines below" if failures else "see the node's own log")
