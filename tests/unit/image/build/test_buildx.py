"""The build's child process: which arguments it gets."""

from pathlib import Path

from image.build import buildx


def test_the_child_process_rewrites_times_and_adds_no_attestation(tmp_path: Path) -> None:
    request = buildx.BuildRequest(
        reference="ft:1", context=tmp_path, arguments={"A": "1"}, contexts={"model": tmp_path / "m"},
        secrets={"ca_bundle": tmp_path / "ca"}, use_cache=False,
    )  # fmt: skip
    told = buildx.command(request, tmp_path / "metadata.json")
    assert "--provenance=false" in told
    assert "--no-cache" in told
    assert "--build-arg=A=1" in told
    assert f"--build-context=model={tmp_path}/m" in told
    assert f"--secret=id=ca_bundle,src={tmp_path}/ca" in told
    [output] = [each for each in told if each.startswith("--output=")]
    assert "type=docker" in output
    assert "dest=-" in output
    assert "rewrite-timestamp=true" in output
