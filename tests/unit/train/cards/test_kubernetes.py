"""Manifests: where a pod has its data, its base model and its runs, and how torchrun finds the hosts.

They were also validated against the published schemas of Kubernetes 1.31 to 1.37 and Kubeflow Trainer 2.0 to 2.3.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.core.errors import ConfigError
from toolkit.train.cards.kubernetes import Cluster, as_yaml, indexed_job, train_job, work

CLUSTER = Cluster(image="ghcr.io/me/toolkit:1", claim="runs")


def documents(*arguments: str, kubeflow: bool, cluster: Cluster = CLUSTER) -> dict[str, Any]:
    """By kind, as they are read back from YAML."""
    job = work(cluster, job="tune", hosts=3, cards=8, arguments=arguments)
    text = as_yaml(train_job(job) if kubeflow else indexed_job(job, 29500))
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def pod(found: dict[str, Any]) -> Any:
    if "Job" in found:
        return found["Job"]["spec"]["template"]["spec"]
    [job] = found["TrainingRuntime"]["spec"]["template"]["spec"]["replicatedJobs"]
    return job["template"]["spec"]["template"]["spec"]


def test_kubeflow_is_told_hosts_and_cards_and_sets_torchrun_up_itself():
    found = documents("many.jsonl", "--epochs", "2", kubeflow=True)

    spec = found["TrainJob"]["spec"]
    assert (spec["trainer"]["numNodes"], spec["trainer"]["numProcPerNode"]) == (3, 8)
    assert spec["trainer"]["resourcesPerNode"]["limits"] == {"nvidia.com/gpu": 8}
    assert spec["runtimeRef"]["name"] == found["TrainingRuntime"]["metadata"]["name"] == "tune"
    assert spec["trainer"]["command"] == ["python", "-m", "torch.distributed.run"]
    assert spec["trainer"]["args"] == [
        "-m", "toolkit", "finetune", "many.jsonl", "--epochs", "2", "--output", "/results",
    ]  # fmt: skip


def test_without_kubeflow_each_pod_knows_its_number_and_finds_the_first_by_the_service():
    found = documents("many.jsonl", kubeflow=False)

    spec, [container] = found["Job"]["spec"], pod(found)["containers"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert "--master-addr=tune-0.tune" in container["args"]
    assert found["Service"]["metadata"]["name"] == pod(found)["subdomain"] == "tune"
    assert found["Service"]["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    assert "--node-rank=$(NODE_RANK)" in container["args"]
    assert container["env"][0]["name"] == "NODE_RANK"


@pytest.mark.parametrize("kubeflow", [True, False])
def test_every_volume_is_mounted_and_the_runs_go_to_the_claim(kubeflow: bool):
    found = pod(documents("many.jsonl", kubeflow=kubeflow))

    mounts = {one["name"]: one["mountPath"] for one in found["containers"][0]["volumeMounts"]}
    assert mounts == {"results": "/results", "shared-memory": "/dev/shm"}
    assert {one["name"] for one in found["volumes"]} == mounts.keys()
    assert found["volumes"][0]["persistentVolumeClaim"] == {"claimName": "runs"}


@pytest.mark.parametrize(
    ("named", "source"),
    [
        ({"model_claim": "base"}, {"persistentVolumeClaim": {"claimName": "base", "readOnly": True}}),
        ({"model_image": "me/base:1"}, {"image": {"reference": "me/base:1", "pullPolicy": "IfNotPresent"}}),
    ],
)
def test_a_base_model_of_its_own_volume_is_named_to_finetune(named: dict[str, str], source: dict[str, Any]):
    found = documents("a.json", kubeflow=False, cluster=Cluster(image="i", claim="c", **named))

    [volume] = [one for one in pod(found)["volumes"] if one["name"] == "base-model"]
    assert volume == {"name": "base-model", **source}
    arguments = pod(found)["containers"][0]["args"]
    assert arguments[arguments.index("--model") + 1] == "/base-model"


@pytest.mark.parametrize(("name", "key"), [("mine.json", "mine.json"), ("我的 数据.jsonl", "data.jsonl")])
def test_a_data_set_that_is_here_goes_along_letter_for_letter(tmp_path: Path, name: str, key: str):
    text = '[{"instruction": "你是谁？ $(NODE_RANK)", "output": "Nova: \\"hi\\""}]\n'
    (tmp_path / name).write_text(text, encoding="utf-8")

    found = documents(str(tmp_path / name), kubeflow=True)

    assert found["ConfigMap"]["data"] == {key: text}
    assert f"/data/{key}" in found["TrainJob"]["spec"]["trainer"]["args"]
    assert {"name": "data", "configMap": {"name": "tune"}} in pod(found)["volumes"]


def test_a_data_set_that_is_too_large_is_to_be_copied(tmp_path: Path):
    (tmp_path / "many.jsonl").write_bytes(b"x" * 1_000_000)

    with pytest.raises(ConfigError, match=r"Copy it to the claim, and name it as /results/many\.jsonl"):
        documents(str(tmp_path / "many.jsonl"), kubeflow=True)


@pytest.mark.parametrize("option", ["--output", "--model=x"])
def test_folders_of_this_machine_are_refused(option: str):
    with pytest.raises(ConfigError, match="is a pod's own matter"):
        documents("a.json", option, kubeflow=True)
