"""Names of the image's labels, one of the four places where the host side and the model side meet.

A published adapter's annotations use the same names.
"""

MODEL_NAME = "finetune-and-prove.model.name"
MODEL_FOLDER = "finetune-and-prove.model.folder"
MODEL_BYTES = "finetune-and-prove.model.bytes"
MODEL_REPOSITORY = "finetune-and-prove.model.repository"
MODEL_REVISION = "finetune-and-prove.model.revision"
MODEL_LOCK_SHA256 = "finetune-and-prove.model.lock-sha256"
RUN_ID = "finetune-and-prove.run.id"
RUN_ADAPTER_SHA256 = "finetune-and-prove.run.adapter-sha256"
RUN_VERDICT = "finetune-and-prove.run.verdict"
DATA_SHA256 = "finetune-and-prove.data.sha256"

CREATED = "org.opencontainers.image.created"
SOURCE = "org.opencontainers.image.source"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
VERSION = "org.opencontainers.image.version"
REVISION = "org.opencontainers.image.revision"

REQUIRED = (
    "org.opencontainers.image.title",
    "org.opencontainers.image.description",
    CREATED,
    SOURCE,
    "org.opencontainers.image.licenses",
    BASE_NAME,
    VERSION,
    REVISION,
    MODEL_NAME,
    MODEL_FOLDER,
)
# Required as well if a model is baked in. MODEL_REPOSITORY is empty for a model that ships with the toolkit.
REQUIRED_WITH_A_MODEL = (MODEL_BYTES, MODEL_REVISION, MODEL_LOCK_SHA256)
