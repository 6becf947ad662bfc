import gzip
import os
import socket
import threading
import time
from contextlib import suppress
from unittest.mock import patch

import pytest

import orch
from orch.model.wire import CommandRun, FileRead, HttpRequest, NoReply, Reply, Secret

JSON = b"Content-Type: application/json\r\n"


def http(body=b"{}", status=b"200 OK", headers=JSON):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, headers, len(body), body)


def test_a_good_answer_comes_whole(serve_bytes, ask):
    server = serve_bytes(http(b'{"a": 1}'))
    reply = ask(HttpRequest(url=f"{server.url}/api"))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body, reply.header("content-type")) == (200, b'{"a": 1}', "application/json")
    assert 0 < reply.elapsed_s < 5
    assert reply.received_at.tzinfo is not None


def test_what_is_sent(serve_bytes, ask):
    server = serve_bytes(http())
    ask(
        HttpRequest(
            url=server.url + "/x?y=1",
            method="POST",
            headers=(("X-Plain", "p"),),
            secret_headers=(("Authorization", Secret(value="Bearer hush")),),
            body=b'{"q":2}',
        )
    )
    sent = server.requests[0]
    assert sent.startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    for line in (b"X-Plain: p", b"Authorization: Bearer hush", b"Content-Length: 7"):
        assert line in sent
    assert f"User-Agent: orch/{orch.__version__}".encode() in sent


def test_nothing_comes_from_the_environment(serve_bytes, ask, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    server = serve_bytes(http())
    assert isinstance(ask(HttpRequest(url=server.url)), Reply)
    assert b"Authorization" not in server.requests[0]


@pytest.mark.parametrize(
    "kind", [b"application/json", b"application/json; charset=utf-8", b"Application/Problem+JSON"]
)
def test_json_content_types(serve_bytes, ask, kind):
    server = serve_bytes(http(headers=b"Content-Type: %s\r\n" % kind))
    assert isinstance(ask(HttpRequest(url=server.url)), Reply)


@pytest.mark.parametrize("kind", [b"text/html; charset=utf-8", b"application/jsonp", b"text/plain", None])
def test_other_content_types_are_refused(serve_bytes, ask, kind):
    headers = b"" if kind is None else b"Content-Type: %s\r\n" % kind
    server = serve_bytes(http(b"<html>hello</html>", headers=headers))
    reply = ask(HttpRequest(url=server.url))
    assert (reply.reason, reply.status, reply.retryable) == ("content_type", 200, True)
    assert reply.body == b"<html>hello</html>"
    assert isinstance(ask(HttpRequest(url=server.url, json_only=False)), Reply)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 204 No Content\r\n\r\n", http(b"", headers=b""), http(b"")])
def test_an_empty_body_is_an_answer(serve_bytes, ask, answer):
    reply = ask(HttpRequest(url=serve_bytes(answer).url))
    assert isinstance(reply, Reply)
    assert reply.body == b""


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (400, "http_status", False),
        (401, "unauthorised", False),
        (403, "unauthorised", False),
        (404, "http_status", False),
        (408, "http_status", True),
        (429, "rate_limited", True),
        (500, "http_status", True),
        (503, "http_status", True),
        (304, "http_status", False),
        (300, "http_status", False),
    ],
)
def test_statuses(serve_bytes, ask, status, reason, retryable):
    body = b"" if status == 304 else b"why" * 2000
    server = serve_bytes(http(body, status=b"%d Whatever" % status))
    reply = ask(HttpRequest(url=server.url))
    assert (reply.reason, reply.status, reply.retryable) == (reason, status, retryable)
    assert reply.body == body[:2048]
    assert reply.sentence == f"127.0.0.1:{server.port} answered with status {status}"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (b"Retry-After: 119\r\n", 119.0),
        (b"Retry-After: 99999999999999999999\r\n", 86_400.0),
        (
            b"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 10:02:30 GMT\r\n",
            150.0,
        ),
        (b"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 09:00:00 GMT\r\n", 0.0),
        (b"Retry-After: soon\r\n", None),
        (b"Retry-After: -5\r\n", None),
        (b"Retry-After: Sun, 99 Nov 2026 10:02:30 GMT\r\n", None),
        (b"", None),
    ],
)
def test_retry_after(serve_bytes, ask, headers, seconds):
    reply = ask(HttpRequest(url=serve_bytes(http(status=b"429 No", headers=headers)).url))
    assert reply.retry_after_s == seconds


