"""Decoding is strict: a typed value or one of two errors, each naming its endpoint."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.base import Value
from orch.model.wire import Reply
from orch.protocols.decode import decode, decode_or_none, instant, money, natural, not_future, within

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)


class Body(Value):
    name: str
    bytes_used: int
    amount: Decimal
    note: str | None = None


GOOD = b'{"name":"a","bytes_used":3,"amount":0.1234567890123456789012345,"new_key":[1]}'


def reply(body: bytes, content_type: str | None = "application/json; charset=utf-8") -> Reply:
    headers = (("content-type", content_type),) if content_type else ()
    return Reply(status=200, headers=headers, body=body, received_at=NOW, elapsed_s=0.01)


def test_money_keeps_every_digit_and_unknown_keys_are_allowed():
    body = decode(reply(GOOD), Body, "x")
    assert body.amount == Decimal("0.1234567890123456789012345")
    assert body.note is None


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (GOOD, "text/html", "content type"),
        (GOOD, None, "content type"),
        (b"", "application/json", "empty body"),
        (b"  \n", "application/json", "empty body"),
        (GOOD[:-9], "application/json", "not JSON"),
        (b"<html>", "application/json", "<html>"),
        (b'{"z":' + b"[" * 200_000, "application/json", "not JSON"),
        (b'{"name":"\xff\xfe"}', "application/json", "x:"),
        (b"null", "application/json", "x:"),
        (b'{"name":"a","bytes_used":3}', "application/json", "amount"),
        (b'{"name":"a","bytes_used":"3","amount":1}', "application/json", "bytes_used"),
        (b'{"name":"a","bytes_used":3.5,"amount":1}', "application/json", "bytes_used"),
        (b'{"name":null,"bytes_used":3,"amount":1}', "application/json", "name"),
        (b'{"name":"a","bytes_used":3,"amount":true}', "application/json", "amount"),
    ],
)
def test_another_shape_is_refused_with_the_endpoint_and_what_was_found(body, content_type, words):
    with pytest.raises(ShapeError, match=r"^x: ") as caught:
        decode(reply(body, content_type), Body, "x")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_bare_nan_and_infinity_are_absurd(constant):
    body = f'{{"name":"a","bytes_used":3,"amount":{constant}}}'.encode()
    with pytest.raises(AbsurdError, match=f"x: the answer holds {constant}"):
        decode(reply(body), Body, "x")


def test_a_file_has_no_content_type():
    assert decode(reply(GOOD, None), Body, "x", content_type=None).name == "a"


def test_null_is_none_only_where_it_is_allowed():
    assert decode_or_none(reply(b" null\n"), list[Body], "x") is None
    assert decode_or_none(reply(b"[]"), list[Body], "x") == []
    with pytest.raises(ShapeError, match="content type"):
        decode_or_none(reply(b"null", "text/html"), list[Body], "x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-15T13:58:41.220118734+01:00", datetime(2026, 11, 15, 12, 58, 41, 220118, tzinfo=UTC)),
        ("2026-11-15T13:58:41.5Z", datetime(2026, 11, 15, 13, 58, 41, 500000, tzinfo=UTC)),
        ("2026-11-15T13:58:41Z", datetime(2026, 11, 15, 13, 58, 41, tzinfo=UTC)),
        ("2026-10-01", datetime(2026, 10, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("", None),
        (None, None),
    ],
)
def test_times_of_go_are_utc_and_the_zero_time_is_none(text, expected):
    assert instant(text, "x.t") == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "2026-11-15T25:00:00Z"])
def test_what_is_no_time_is_a_shape_error(text):
    with pytest.raises(ShapeError, match=r"x\.t"):
        instant(text, "x.t")


@pytest.mark.parametrize("text", ["0002-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1969-01-01T00:00:00Z"])
def test_impossible_times_are_absurd(text):
    with pytest.raises(AbsurdError, match=r"x\.t"):
        instant(text, "x.t")


def test_the_future_is_refused_beyond_the_slack():
    assert not_future(NOW + timedelta(hours=1), NOW, "x") == NOW + timedelta(hours=1)
    assert not_future(None, NOW, "x") is None
    with pytest.raises(AbsurdError, match="future"):
        not_future(NOW + timedelta(days=2), NOW, "x")


@pytest.mark.parametrize(
    "value",
    [-1, -0.5, float("nan"), float("inf"), 2e18, 10**400, Decimal("NaN"), Decimal("1e999999"), Decimal(-1)],
)
def test_absurd_numbers_are_refused(value):
    with pytest.raises(AbsurdError, match=r"x\.n"):
        natural(value, "x.n")


@pytest.mark.parametrize("value", [0, 3, 1.5, Decimal("2.5"), 10**18])
def test_sensible_numbers_pass_unchanged(value):
    assert natural(value, "x.n") is value


def test_a_range_includes_its_ends():
    assert within(0.0, "x", 0, 1) == 0.0
    assert within(1.0, "x", 0, 1) == 1.0
    with pytest.raises(AbsurdError):
        within(1.01, "x", 0, 1)


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "1e16", "sNaN"])
def test_absurd_money_is_refused(text):
    with pytest.raises(AbsurdError):
        money(Decimal(text), "x")


def test_signed_money_may_be_negative():
    assert money(Decimal("-1.5"), "x", signed=True) == Decimal("-1.5")


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_give_a_protocol_error(body):
    with pytest.raises(ProtocolError, match=r"^x: "):
        decode(reply(body), Body, "x")
