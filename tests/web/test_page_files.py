"""The page's files: found, kept, and nothing else handed out."""

from __future__ import annotations

import gzip
import re
from types import SimpleNamespace

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from orch.web.page_files import MISSING, asset, index, load_page
from orch.web.scripts import stamp_of
from tests.fakes.web import HERE

SCRIPT = b"import './views/fleet.js';\n" * 100


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "views").mkdir()
    (folder / "index.html").write_bytes(b'<script type="module" src="/assets/main.js"></script>')
    (folder / "main.js").write_bytes(SCRIPT)
    (folder / "views" / "fleet.js").write_bytes(b"export {};\n")
    (folder / "notes.md").write_bytes(b"not for the world")
    (folder.parent / "secret.txt").write_bytes(b"secret")
    return load_page(folder)


def client_of(page):
    app = Litestar([index, asset], logging_config=None, openapi_config=None)
    app.state.page = page
    return TestClient(app, base_url=HERE)


@pytest.fixture(scope="module")
def client(page):
    with client_of(page) as client:
        yield client


def test_the_page_names_its_files_so_that_browsers_keep_them(client, page):
    shown = client.get("/")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert shown.headers["cache-control"] == "no-cache"
    address = f"/assets/{page.digest}/main.js"
    assert f'src="{address}"' in shown.text
    script = client.get(address)
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    assert script.content == SCRIPT
    assert client.get(f"/assets/{page.digest}/views/fleet.js").text == "export {};\n"
    assert client.get("/assets/views/fleet.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("is_stale", [False, True])
def test_scripts_in_one_file_are_asked_for_as_long_as_they_are_the_same(tmp_path, is_stale):
    html = b'<script src="/assets/main.js"></script>\n  <link rel="modulepreload" href="/assets/views/one.js">\n'
    own = {"main.js": b"import './views/one.js';", "views/one.js": b"export {};"}
    made = stamp_of(own) + b"export {};"
    if is_stale:
        own["views/one.js"] = b"export const edited = true;"
    for name, body in {**own, "index.html": html, "vendor/page.js": made, "vendor/echarts.js": b""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    page = load_page(tmp_path)
    asked = re.findall(rb'"/assets/[0-9a-f]+/([^"]+)"', page.files["index.html"].body)
    assert asked == ([b"main.js", b"views/one.js"] if is_stale else [b"vendor/page.js"])


def test_what_is_there_already_is_not_sent_again(client):
    first = client.get("/assets/main.js")
    again = client.get("/assets/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_files_are_packed_for_whoever_takes_them(client, page):
    assert client.get("/assets/main.js").headers["content-encoding"] == "gzip"
    plain = client.get("/assets/main.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == SCRIPT
    assert gzip.decompress(page.files["main.js"].packed) == SCRIPT


@pytest.mark.parametrize(
    "path",
    [
        "/assets/notes.md",
        "/assets/nothing.js",
        "/assets/../secret.txt",
        "/assets/%2e%2e/secret.txt",
        "/assets/..%2fsecret.txt",
        "/assets/views/..%2f..%2fsecret.txt",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/..%5csecret.txt",
        "/assets/main.js%00.txt",
        "/assets/",
    ],
)
def test_no_path_leads_out_of_the_folder(client, path):
    assert client.get(path).status_code == 404


def test_an_installation_without_the_page_says_so(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        page = load_page(folder)
        assert page.files == {}
        with client_of(SimpleNamespace(files=page.files, digest=page.digest)) as client:
            shown = client.get("/")
        assert (shown.status_code, shown.content) == (503, MISSING)