def drip(before, after=b""):
    """A byte every 20 ms, for ever."""

    def script(server, connection):
        server.read(connection)
        connection.sendall(before)
        while not server.stop.wait(0.02):
            connection.sendall(b"x")
        connection.sendall(after)

    return script


def hang(server, connection):
    server.read(connection)
    server.stop.wait()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Long: "), id="headers"),
        pytest.param(drip(b"HTTP"), id="status line"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\n"), id="body until close"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: 9999\r\n\r\n"), id="body"),
        pytest.param(drip(b"HTTP/1.0 200 OK\r\nConnection: close\r\n" + JSON + b"\r\n"), id="HTTP/1.0"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n"), id="chunk"),
        pytest.param(drip(b"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n"), id="error body"),
        pytest.param(hang, id="nothing"),
    ],
)
def test_the_deadline_is_total(serve, ask, transport, script):
    server = serve(script)
    reply = ask(HttpRequest(url=server.url, deadline_s=0.25))
    assert (reply.reason, reply.retryable) == ("timeout", True)
    assert reply.sentence == f"127.0.0.1:{server.port} did not answer within 0.25 s"
    assert 0.24 < reply.elapsed_s < 1.0


def test_a_connection_that_nobody_accepts(ask):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        reply = ask(HttpRequest(url=f"http://127.0.0.1:{port}", deadline_s=0.2))
        assert reply.reason == "timeout"
        assert reply.elapsed_s < 1.0
        for filler in fillers:
            filler.close()


def test_a_name_look_up_that_hangs_is_abandoned(transport, inbox):
    gate = threading.Event()

    def stuck(*_, **__):
        gate.wait()
        raise socket.gaierror

    request = HttpRequest(url="http://somewhere.invalid/", deadline_s=0.1)
    with patch("socket.getaddrinfo", stuck):
        for key in ("first", "second"):
            transport.fetch(request, reply_to="me", key=key, node="far", lane="fast")
        first = inbox.answer()
        assert (first.key, first.reply.reason) == ("first", "timeout")
        assert first.reply.elapsed_s < 0.5
        second = inbox.answer()
        assert (second.key, second.reply.reason) == ("second", "timeout")
        transport.fetch(request, reply_to="me", key="third", node="far", lane="fast")
        assert "still hangs" in inbox.answer(within=0.2).reply.sentence
        assert transport.thread_count() == 1
        gate.set()


def test_one_at_a_time_per_node_and_lane_in_order(serve, transport, inbox):
    busy, most = [], []

    def script(server, connection):
        while server.read(connection):
            busy.append(1)
            most.append(len(busy))
            server.stop.wait(0.005)
            busy.pop()
            connection.sendall(http())

    url = serve(script).url
    for number in range(10):
        transport.fetch(HttpRequest(url=url), reply_to="me", key=str(number), node="disk", lane="fast")
    assert [inbox.answer().key for _ in range(10)] == [str(number) for number in range(10)]
    assert max(most) == 1


def test_hanging_nodes_do_not_delay_the_others(serve, transport, inbox):
    stuck, quick = serve(hang), serve(lambda s, c: [c.sendall(http()) for _ in iter(lambda: s.read(c), b"")])
    for number in range(100):
        url = stuck.url if number % 10 == 0 else quick.url
        request = HttpRequest(url=url, deadline_s=60)
        transport.fetch(request, reply_to="me", key=f"{number % 10}", node=f"n{number}", lane="fast")
    first = [inbox.answer() for _ in range(90)]
    assert all(isinstance(each.reply, Reply) for each in first)
    assert transport.thread_count() < 60
    transport.close()
    assert {inbox.answer().reply.sentence for _ in range(10)} == {"the engine is stopping"}
    assert inbox.told.empty()


def test_a_request_wakes_an_idle_thread_at_once(serve, transport, inbox):
    gate = threading.Event()

    def script(server, connection):
        while server.read(connection):
            gate.wait(5)
            connection.sendall(http())

    url = serve(script).url
    for number in range(8):
        transport.fetch(HttpRequest(url=url), reply_to="me", key="", node=f"n{number}", lane="fast")
    gate.set()
    assert all(isinstance(inbox.answer().reply, Reply) for _ in range(8))
    for _ in range(5):  # now all threads are idle
        transport.fetch(HttpRequest(url=url), reply_to="me", key="", node="n0", lane="fast")
        assert isinstance(inbox.answer(within=10.0).reply, Reply)


