"""A policy: what signed evidence must say. A key of it that is misspelt or unknown is refused, never ignored."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from toolkit.compare.verdict import AT_LEAST, PROBED
from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError
from toolkit.core.files import file_sha256
from toolkit.core.plain_yaml import parse_yaml
from toolkit.core.spelling import did_you_mean
from toolkit.export.attestation.keyless import Identity
from toolkit.export.attestation.signing import PublicKey, read_public_key
from toolkit.export.attestation.statement import Predicate
from toolkit.model.lock import called, known_locks

VERSION = 1
MAX_BYTES = 1_000_000
Demanded = Literal["passed", "strict", "any"]
VERDICTS: tuple[str, ...] = Demanded.__args__  # type: ignore[attr-defined]  # a Literal's values
SHA256 = re.compile("(sha256:)?[0-9a-f]{64}")
KEYS = ("schema_version", "keys", "identities", "trust", "verdict", "thresholds", "base", "data", "probes", "image")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One demand of a policy, or one comparison of a file; `text`: what was found, in English."""

    subject: str
    holds: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`keys`, `identities`: one of them must have signed. `trust`: the configuration of a Sigstore of one's own, for
    identities. `verdict`: by the figures, by their intervals too (strict), or any.

    `base`: the sha256 of each allowed lock, by how the policy names it. `data`, `probes`, `image`: allowed sha256.
    None: anything is allowed.
    """

    sha256: str
    keys: Sequence[PublicKey]
    identities: Sequence[Identity]
    trust: Path | None
    verdict: Demanded
    thresholds: Mapping[str, float]
    base: Mapping[str, str] | None
    data: Sequence[str] | None
    probes: Sequence[str] | None
    image: Sequence[str] | None

    def checks(self, signed: Predicate) -> Iterator[Check]:
        """Each demand, met or not."""
        yield self._verdict(signed)
        for name, limit in self.thresholds.items():
            yield _threshold(name, limit, signed)
        if self.base is not None:
            yield self._base(signed)
        given = {
            "data": (self.data, signed.data.sha256),
            "probes": (self.probes, signed.probes.sha256),
            "image": (self.image, signed.toolkit.image),
        }
        for subject, (allowed, found) in given.items():
            if allowed is not None:
                holds = found is not None and found.removeprefix("sha256:") in allowed
                yield Check(subject=subject, holds=holds, text=f"{found}{_allowed(holds=holds)}")

    def _verdict(self, signed: Predicate) -> Check:
        verdict = signed.verdict
        by_figures = verdict.by_figures
        outcome = verdict.outcome or by_figures
        text = by_figures if outcome == by_figures else f"{by_figures} by its figures, {outcome} by their intervals"
        demanded = {"any": True, "passed": verdict.passed, "strict": verdict.passed and outcome == "passed"}
        reasons = "" if verdict.passed else f" ({'; '.join(list(verdict.reasons)[:2])})"
        return Check(subject="verdict", holds=demanded[self.verdict], text=text + reasons)

    def _base(self, signed: Predicate) -> Check:
        """By the lock: its sha256 is that of the file which names each of the model's files with its sha256."""
        assert self.base is not None
        base = signed.base_model
        lock = base.lock_sha256
        allowed_as = next((name for name, sha256 in self.base.items() if sha256 == lock), None)
        shown = f"{base.name}, lock {lock}" if lock else f"{base.name}, which has no lock"
        if allowed_as is None and (here := self.base.get(base.name)) is not None:
            return Check(subject="base", holds=False, text=f"{shown}; the lock of that name here is {here}")
        holds = allowed_as is not None
        return Check(subject="base", holds=holds, text=f"{shown}{_allowed(holds=holds)}")


def _allowed(*, holds: bool) -> str:
    return "" if holds else ", which the policy does not allow"


def _threshold(name: str, limit: float, signed: Predicate) -> Check:
    """The run was judged by at least this threshold, and its figure meets it."""
    judged, figure = signed.thresholds.get(name), signed.metrics.get(name)
    if judged is None or figure is None or figure.value is None:
        return Check(subject=name, holds=False, text=f"was not judged; the policy demands {limit:g}")
    if not _meets(name, judged, limit):
        return Check(subject=name, holds=False, text=f"was judged by {judged:g}; the policy demands {limit:g}")
    holds = _meets(name, figure.value, limit)
    text = f"{figure.value:.4g}, {'at least' if name in AT_LEAST else 'at most'} {limit:g}"
    return Check(subject=name, holds=holds, text=text if holds else f"{text} was demanded")


