"""Credentials are found by their issuers' marks, and masked; what only looks random, or is made up, is none."""

import hashlib
import random
import string
import uuid
from pathlib import Path

import pytest

from toolkit.data.texts.private_data import credentials, masked, personal_data

DATA = Path(__file__).parents[4] / "data"
CHOICE = random.Random(7)  # the credentials below are nobody's


def chosen(count: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "7aB" + "".join(CHOICE.choices(letters, k=count - 3))


def block(kind: str) -> str:
    lines = "\n".join(chosen(64) for _ in range(3))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


TOKEN = f"eyJ{chosen(30)}.eyJ{chosen(60)}.{chosen(43)}"
UPPER = string.ascii_uppercase + "234567"
REAL = [
    ("an API key", "sk-", chosen(48)),
    ("an API key", "sk-proj-", f"{chosen(40)}_{chosen(30)}-{chosen(40)}"),
    ("an API key", "sk-ant-", f"api03-{chosen(60)}-{chosen(30)}AA"),
    ("an API key", "sk-", chosen(32, "0123456789abcdef").lower()),
    ("an AWS access key", "AKIA", "Q2" + chosen(17, UPPER)[3:]),
    ("an AWS secret key", 'aws_secret_access_key = "', chosen(40)),
    ("a GitHub token", "ghp_", chosen(36)),
    ("a GitHub token", "github_pat_", chosen(82)),
    ("a GitLab token", "glpat-", chosen(20)),
    ("a Hugging Face token", "hf_", chosen(34)),
    ("a Slack token", "xoxb-", f"{chosen(12)}-{chosen(24)}"),
    ("a Slack webhook", "https://hooks.slack.com/services/", f"T0{chosen(9, UPPER)[3:]}/B0ABCDEF23/{chosen(24)}"),
    ("a Google API key", "AIza", chosen(35)),
    ("a Stripe key", "sk_live_", chosen(24)),
    ("an npm token", "npm_", chosen(36)),
    ("a SendGrid key", "SG.", f"{chosen(22)}.{chosen(43)}"),
    ("a Telegram bot's token", "1103948573:AA", chosen(33)),
    ("an Alibaba Cloud key", "LTAI", chosen(20)),
    ("a Tencent Cloud key", "AKID", chosen(32)),
    ("a signed token (JWT)", "eyJ", TOKEN[3:]),
    ("a private key", "-----BEGIN RSA PRIVATE KEY-----", block("RSA PRIVATE KEY")[31:-29]),
    ("a private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----", block("PGP PRIVATE KEY BLOCK")[37:-35]),
    ("a password in an address", "postgresql://shop:", "Heron-41"),
    ("a password in an address", "redis://:", "p%40r7Tsq"),
    ("a password in a connection string", "Server=db.acme.de;User Id=shop;Password=", "Heron41!"),
    ("a password in a connection string", "jdbc:mysql://db.acme.de/shop?user=a&password=", "Heron41!"),
]


@pytest.mark.parametrize(
    ("kind", "before", "secret"), REAL, ids=[f"{kind} {at}" for at, (kind, _, _) in enumerate(REAL)]
)
def test_a_credential_is_found_and_its_secret_part_never_shown(kind: str, before: str, secret: str):
    after = {"a password in an address": "@db.acme.de/shop", "a private key": "-----END"}.get(kind, "")
    text = f"Use {before}{secret}{after} 就可以了。"

    (found,) = credentials(text)

    assert found.kind == kind
    assert text[found.start : found.end].strip() == secret.strip()
    assert not any(secret.strip()[at : at + 6] in found.shown + masked(text) for at in range(len(secret.strip()) - 5))
    assert masked(text).startswith(f"Use {before}…")
    assert masked(text).endswith("就可以了。")


def test_several_are_masked_and_the_rest_of_the_text_stays():
    text = f"a hf_{chosen(34)} b https://u:Heron-41@git.acme.de c {TOKEN} d"

    assert masked(text) == "a hf_… b https://u:…@git.acme.de c eyJ… d"
    assert masked("Nothing to hide.") == "Nothing to hide."


@pytest.mark.parametrize(
    "text",
    [
        hashlib.sha256(b"a").hexdigest(),
        f"sha256:{hashlib.sha256(b'b').hexdigest()}",
        str(uuid.UUID(int=CHOICE.getrandbits(128))),
        f"run-{hashlib.md5(b'c').hexdigest()}",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        'api_key = "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"',
        "sk-your-api-key-here-0123456789abcdef",
        "<div class='sk-fading-circle-container-element'> and task-7f3a9c2d5e8b1f4a6c0d9e2b",
        "export HF_TOKEN=hf_...",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + chosen(64) + "\n-----END PUBLIC KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "postgresql://user:password@localhost:5432/db",
        "postgresql://postgres:postgres@db/shop",
        "mysql://app:${DB_PASSWORD}@db.acme.de/shop",
        "amqp://guest:guest@rabbit",
        "https://app:Heron-41@db.example.com",
        "http://localhost:8080/@scope/package",
        "connect(); password = read(); Server=x;Password=<密码>;",
        "git@github.com:acme/shop.git",
    ],
)
def test_ids_examples_and_placeholders_are_no_credentials(text: str):
    assert credentials(text) == []
    assert masked(text) == text


@pytest.mark.parametrize("name", ["self_cognition.json", "corrected_fact.json", "general.jsonl", "out_of_scope.jsonl"])
def test_the_shipped_files_have_none(name: str):
    text = (DATA / name).read_text(encoding="utf-8")

    assert credentials(text) == []
    assert list(personal_data(text.splitlines())) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("写给mara.lind@acme.de。", ["e-mail addresses"]),
        ("Write to you@example.com or git@github.com, @mara.", []),
        ("电话138 0013 8000，或 +86-13800138000。", ["telephone numbers"]),
        ("Ring +49 30 901820 now", ["telephone numbers"]),
        ("In 2024 there were 1500 and 13.800 of 13800138000123; 2+3456 7890 is a sum.", []),
        ("号码是11010519491231002X。", ["identity card numbers"]),
        ("11010519491231002Y and 110105194912310021", []),
        (hashlib.sha256(b"d").hexdigest(), []),
        (str(uuid.UUID(int=1 << 100)), []),
    ],
)
def test_personal_data_is_named_by_its_kind(text: str, expected: list[str]):
    assert list(personal_data([text])) == expected


def test_a_long_text_is_read_in_linear_time():
    long = (
        "sk-" * 100_000
        + "eyJa.eyJ" * 50_000
        + "a://b:" * 50_000
        + "+1 2" * 50_000
        + "-----BEGIN PRIVATE KEY-----" * 2000
    )

    assert credentials(long) == []
    assert list(personal_data([long])) == []