def test_a_slow_lane_does_not_delay_the_fast_one(serve, serve_bytes, transport, inbox):
    let_go = threading.Event()

    def hang_until_then(server, connection):
        server.read(connection)
        let_go.wait(20)
        connection.sendall(http())

    slow = HttpRequest(url=serve(hang_until_then).url)
    transport.fetch(slow, reply_to="me", key="slow", node="disk", lane="slow")
    transport.fetch(HttpRequest(url=serve_bytes(http()).url), reply_to="me", key="fast", node="disk", lane="fast")
    assert inbox.answer().key == "fast"
    let_go.set()
    assert inbox.answer().key == "slow"


def test_connections_are_kept(serve, ask):
    def script(server, connection):
        while server.read(connection):
            connection.sendall(http())

    server = serve(script)
    for _ in range(5):
        assert isinstance(ask(HttpRequest(url=server.url)), Reply)
    assert len(server.connections) == 1
    assert len(server.requests) == 5


def test_a_kept_connection_that_has_died_is_replaced(serve, ask):
    def script(server, connection):
        server.read(connection)
        connection.sendall(http())
        if len(server.requests) == 1:
            server.read(connection)  # and closes without a word

    server = serve(script)
    assert isinstance(ask(HttpRequest(url=server.url)), Reply)
    assert isinstance(ask(HttpRequest(url=server.url)), Reply)
    assert len(server.requests) == 3


def test_an_order_is_never_sent_twice(serve, ask):
    def script(server, connection):
        server.read(connection)
        connection.sendall(http())
        server.read(connection)

    server = serve(script)
    ask(HttpRequest(url=server.url))
    assert ask(HttpRequest(url=server.url, method="PUT")).reason == "unreachable"
    assert len(server.requests) == 2


def test_a_promised_gigabyte_is_not_read(serve_bytes, ask):
    server = serve_bytes(b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: 1000000000\r\n\r\n")
    reply = ask(HttpRequest(url=server.url))
    assert (reply.reason, reply.retryable) == ("too_large", False)
    assert reply.sentence == f"127.0.0.1:{server.port} sent more than 4000000 bytes"
    assert reply.elapsed_s < 1


def test_an_endless_body_is_cut(serve, ask):
    sent = []

    def script(server, connection):
        server.read(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\n")
        while not server.stop.is_set():
            connection.sendall(b" " * 65_536)
            sent.append(65_536)

    assert ask(HttpRequest(url=serve(script).url, max_bytes=1_000_000)).reason == "too_large"
    assert sum(sent) < 20_000_000


def test_the_limit_itself_is_allowed(serve_bytes, ask):
    assert isinstance(ask(HttpRequest(url=serve_bytes(http(b"x" * 100)).url, max_bytes=100)), Reply)
    assert ask(HttpRequest(url=serve_bytes(http(b"x" * 101)).url, max_bytes=100)).reason == "too_large"


def zipped(body, headers=JSON):
    return http(body, headers=headers + b"Content-Encoding: gzip\r\n")


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000])
def test_gzip_is_undone(serve_bytes, ask, size):
    plain = os.urandom(size // 2) + b"a" * (size - size // 2)
    assert ask(HttpRequest(url=serve_bytes(zipped(gzip.compress(plain))).url)).body == plain


def test_a_gzip_bomb_is_noticed_early(serve_bytes, ask):
    bomb = gzip.compress(b"\0" * 100_000_000)
    reply = ask(HttpRequest(url=serve_bytes(zipped(bomb)).url, max_bytes=1_000_000))
    assert reply.reason == "too_large"
    assert reply.elapsed_s < 1


@pytest.mark.parametrize(
    "answer",
    [
        zipped(b"this is no gzip"),
        zipped(gzip.compress(b"some text" * 50)[:-12]),
        http(b"x", headers=JSON + b"Content-Encoding: br\r\n"),
    ],
)
def test_a_body_that_cannot_be_decoded(serve_bytes, ask, answer):
    assert ask(HttpRequest(url=serve_bytes(answer).url)).reason == "malformed"


def redirect(to, status=b"302 Found"):
    return http(b"", status=status, headers=b"Location: %s\r\n" % to)


def test_redirects_on_the_same_host_are_followed(serve, ask):
    def script(server, connection):
        path = server.read(connection).split()[1]
        onward = {b"/1": b"/2", b"/2": f"{server.url}/3".encode(), b"/3": b"4"}.get(path)
        connection.sendall(redirect(onward) if onward else http(b'{"end": true}'))

    server = serve(script)
    assert ask(HttpRequest(url=f"{server.url}/1")).body == b'{"end": true}'
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "to",
    [b"http://localhost:%d/x", b"http://127.0.0.1:1/x", b"https://127.0.0.1:%d/x", b"file:///etc/passwd", b"//["],
)
def test_redirects_elsewhere_are_not_followed(serve, ask, to):
    def script(server, connection):
        server.read(connection)
        connection.sendall(redirect(to % server.port if b"%d" in to else to))

    server = serve(script)
    secret = (("Authorization", Secret(value="hush")),)
    reply = ask(HttpRequest(url=server.url, secret_headers=secret))
    assert reply.reason == "redirect"
    assert len(server.requests) == 1


