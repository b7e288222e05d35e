"""Only the browser with the token, on a page of the studio itself, reaches anything: over a real port."""

import httpx
import pytest

from tests.fakes.answerer import listening
from tests.fakes.studio_site import TOKEN, studio_site
from toolkit.studio.guard import form_token

CHANGE = {"form_token": form_token(TOKEN), "run": "v0-20260101-000000", "note": "x"}


@pytest.fixture(scope="module", name="address")
def _address(tmp_path_factory):
    with listening(studio_site(tmp_path_factory.mktemp("work"))) as address:
        yield address


@pytest.fixture(name="visitor")
def _client(address):
    with httpx.Client(base_url=address, trust_env=False) as client:
        yield client


@pytest.fixture(name="user")
def _user(address):
    with httpx.Client(base_url=address, trust_env=False) as client:
        client.get("/", params={"token": TOKEN})
        yield client


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(visitor):
    reply = visitor.get("/", params={"token": TOKEN})

    assert reply.headers["set-cookie"] == f"studio-1={TOKEN}; HttpOnly; Path=/; SameSite=strict"
    assert 'content="0;url=/"' in reply.text  # from our own origin, so that a strict cookie is sent
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/data", "/plan", "/jobs", "/runs", "/pair", "/events", "/script.js", "/none"])
def test_without_the_token_there_is_nothing(visitor, path: str):
    reply = visitor.get(path)

    assert reply.status_code == 403
    assert "with its token" in reply.text


@pytest.mark.parametrize("given", ["", "x", f"{TOKEN}x", TOKEN[:-1]])
def test_a_wrong_token_sets_no_cookie(visitor, given: str):
    reply = visitor.get("/", params={"token": given})

    assert reply.status_code == 403
    assert "set-cookie" not in reply.headers


def test_the_studios_own_page_may_change_something(user, address):
    reply = user.post("/note", data=CHANGE, headers={"Origin": address})

    assert "not a run" in reply.text  # it was carried out, and there is no such run
    assert reply.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(user, headers: dict[str, str]):
    reply = user.post("/note", data=CHANGE, headers=headers)

    assert reply.status_code == 403
    assert "Only a page of this studio" in reply.text


def test_a_browser_that_says_cross_site_is_believed(user, address):
    headers = {"Origin": address, "Sec-Fetch-Site": "cross-site"}

    assert user.post("/note", data=CHANGE, headers=headers).status_code == 403


@pytest.mark.parametrize("word", ["", TOKEN, "x"])
def test_a_form_without_the_word_of_our_pages_changes_nothing(user, address, word: str):
    reply = user.post("/note", data=CHANGE | {"form_token": word}, headers={"Origin": address})

    assert reply.status_code == 403


def test_a_proxy_may_use_another_name_if_it_was_allowed(user):
    assert user.post("/note", data=CHANGE, headers={"Origin": "https://studio.example"}).status_code == 400


def test_other_host_names_are_refused(user):
    assert user.get("/", headers={"Host": "evil.example"}).status_code == 403


def test_nothing_is_changed_by_a_get(user):
    for path in ("/note", "/say", "/train", "/stop", "/use", "/undo", "/rows/edit", "/export", "/ask"):
        assert user.get(path).status_code == 405, path


def test_every_reply_has_the_policy(user):
    for path in ("/", "/runs", "/style.css", "/script.js", "/none"):
        headers = user.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_the_choice_of_a_language_leads_nowhere_else(user, address, back: str):
    fields = {"form_token": form_token(TOKEN), "back": back, "language": "zh"}
    reply = user.post("/language", data=fields, headers={"Origin": address})

    assert reply.headers["location"] == "/"
    assert "工作台" in user.get("/").text


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "output/../../x.json", "secret.json", ""])
def test_no_file_is_opened_that_is_not_listed(user, name: str):
    reply = user.get("/data", params={"file": name})

    assert reply.status_code == 400
    assert "No data set" in reply.text


@pytest.mark.parametrize("name", ["%2e%2e%2fx", "latest", "v0-20260101-000000%2F..", "x"])
def test_no_folder_is_opened_that_is_not_a_runs(user, name: str):
    assert user.get(f"/runs/{name}").status_code in {400, 404}


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [("zh-CN,zh;q=0.9", "不是运行的名称。请从列表中选择。"), ("en", "is not the name of a run")],
)
def test_an_error_is_in_the_readers_language(user, accepted: str, expected: str):
    reply = user.get("/runs/..%5C", headers={"accept-language": accepted})

    assert expected in reply.text
