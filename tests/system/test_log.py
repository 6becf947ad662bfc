import io
import logging
import re

import pytest

from orch.system.log import Redactor, setup_logging


def fail(text):
    raise ValueError(text)


@pytest.fixture
def redactor():
    return Redactor(["hush-1234", "abc"])


@pytest.fixture
def lines(redactor):
    """Logging into a buffer; the loggers are put back afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()

    def start(wanted=logging.INFO):
        setup_logging(redactor, level=wanted, stream=stream)
        return lambda: stream.getvalue().splitlines()

    yield start
    root.handlers[:] = before
    root.setLevel(level)
    for name in ("urllib3", "requests", "pykka", "asyncio", "uvicorn"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_a_line_per_event(lines):
    read = lines()
    logging.getLogger("orch.system.transport").info("started with %d nodes", 4)
    logging.getLogger("actors.adapter").warning("one\ntwo\r", extra={"actor": "adapter:disk"})
    logging.getLogger("orch.x").debug("not shown")
    one, two = read()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO    system\.transport: started with 4 nodes", one
    )
    assert two.endswith(r"Z WARNING adapter:disk: one\ntwo\r")


def test_no_secret_is_written(lines, redactor):
    read = lines()
    log = logging.getLogger("orch.x")
    redactor.add("p@ss word")
    log.error("token %s in %s", "hush-1234", {"url": "http://h/?k=p%40ss%20word"})
    try:
        fail("bad hush-1234")
    except ValueError:
        log.exception("failed")
    text = "\n".join(read())
    for secret in ("hush-1234", "p@ss", "p%40ss"):
        assert secret not in text
    assert "token *** in {'url': 'http://h/?k=***'}" in text
    assert "abc" in redactor.clean("abc"), "too short to be looked for"


def test_a_longer_secret_is_hidden_whole():
    assert Redactor(["secret", "secret-longer"]).clean("a secret-longer b") == "a *** b"


def test_exceptions_are_one_line(lines):
    read = lines()
    try:
        fail("what\nnow")
    except ValueError:
        logging.getLogger("orch.x").exception("failed")
    (line,) = read()
    assert re.search(r"ERROR   x: failed: ValueError: what\\nnow \(.*test_log\.py:\d+ in ", line)
    assert "Traceback" not in line


def test_debugging_shows_the_stack_in_one_line(lines):
    read = lines(logging.DEBUG)
    try:
        fail("what")
    except ValueError:
        logging.getLogger("orch.x").exception("failed")
    (line,) = read()
    assert "Traceback" in line


def test_a_second_setup_replaces_the_first(lines):
    lines()
    read = lines()
    logging.getLogger("orch.x").info("once")
    logging.getLogger("urllib3").warning("a whole URL")
    assert len(read()) == 1
