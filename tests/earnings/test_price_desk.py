"""When each source is asked, and what every kind of failure does to the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from orch.earnings.names import NAMES
from orch.earnings.price_desk import PriceDesk, PriceTerms
from orch.earnings.prices import to_bytes
from orch.model.money import Price
from orch.model.wire import NoReply, Reply

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class World:
    """Five sources that can be told what to answer; a desk that asks them as the actor would."""

    def __init__(self, sources=("coingecko", "binance", "bybit"), tokens=("GLM",), **terms) -> None:
        self.now = START
        self.usd = {"GLM": "0.23", "DATA": "0.03", "USDT": "1"}
        self.instead = {}
        self.asked = []
        urls = {name: f"https://{name}.example" for name in sources}
        self.desk = PriceDesk(PriceTerms(tokens=tokens, names=NAMES, urls=urls, **terms))
        self.failures = ()

    def round(self):
        """Ask what is due, answer it all, settle; the prices by token."""
        for question in self.desk.ask(self.now):
            self.asked.append((self.now, question.key))
            answer = self.instead.get(question.key, self.instead.get(question.source)) or self.good(question)
            self.desk.answered(question.key, answer, self.now)
        prices, self.failures = self.desk.settle(self.now)
        return {each.token: each for each in prices}

    def play(self, seconds: float):
        """All rounds of a time."""
        end, prices = self.now + timedelta(seconds=seconds), self.round()
        while (when := self.desk.next_at(self.now)) <= end:
            self.now = when
            prices = self.round()
        self.now = end
        return prices

    def times(self, key: str):
        """Seconds between one question and the next."""
        when = [at for at, asked in self.asked if asked == key]
        return [(b - a).total_seconds() for a, b in pairwise(when)]

    def good(self, question):
        seconds, millis = self.now.timestamp(), int(self.now.timestamp() * 1000)
        token = question.tokens[0]
        usd = self.usd[token]
        if question.source == "coingecko":
            ids = {NAMES[each].coingecko: each for each in question.tokens}
            return self.reply(
                {coin: {"usd": float(self.usd[each]), "last_updated_at": seconds} for coin, each in ids.items()}
            )
        pair = getattr(NAMES[token], question.source)
        if question.source == "binance":
            return self.reply({"symbol": pair, "lastPrice": usd, "closeTime": millis})
        if question.source == "coinbase":
            return self.reply({"price": usd, "time": self.now.isoformat()})
        return self.reply({"retCode": 0, "result": {"list": [{"symbol": pair, "lastPrice": usd}]}, "time": millis})

    def reply(self, body):
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return Reply(status=200, headers=(), body=raw, received_at=self.now, elapsed_s=0.1)

    def none(self, reason, status=None, body=b"", retry_after_s=None):
        return NoReply(
            reason=reason,
            sentence=f"no answer: {reason}",
            retryable=True,
            failed_at=self.now,
            elapsed_s=0.1,
            status=status,
            body=body,
            retry_after_s=retry_after_s,
        )


def test_all_sources_together_make_one_agreed_price():
    price = World().round()["GLM"]
    assert (price.usd, price.agreement, price.source) == (Decimal("0.23"), "agreed", "binance+bybit+coingecko")


def test_nothing_is_settled_before_every_answer_has_come():
    world = World()
    questions = world.desk.ask(world.now)
    assert {each.key for each in questions} == {"coingecko", "binance/GLM", "bybit/GLM"}
    for question in questions:
        assert world.desk.is_listening
        world.desk.answered(question.key, world.good(question), world.now)
    assert not world.desk.is_listening


def test_an_answer_that_nobody_asked_for_is_nobodys():
    world = World()
    world.desk.answered("binance/GLM", world.reply({"symbol": "GLMUSDT"}), world.now)
    assert world.desk.settle(world.now) == ((), ())


def test_one_cycle_is_five_minutes_and_a_little():
    world = World()
    world.play(3600)
    assert all(300 <= gap <= 316 for gap in world.times("coingecko"))
    assert len(world.times("coingecko")) == 11


# -- each row of the failure tables ------------------------------------------------------------------------

CLOUDFLARE = b"<html>error code: 1015</html>"
RATE_LIMIT = b'{"status":{"error_code":429,"error_message":"You have exceeded the Rate Limit."}}'


@pytest.mark.parametrize("body", [RATE_LIMIT, CLOUDFLARE, b"1015", b""])
def test_429_with_json_html_or_text_waits_as_long_as_it_asks(body):
    world = World()
    world.instead["coingecko"] = world.none("rate_limited", 429, body, retry_after_s=1190)
    price = world.round()["GLM"]
    assert (price.agreement, price.source) == ("agreed", "binance+bybit")
    assert [(each.endpoint, each.reason, each.retry_after_s) for each in world.failures] == [
        ("coingecko", "rate_limited", 1190)
    ]
    world.instead.clear()
    world.play(1400)
    assert world.times("coingecko") == [1190]
    assert len(world.times("bybit/GLM")) == 4


@pytest.mark.parametrize(("status", "reason"), [(403, "unauthorised"), (418, "http_status"), (451, "http_status")])
def test_who_bans_us_is_left_alone_for_half_an_hour(status, reason):
    world = World()
    world.instead["binance"] = world.none(reason, status, b"<html>restricted location</html>")
    assert world.play(3700)["GLM"].source == "bybit+coingecko"
    assert world.times("binance/GLM") == [1800, 1800]


@pytest.mark.parametrize("reason", ["timeout", "unreachable", "refused", "content_type", "too_large", "redirect"])
def test_a_source_that_does_not_answer_is_asked_less_and_less_often(reason):
    world = World()
    world.instead["coingecko"] = world.none(reason)
    assert world.play(3 * 3600)["GLM"].source == "binance+bybit"
    assert world.times("coingecko") == [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800, 1800]


def test_a_server_error_says_what_it_is():
    world = World(sources=("coingecko",))
    world.instead["coingecko"] = world.none("http_status", 500, b"oops")
    assert world.round() == {}
    assert world.failures[0].reason == "http_status"


def test_a_broken_source_is_asked_one_question_until_it_answers_again():
    world = World(sources=("binance",), tokens=("GLM", "DATA"))
    world.instead["binance"] = world.none("timeout")
    world.play(600)
    assert [key for _, key in world.asked if key == "binance/DATA"] == ["binance/DATA"] * 5
    assert len(world.times("binance/GLM")) == 5
    world.instead.clear()
    world.play(900)
    assert world.asked[-1][1] == "binance/DATA"


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [("binance", 400, b'{"code":-1121,"msg":"Invalid symbol."}'), ("coinbase", 404, b'{"message":"NotFound"}')],
)
def test_one_delisted_pair_is_set_aside_for_a_day_and_the_others_go_on(source, status, body):
    tokens = ("GLM", "STORJ")
    world = World(sources=("coingecko", source), tokens=tokens)
    world.usd["STORJ"] = "0.17"
    world.instead[f"{source}/GLM"] = world.none("http_status", status, body)
    prices = world.play(3600)
    assert prices["GLM"].agreement == "single_source"
    assert prices["STORJ"].agreement == "agreed"
    assert len([1 for _, key in world.asked if key == f"{source}/GLM"]) == 1
    assert len(world.times(f"{source}/STORJ")) == 11
    world.play(24 * 3600)
    assert len([1 for _, key in world.asked if key == f"{source}/GLM"]) == 2


def test_bybit_s_200_with_an_error_is_a_delisted_pair():
    world = World()
    body = {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}, "time": 1}
    world.instead["bybit"] = world.reply(body)
    assert world.round()["GLM"].source == "binance+coingecko"
    assert [(each.endpoint, each.reason) for each in world.failures] == [("bybit/GLM", "unlisted")]


def test_bybit_s_200_that_asks_for_patience_is_a_rate_limit():
    world = World()
    world.instead["bybit"] = world.reply({"retCode": 10006, "retMsg": "Too many visits!", "result": {}})
    world.play(60)
    assert world.times("bybit/GLM") == [15, 30]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_html_with_200_is_no_price_and_the_source_is_doubted(body):
    world = World()
    world.instead["binance"] = world.reply(body)
    assert world.round()["GLM"].source == "bybit+coingecko"
    assert [(each.endpoint, each.reason) for each in world.failures] == [("binance/GLM", "shape")]
    world.play(50)
    assert world.times("binance/GLM") == [15, 30]


def test_a_missing_id_is_unknown_and_told_once():
    world = World(sources=("coingecko",))
    world.instead["coingecko"] = world.reply({})
    assert world.round() == {}
    assert [(each.endpoint, each.reason) for each in world.failures] == [("coingecko/GLM", "unlisted")]
    world.now += timedelta(seconds=320)
    assert (world.round(), world.failures) == ({}, ())


def test_a_stale_timestamp_is_no_price_and_the_last_one_stands_and_grows_old():
    world = World(sources=("coingecko",))
    first = world.round()["GLM"]
    stuck = {"golem": {"usd": 0.5, "last_updated_at": START.timestamp() - 3600}}
    world.instead["coingecko"] = world.reply(stuck)
    assert world.play(3600)["GLM"] == first


def test_an_older_answer_does_not_replace_a_newer_one():
    world = World(sources=("coingecko",))
    first = world.round()["GLM"]
    world.instead["coingecko"] = world.reply({"golem": {"usd": 0.2, "last_updated_at": START.timestamp() - 100}})
    assert world.play(330)["GLM"] == first


@pytest.mark.parametrize("usd", ["0", "-1", "NaN", "Infinity"])
def test_an_impossible_price_of_one_source_leaves_the_word_to_the_others(usd):
    world = World()
    body = {"symbol": "GLMUSDT", "lastPrice": usd, "closeTime": int(START.timestamp() * 1000)}
    world.instead["binance"] = world.reply(body)
    price = world.round()["GLM"]
    assert (price.usd, price.source) == (Decimal("0.23"), "bybit+coingecko")
    assert world.failures[0].reason == "absurd"


def test_a_stablecoin_off_its_peg_drops_its_pairs_and_says_so_once():
    world = World(sources=("coingecko", "binance", "bybit"))
    world.usd["USDT"] = "0.9"
    price = world.round()["GLM"]
    assert (price.source, price.agreement) == ("coingecko", "single_source")
    assert ["USDT is more than 2 %" in each.sentence for each in world.failures] == [True]
    assert set(world.desk.accepted) == {price}
    world.now += timedelta(seconds=320)
    world.round()
    assert world.failures == ()


def test_without_a_pair_against_it_nobody_asks_for_a_stablecoin():
    world = World(sources=("coinbase",))
    world.round()
    assert [key for _, key in world.asked] == ["coinbase/GLM"]


def test_a_jump_of_the_only_source_takes_three_cycles():
    world = World(sources=("coingecko",))
    world.round()
    world.usd["GLM"] = "0.6"
    seen = []
    for _ in range(3):
        price = world.play(320)["GLM"]
        seen.append((float(price.usd), price.agreement))
    assert seen == [(0.23, "held"), (0.23, "held"), (0.6, "single_source")]


def test_a_jump_on_which_two_families_agree_counts_at_once():
    world = World()
    world.round()
    world.usd["GLM"] = "0.6"
    assert world.play(320)["GLM"].usd == Decimal("0.6")


# -- pins and restarts -------------------------------------------------------------------------------------


def test_pinned_prices_ask_nobody():
    world = World(overrides={"GLM": Decimal("0.2")})
    price = world.play(1000)["GLM"]
    assert (price.usd, price.source, price.agreement) == (Decimal("0.2"), "override", "pinned")
    assert world.asked == []


def kept(age_h: float) -> bytes:
    seen = START - timedelta(hours=age_h)
    price = Price(token="GLM", usd=Decimal(1), source="bybit", observed_at=seen, fetched_at=seen)
    return to_bytes([price])


def test_a_restart_knows_the_last_prices_and_guards_against_jumps_from_them():
    world = World(sources=("coingecko",))
    world.desk.restore(kept(2), START)
    assert [float(each.usd) for each in world.desk.accepted] == [1.0]
    assert world.round()["GLM"].agreement == "held"


def test_after_a_day_nothing_is_known_that_a_price_could_jump_from():
    world = World(sources=("coingecko",))
    world.desk.restore(kept(25), START)
    assert world.round()["GLM"].agreement == "single_source"