def test_a_redirect_loop_ends(serve, ask):
    def script(server, connection):
        server.read(connection)
        connection.sendall(redirect(b"/again"))

    server = serve(script)
    reply = ask(HttpRequest(url=server.url))
    assert reply.reason == "redirect"
    assert len(server.requests) == 4


def test_an_order_is_not_redirected(serve_bytes, ask):
    server = serve_bytes(redirect(b"/other", b"307 Temporary"))
    assert ask(HttpRequest(url=server.url, method="POST", body=b"{}")).reason == "redirect"


def test_nobody_listens(ask):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reply = ask(HttpRequest(url=f"http://127.0.0.1:{port}/secret-path?token=hush"))
    assert (reply.reason, reply.retryable, reply.sentence) == (
        "refused",
        True,
        f"nobody listens at 127.0.0.1:{port}",
    )


def reset(server, connection):
    server.read(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (reset, "unreachable"),
        (lambda s, c: s.read(c), "unreachable"),
        (lambda s, c: (s.read(c), c.sendall(http(b"{}")[:-1])), "unreachable"),
        (lambda s, c: (s.read(c), c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")), "malformed"),
        (lambda s, c: (s.read(c), c.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000)), "malformed"),
        (
            lambda s, c: (
                s.read(c),
                c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + JSON + b"\r\nzz\r\n"),
            ),
            "unreachable",
        ),
    ],
)
def test_broken_connections(serve, ask, script, reason):
    reply = ask(HttpRequest(url=serve(script).url))
    assert (reply.reason, reply.retryable) == (reason, True)


@pytest.mark.parametrize(
    "url", ["", "disk", "ftp://127.0.0.1/", "http://", "http://[::1", "http://a:99999/", "http:///x"]
)
def test_an_unusable_address(ask, url):
    reply = ask(HttpRequest(url=url))
    assert isinstance(reply, NoReply)
    assert reply.reason == "unreachable"


def test_tls_that_never_comes_about(serve, ask):
    url = serve(drip(b"")).url.replace("http:", "https:")
    reply = ask(HttpRequest(url=url, deadline_s=0.25))
    assert reply.reason in ("timeout", "unreachable")
    assert reply.elapsed_s < 1.0
    silent = serve(lambda server, connection: server.stop.wait()).url.replace("http:", "https:")
    reply = ask(HttpRequest(url=silent, deadline_s=0.25))
    assert reply.reason == "timeout"
    assert 0.24 < reply.elapsed_s < 1.0
    server = serve(lambda server, connection: connection.sendall(http() if connection.recv(4096) else b""))
    reply = ask(HttpRequest(url=server.url.replace("http:", "https:")))
    assert reply.sentence == f"no TLS connection with 127.0.0.1:{server.port} came about"


def test_an_unresolvable_name(ask):
    with patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "no")):
        reply = ask(HttpRequest(url="http://somewhere.invalid:81/x"))
    assert (reply.reason, reply.sentence) == ("unreachable", "the name of somewhere.invalid:81 cannot be resolved")


def test_sentences_keep_secrets(ask, serve, serve_bytes):
    urls = [
        "http://me:hush@127.0.0.1:9/hush?token=hush#hush",
        "http://me:hush@[::1/hush",
        serve(hang).url + "/hush?hush=hush",
        serve_bytes(http(status=b"500 No", headers=b"")).url.replace("//", "//me:hush@") + "/?k=hush",
        serve_bytes(redirect(b"http://u:hush@127.0.0.2/hush?hush")).url + "/?k=hush",
        serve_bytes(http(b"x", headers=b"Content-Type: hush hush\r\n")).url + "/?k=hush",
    ]
    for url in urls:
        request = HttpRequest(
            url=url,
            deadline_s=0.3,
            secret_headers=(("X", Secret(value="hush")), ("Bad\nName", Secret(value="hush"))),
        )
        assert "hush" not in ask(request).sentence
        plain = HttpRequest(url=url, deadline_s=0.3, secret_headers=(("X", Secret(value="hush")),))
        assert "hush" not in ask(plain).sentence