def _meets(name: str, value: float, limit: float) -> bool:
    """False for what is not a number."""
    return value >= limit if name in AT_LEAST else value <= limit


def read_policy(path: Path) -> Policy:
    """Public keys are named by files beside the policy. Raises ConfigError."""
    try:
        value, _ = parse_yaml(read_text(path, max_bytes=MAX_BYTES))
    except FileNotFoundError:
        raise ConfigError(f"There is no policy {path}.", next="docs/evidence.md has an example.") from None
    except (OSError, ValueError) as error:
        raise _invalid(path, f"it cannot be read: {error}") from None
    if not isinstance(value, Mapping):
        raise _invalid(path, "it is not a mapping")
    for name in value:
        if name not in KEYS:
            raise _invalid(path, f'"{name}" is not known', did_you_mean(str(name), KEYS))
    if value.get("schema_version") != VERSION:
        raise _invalid(path, f"schema_version must be {VERSION}")
    return Policy(
        sha256=file_sha256(path), keys=_keys(path, value), identities=_identities(path, value),
        trust=_trust(path, value), verdict=_demanded(path, value),
        thresholds=_thresholds(path, value.get("thresholds")), base=_bases(path, value.get("base")),
        data=_digests(path, value, "data"), probes=_digests(path, value, "probes"),
        image=_digests(path, value, "image"),
    )  # fmt: skip


def _invalid(path: Path, why: str, near: str = "") -> ConfigError:
    return ConfigError(f"The policy {path} is not valid: {why}.{near}", next="docs/evidence.md has an example.")


def _list(path: Path, value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise _invalid(path, f"{name} must be a list of text, with at least one entry")
    return value


def _keys(path: Path, value: Mapping[str, Any]) -> list[PublicKey]:
    if value.get("keys") is None:
        if value.get("identities") is None:
            raise _invalid(path, "keys is missing: without it, anybody's signature would do")
        return []
    return [read_public_key(path.parent / name) for name in _list(path, value["keys"], "keys")]


def _identities(path: Path, value: Mapping[str, Any]) -> list[Identity]:
    """Each with who it is and who vouches for that: anybody can have any name with an issuer of their own."""
    given = value.get("identities")
    if given is None:
        return []
    if not isinstance(given, list) or not given or not all(map(_is_identity, given)):
        raise _invalid(path, "identities must be a list of mappings with identity and issuer, with at least one entry")
    return [Identity(name=one["identity"], hint=one["issuer"]) for one in given]


def _is_identity(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.keys() != {"identity", "issuer"}:
        return False
    return all(isinstance(text, str) and text for text in value.values())


def _trust(path: Path, value: Mapping[str, Any]) -> Path | None:
    name = value.get("trust")
    if name is not None and (not isinstance(name, str) or value.get("identities") is None):
        raise _invalid(path, "trust must name a file, and belongs to identities")
    return None if name is None else path.parent / name


def _demanded(path: Path, value: Mapping[str, Any]) -> Demanded:
    demanded: Any = value.get("verdict", "passed")
    if demanded not in VERDICTS:
        raise _invalid(path, f"verdict must be one of {', '.join(VERDICTS)}")
    return demanded  # type: ignore[no-any-return]  # one of VERDICTS


def _thresholds(path: Path, value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _invalid(path, "thresholds must be a mapping of metrics to numbers")
    for name, limit in value.items():
        if name not in PROBED:
            near = did_you_mean(str(name), PROBED)
            raise _invalid(path, f'thresholds: "{name}" is not a judged metric', near)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 0:
            raise _invalid(path, f"thresholds: {name} must be a number, and not a negative one")
    return {name: float(limit) for name, limit in value.items()}


def _bases(path: Path, value: Any) -> dict[str, str] | None:
    """A lock is named by its sha256, or, where this toolkit ships it, by the model's name."""
    if value is None:
        return None
    found: dict[str, str] = {}
    for name in _list(path, value, "base"):
        if SHA256.fullmatch(name):
            found[name] = name.removeprefix("sha256:")
        elif (known := called(name)) is not None:
            found[known] = file_sha256(known_locks()[known])
        else:
            raise _invalid(path, f'base: "{name}" is neither a known model nor the sha256 of a lock')
    return found


def _digests(path: Path, value: Mapping[str, Any], name: str) -> list[str] | None:
    if value.get(name) is None:
        return None
    given = _list(path, value[name], name)
    wrong = next((one for one in given if not SHA256.fullmatch(one)), None)
    if wrong is not None:
        raise _invalid(path, f'{name}: "{wrong}" is not a sha256')
    return [one.removeprefix("sha256:") for one in given]
