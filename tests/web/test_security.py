"""Whom the interface listens to, and what it tells: a table of attacks."""

from __future__ import annotations

import dataclasses
import hmac
import itertools
import stat
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from litestar.testing import TestClient

from orch.config.load import from_tables
from orch.config.redact import redact
from orch.errors import EngineError
from orch.messages import RollBackReallocation
from orch.system.paths import web_token
from orch.web.app import create_app
from orch.web.server import WebServer
from orch.web.sessions import SESSION_S, Sessions
from orch.web.shield import LARGEST_BODY, is_loopback
from tests.fakes.web import HERE, TOKEN, error_of

ORDER = "/api/v1/reallocations/r1/rollback"
OWN = {"Origin": HERE}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
TOLD = ("reallocation", RollBackReallocation(reallocation_id="r1"))


@pytest.fixture
def client(backend, shared_client):
    backend.tell.clear()
    shared_client.cookies.clear()
    return shared_client


# -- names (DNS rebinding) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8787",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8787",
        "127.0.0.1:8787@evil.example",
        "127.0.0.1:evil",
        "[::1]evil",
        "[::1",
        "192.168.1.5:8787",
        "0.0.0.0:8787",
        "",
    ],
)
def test_under_a_foreign_name_nothing_is_answered(client, host):
    for path in ("/api/v1/dashboard", "/api/v1/health", "/", "/nowhere", "/metrics"):
        assert error_of(client.get(path, headers={"Host": host})) == (403, "forbidden"), path


@pytest.mark.parametrize("host", ["127.0.0.1:8787", "127.0.0.1", "localhost:8787", "LOCALHOST", "[::1]:8787"])
def test_under_its_own_names_it_is(client, host):
    assert client.get("/api/v1/health", headers={"Host": host}).status_code == 200


def test_beyond_loopback_it_answers_to_addresses_its_own_name_and_those_it_was_given(backend):
    open_to_all = dataclasses.replace(backend, open_reads=False, names=("orch.example",))
    with TestClient(create_app(open_to_all, bind="0.0.0.0"), base_url=HERE) as client:
        answers = {
            host: client.get("/api/v1/health", headers={"Host": host}).status_code
            for host in (
                "192.168.1.5:8787",
                "[2001:db8::1]:8787",
                "orch.example",
                "ORCH.example:443",
                "evil.example",
            )
        }
    assert list(answers.values()) == [200, 200, 200, 200, 403]


# -- foreign pages (CSRF) --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example:8787",
        "null",
        "http://127.0.0.1:8788",
        "http://localhost:8787",
        "http://127.0.0.1:8787.evil.example",
        "127.0.0.1:8787",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_foreign_pages_are_told_nothing_and_order_nothing(client, backend, origin, method):
    response = client.request(method, ORDER, headers=BEARER | {"Origin": origin})
    assert error_of(response) == (403, "forbidden")
    assert backend.tell == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
    ],
)
def test_what_browsers_say_of_a_request_is_heard(client, headers, status):
    assert client.get("/api/v1/health", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
        ("application/json; charset=utf-8", 202),
    ],
)
def test_a_form_is_no_order(client, kind, status):
    response = client.post(ORDER, headers=BEARER | {"Content-Type": kind}, content=b"{}")
    assert response.status_code == status


# -- the token and the session ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN.upper()}"},
        {"Authorization": "Bearer \u00fc".encode("latin-1").decode("latin-1")},
        {"Cookie": f"orch_session_8787={TOKEN}", **OWN},
        {"Cookie": "orch_session_8787=", **OWN},
        {"Cookie": "orch_session_8787=9999999999.x.y", **OWN},
        {"Cookie": "orch_session_8787=..", **OWN},
    ],
)
def test_an_order_without_the_token_is_refused(client, backend, headers):
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    response = client.post(ORDER, headers=raw)
    assert error_of(response) == (401, "unauthorised")
    assert response.headers["www-authenticate"] == "Bearer"
    assert backend.tell == []


def log_in(client, token: str = TOKEN, **headers):
    return client.post("/api/v1/login", json={"token": token}, headers=OWN | headers)


def test_a_browser_logs_in_once_gives_orders_and_logs_out(client, backend):
    response = log_in(client)
    assert response.json() == {"may_order": True, "reads_need_token": False}
    cookie = response.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SESSION_S}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert TOKEN not in str(response.headers) + response.text
    assert client.get("/api/v1/session").json()["may_order"] is True
    assert client.post(ORDER, headers=OWN).status_code == 202
    assert backend.tell == [TOLD]
    kept = client.cookies.get("orch_session_8787")
    assert client.post("/api/v1/logout", headers=OWN).json()["may_order"] is False
    assert client.cookies.get("orch_session_8787") is None
    again = client.post(ORDER, headers=OWN | {"Cookie": f"orch_session_8787={kept}"})
    assert error_of(again) == (401, "unauthorised")


def test_a_session_without_the_page_it_comes_from_gives_no_orders(client, backend):
    log_in(client)
    assert error_of(client.post(ORDER)) == (403, "forbidden")
    assert backend.tell == []