def test_an_unexpected_error_is_an_answer(ask):
    with patch("orch.system.wires.CuttableAdapter.send", side_effect=RuntimeError("hush")):
        reply = ask(HttpRequest(url="http://127.0.0.1:9/"))
    assert (reply.reason, reply.sentence) == ("unreachable", "asking 127.0.0.1:9 failed (RuntimeError)")


def test_what_orch_never_does_is_refused_before_it_is_begun(serve_bytes, ask, tmp_path):
    kept = tmp_path / "blob"
    kept.touch()
    refused = ask(CommandRun(argv=("rm", str(kept))))
    assert isinstance(refused, NoReply)
    assert (refused.sentence, refused.retryable) == ("orch never deletes data: rm", False)
    assert kept.exists()
    server = serve_bytes(http())
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x"]}'
    assert isinstance(ask(HttpRequest(url=server.url, method="POST", body=body)), NoReply)
    assert server.requests == []


def test_files(ask, tmp_path):
    good = tmp_path / "hardware.json"
    good.write_bytes(b'{"cores": 4}')
    reply = ask(FileRead(path=str(good)))
    assert (reply.status, reply.body) == (200, b'{"cores": 4}')
    assert ask(FileRead(path=str(good), max_bytes=12)).body == b'{"cores": 4}'
    assert ask(FileRead(path=str(good), max_bytes=11)).reason == "too_large"
    assert ask(FileRead(path=str(tmp_path / "none"))).reason == "missing_file"
    assert ask(FileRead(path=str(tmp_path))).reason == "missing_file"
    assert ask(FileRead(path="nul\0nul")).reason == "missing_file"
    os.mkfifo(tmp_path / "pipe")
    assert ask(FileRead(path=str(tmp_path / "pipe"))).reason == "missing_file"
    with patch("os.open", side_effect=PermissionError):
        assert ask(FileRead(path=str(good))).reason == "permission"
    assert ask(FileRead(path="/proc/self/status")).body.startswith(b"Name:")


def test_close_is_prompt_and_answers_everything(serve, transport, inbox):
    dripping = serve(drip(b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: 9999\r\n\r\n"))
    for key in "abc":
        request = HttpRequest(url=dripping.url, deadline_s=30)
        transport.fetch(request, reply_to="me", key=key, node="disk", lane="fast")
    while not dripping.requests:
        time.sleep(0.001)
    began = time.monotonic()
    transport.close()
    assert time.monotonic() - began < 10
    assert transport.thread_count() == 0
    transport.fetch(HttpRequest(url=dripping.url), reply_to="me", key="d", node="disk", lane="fast")
    told = [inbox.answer() for _ in range(4)]
    assert sorted(each.key for each in told) == ["a", "b", "c", "d"]
    assert {each.reply.sentence for each in told} == {"the engine is stopping"}
    assert inbox.told.empty()


def test_close_twice_and_unused(transport):
    transport.close()
    transport.close()


def test_idle_threads_end(serve_bytes, ask, transport):
    with patch("orch.system.transport.IDLE_S", 0.01):
        ask(HttpRequest(url=serve_bytes(http()).url))
        workers = list(transport._workers)
        for worker in workers:
            worker.join(2)
    assert transport.thread_count() == 0
    with suppress(OSError):
        assert isinstance(ask(HttpRequest(url=serve_bytes(http()).url)), Reply)


def test_the_first_message_of_a_stream_that_never_ends_is_an_answer(serve, ask):
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    ended = threading.Event()

    def script(server, connection):
        server.read(connection)
        connection.sendall(stream + b"6\r\ndata: \r\n6\r\n{}\n\nda\r\n")
        ended.wait(10)

    server = serve(script)
    request = HttpRequest(url=server.url, json_only=False, until=b"\n\n")
    try:
        reply = ask(request)
        assert isinstance(reply, Reply)
        assert reply.body == b"data: {}\n\n"
        assert reply.elapsed_s < 5
    finally:
        ended.set()
