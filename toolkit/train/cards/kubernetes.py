"""Kubernetes manifests of a fine-tuning on several hosts, as values. Pure but for the data set, which is read.

With Kubeflow Trainer (2.0 to 2.3) a TrainingRuntime and its TrainJob, which tells torchrun hosts and addresses; without
it an indexed Job, whose pods find the first one by a headless service.
https://www.kubeflow.org/docs/components/trainer/operator-guides/runtime/
https://kubernetes.io/docs/tasks/job/job-with-pod-to-pod-communication/
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core.documents import read_text
from toolkit.core.errors import ConfigError

RESULTS, DATA, MODEL = "/results", "/data", "/base-model"  # where a pod has its volumes
MOST_BYTES = 900_000  # of a data set in a ConfigMap, whose own limit is 1 MiB
KEY = re.compile(r"[-.\w]{1,253}", re.ASCII)  # of a ConfigMap
INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """`image`: the toolkit's; `claim`: the volume claim for runs, which every pod mounts.

    The base model is the image's own, or comes from `model_image`, which has its files at the top and is mounted as it
    is (Kubernetes 1.33 or later), or from `model_claim`.
    """

    image: str
    claim: str
    model_image: str | None = None
    model_claim: str | None = None

    @property
    def model(self) -> Document | None:
        """The volume's source."""
        if self.model_image is not None:
            return {"image": {"reference": self.model_image, "pullPolicy": "IfNotPresent"}}
        if self.model_claim is not None:
            return {"persistentVolumeClaim": {"claimName": self.model_claim, "readOnly": True}}
        return None


@dataclass(frozen=True, kw_only=True)
class Work:
    """What runs in each pod. `data`: a data set of this machine, by its file's name."""

    cluster: Cluster
    name: str
    hosts: int
    cards: int
    arguments: tuple[str, ...]
    data: tuple[str, str] | None = None

    @property
    def torchrun(self) -> list[str]:
        return ["python", "-m", "torch.distributed.run"]

    @property
    def finetune(self) -> list[str]:
        return ["-m", "toolkit", "finetune", *self.arguments]


def work(cluster: Cluster, *, job: str, hosts: int, cards: int, arguments: Sequence[str]) -> Work:
    """With a data set that is a file here taken along. Raises ConfigError.

    `arguments`: of `toolkit finetune`, its data set first.
    """
    taken = [one for one in arguments if one.partition("=")[0] in {"--output", "--model"}]
    if taken:
        raise ConfigError(
            f"{taken[0]} is a pod's own matter.", next="Leave it out: --claim, --model-image and --model-claim say it."
        )
    first, *rest = arguments
    path, data = Path(first), None
    if path.is_file():
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(
                f"{first} has more than {MOST_BYTES // 1000} kB, too much for a manifest.",
                next=f"Copy it to the claim, and name it as {RESULTS}/{path.name}.",
            )
        try:
            name = path.name if KEY.fullmatch(path.name) else f"data{path.suffix}"
            data, first = (name, read_text(path)), f"{DATA}/{name}"
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{first} cannot be put into a manifest: {error}.", next="Copy it to the claim."
            ) from None
    own_model = cluster.model is None or "--resume" in arguments  # a run knows its own
    model = [] if own_model else ["--model", MODEL]
    return Work(
        cluster=cluster, name=job, hosts=hosts, cards=cards, data=data,
        arguments=(first, *rest, *model, "--output", RESULTS),
    )  # fmt: skip


def train_job(work: Work) -> list[Document]:
    """For Kubeflow Trainer. The volumes are in a runtime of its own: how a job overrides one differs by version."""
    pod = _pod(work, container="node")
    runtime = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {"name": work.name, "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": work.hosts, "torch": {}},
            "template": {"spec": {"replicatedJobs": [{
                "name": "node",
                "template": {
                    "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
                    "spec": {"backoffLimit": 0, "template": {"spec": pod}},
                },
            }]}},
        },
    }  # fmt: skip
    job = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": work.name},
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": work.name},
            "trainer": {
                "image": work.cluster.image,
                "command": work.torchrun,
                "args": work.finetune,
                "numNodes": work.hosts,
                "numProcPerNode": work.cards,
                "resourcesPerNode": {"limits": {"nvidia.com/gpu": work.cards}},
            },
        },
    }
    return [*_data(work), runtime, job]


def indexed_job(work: Work, port: int) -> list[Document]:
    """Where there is no Kubeflow."""
    pod = _pod(work, container="finetune") | {"restartPolicy": "Never", "subdomain": work.name}
    pod["containers"][0] |= {
        "command": work.torchrun,
        "args": [
            f"--nnodes={work.hosts}", f"--nproc-per-node={work.cards}", "--node-rank=$(NODE_RANK)",
            f"--master-addr={work.name}-0.{work.name}", f"--master-port={port}", *work.finetune,
        ],
        "env": [{"name": "NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": INDEX}}}],
        "resources": {"limits": {"nvidia.com/gpu": work.cards}},
    }  # fmt: skip
    labels = {"app.kubernetes.io/name": work.name}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": work.name},
        # Not ready yet: torchrun looks the first pod up while it starts.
        "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": labels},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": work.name},
        "spec": {
            "completionMode": "Indexed",
            "completions": work.hosts,
            "parallelism": work.hosts,
            "backoffLimit": 0,  # a run is continued with --resume, not begun again
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return [*_data(work), service, job]


def as_yaml(documents: Sequence[Document]) -> str:
    import yaml

    text: str = yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=120)
    return text


def _pod(work: Work, *, container: str) -> Document:
    # NCCL's processes exchange data by shared memory, of which a container has 64 MB.
    volumes: dict[str, tuple[str, Document]] = {
        "results": (RESULTS, {"persistentVolumeClaim": {"claimName": work.cluster.claim}}),
        "shared-memory": ("/dev/shm", {"emptyDir": {"medium": "Memory"}}),  # noqa: S108  # a mount point
    }
    if work.cluster.model is not None:
        volumes["base-model"] = (MODEL, work.cluster.model)
    if work.data is not None:
        volumes["data"] = (DATA, {"configMap": {"name": work.name}})
    mounts = [
        {"name": name, "mountPath": path} | ({} if name in {"results", "shared-memory"} else {"readOnly": True})
        for name, (path, _) in volumes.items()
    ]
    return {
        "containers": [{"name": container, "image": work.cluster.image, "volumeMounts": mounts}],
        "volumes": [{"name": name, **source} for name, (_, source) in volumes.items()],
    }


def _data(work: Work) -> list[Document]:
    if work.data is None:
        return []
    name, text = work.data
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": work.name}, "data": {name: text}}]