def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_only(client):
    assert "Secure" in log_in(client, **{"X-Forwarded-Proto": "https"}).headers["set-cookie"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"token":"wrong"}', 401),
        (b'{"token":""}', 401),
        (b'{"token":null}', 400),
        (b"{}", 400),
        (b"[]", 400),
        (b"", 400),
        (b"not json", 400),
        (b'{"token":"\\ud800"}', 400),
        (b'{"token":"' + b"x" * 2000 + b'"}', 400),
        (b" " * (LARGEST_BODY + 1), 413),
    ],
)
def test_a_wrong_login_is_refused(client, content, status):
    response = client.post("/api/v1/login", content=content, headers=OWN | {"Content-Type": "application/json"})
    assert error_of(response)[0] == status
    assert "set-cookie" not in response.headers


def test_a_body_that_does_not_say_how_long_it_is_has_an_end_too(client):
    pieces = itertools.repeat(b" " * 4096, 40)
    response = client.post("/api/v1/login", content=pieces, headers=OWN | {"Content-Type": "application/json"})
    assert error_of(response) == (413, "too_large")


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr("orch.web.sessions.hmac", SimpleNamespace(compare_digest=compare, new=hmac.new))
    sessions = Sessions(TOKEN, lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert sessions.is_token(TOKEN)
    assert not sessions.is_token("")
    assert not sessions.is_known("1.2.3")
    assert len(compared) == 3
    lengths = {len(each) for pair in compared[:2] for each in pair}
    assert len(lengths) == 1, "what is compared tells how long the token is"


def test_a_session_ends_and_is_nobody_elses():
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    sessions = Sessions(TOKEN, lambda: now[0])
    session = sessions.begin()
    assert sessions.is_known(session)
    assert Sessions(TOKEN, lambda: now[0]).is_known(session), "a restart keeps it"
    assert not Sessions("u" * 43, lambda: now[0]).is_known(session), "another token ends it"
    later = f"{int(session.partition('.')[0]) + 1}.{session.partition('.')[2]}"
    assert not sessions.is_known(later), "its end is signed too"
    now[0] += timedelta(seconds=SESSION_S)
    assert not sessions.is_known(session)


def test_the_token_is_made_once_for_its_owner_only(tmp_path):
    file, token = web_token(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 43
    assert web_token(tmp_path) == (file, token)


# -- where it listens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bind", "rest"),
    [("0.0.0.0", {}), ("::", {}), ("127.0.0.1", {"token": ""}), ("127.0.0.1", {"token": "short"})],
)
def test_it_does_not_start_open_to_everybody(backend, bind, rest):
    with pytest.raises(EngineError, match="token"):
        WebServer(dataclasses.replace(backend, **rest), bind, 0).start()


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("x", False),
    ],
)
def test_loopback_is_what_only_this_host_reaches(bind, expected):
    assert is_loopback(bind) is expected


# -- what is told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "host"),
    [
        *(
            (path, "127.0.0.1")
            for path in ("/", "/api/v1/dashboard", "/nowhere", "/assets/none.js", "/metrics", ORDER)
        ),
        ("/", "evil.example"),
    ],
)
def test_every_answer_keeps_browsers_from_doing_more_with_it(client, path, host):
    headers = client.get(path, headers={"Host": host}).headers
    policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert "*" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "cache-control" in headers
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("access-control-allow")]


def test_no_secret_is_in_any_answer(backend, tmp_path):
    tables = {
        "nodes": {
            "address": {"protocol": "grass", "token": {"env": "GRASS_TOKEN"}},
            "compute": {
                "protocol": "golem",
                "app_key": {"env": "KEY"},
                "url": "http://user:pass-word@127.0.0.1:1",
            },
        },
        "notify": {"urls": ["tgram://bot-credential/chat"]},
    }
    hidden = {"GRASS_TOKEN": "grass-credential", "KEY": "golem-credential"}
    config = redact(from_tables(tables, hidden, tmp_path))
    with TestClient(create_app(dataclasses.replace(backend, config=config)), base_url=HERE) as client:
        paths = [path for path in client.get("/schema/openapi.json").json()["paths"] if "{" not in path]
        told = [client.get(path, params={"limit": 1}).text for path in paths]
        told += [client.get(f"/api/v1/tables/{name}").text for name in ("board", "samples", "decisions")]
        told.append(client.post(ORDER, headers={"Authorization": "Bearer wrong"}).text)
    assert any("grass" in each for each in told), "the configuration is told"
    for secret in (*hidden.values(), "pass-word", "bot-credential", TOKEN):
        assert not [each for each in told if secret in each], secret


def test_a_fault_of_ours_is_named_by_its_kind_only(backend, caplog):
    def fail():
        raise RuntimeError("the inside of the house")

    broken = dataclasses.replace(backend, now=fail)
    with TestClient(create_app(broken), base_url=HERE, raise_server_exceptions=False) as client:
        response = client.get("/api/v1/metrics-history")
    assert error_of(response) == (500, "internal")
    assert "inside of the house" not in response.text
    assert "inside of the house" in caplog.text
