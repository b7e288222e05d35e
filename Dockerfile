# One image: a base model, ms-swift, the toolkit. `make build` passes the arguments (image/build/build.py); the order of the
# layers is the order of how seldom they change. There is no "# syntax" line: it would pull a frontend at each build.

# A `base` tag is enough: torch's wheels bring the CUDA libraries. Its CUDA major is that of requirements/torch-cuda.txt.
ARG BASE_IMAGE=nvidia/cuda:13.0.1-base-ubuntu24.04@sha256:f8ef28f579ea42a44b415d2c5d46f788e6a9b395c6c83f2929416e1fc192c143

# Empty, until a build names a folder for them: --build-context model=DIR, --build-context wheels=DIR.
FROM scratch AS model
FROM scratch AS wheels



FROM ${BASE_IMAGE} AS base
# Every stage has it: it makes pip's byte code depend on its source's content instead of its time.
ARG SOURCE_DATE_EPOCH
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /root
# - ca-certificates: `toolkit download` and the hubs, where the network is allowed
# - gcc, libc6-dev, python3-dev: Triton compiles its launchers when a kernel is first used
# - python3-venv: the environment below
# Versions are not pinned: both archives drop superseded ones within weeks, and a pin would then break the build.
# The logs and caches that a package manager leaves hold times, and would make every build another one.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates gcc libc6-dev python3-dev python3-venv \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old \
        /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /root/.cache



# Hashes every file against the lock inside the build, whatever the host did; without a model it makes an empty folder.
FROM base AS checked
ARG SOURCE_DATE_EPOCH
ARG MODEL=qwen2.5-7b-instruct
RUN --network=none \
    --mount=type=bind,source=data/locks,target=/locks \
    --mount=type=bind,source=image/core/lock.py,target=/lock.py \
    --mount=type=bind,from=model,target=/model \
    if [ "${MODEL}" = none ]; then mkdir /small; else python3 /lock.py "/locks/${MODEL}.json" /model /small; fi



FROM base AS weights
ARG SOURCE_DATE_EPOCH
ARG MODEL_FOLDER=Qwen2.5-7B-Instruct
# The licence and the configuration first: they come with every use of the weights.
COPY --link --from=checked /small/ /root/${MODEL_FOLDER}/
# A layer a shard: all under 4 GB, so registries take them, and pushes and pulls run side by side. --link makes a layer
# the same whatever lies beneath it. A model with fewer shards leaves the rest empty.
COPY --link --chmod=644 --from=model model.safetensor[s] model-00001-of-*.safetensors /root/${MODEL_FOLDER}/
COPY --link --chmod=644 --from=model model-00002-of-*.safetensors /root/${MODEL_FOLDER}/
COPY --link --chmod=644 --from=model model-00003-of-*.safetensors /root/${MODEL_FOLDER}/
COPY --link --chmod=644 --from=model model-00004-of-*.safetensors /root/${MODEL_FOLDER}/



# The environment is made in parts, each under /out in a stage of its own: none stands on another, nor on the weights, so
# that images with other weights, or none, are made of the same parts, and BuildKit makes them side by side.
FROM base AS environment
ARG SOURCE_DATE_EPOCH
ARG TORCH=cuda
# For every pip below; an ARG, since an ENV would stay in the image.
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_IGNORE_INSTALLED=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_NO_DEPS=1
ARG PIP_QUIET=1
ARG PIP_REQUIRE_HASHES=1
ARG PIP_USE_PEP517=1
# Without the setuptools that Python 3.11 puts there: the locked one comes with the libraries, and two would stay.
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip uninstall --yes setuptools



# torch and its CUDA libraries apart from the rest: they are most of the bytes, and change least. Three parts of about
# the same size, since an engine fetches three layers at a time, and stores one again from its start if the line breaks.
# A file of requirements is split by the names in it; torch's CPU build has nothing for the first two.
# pip.conf and ca_bundle are the builder's own, if any: they are mounted, never copied.
FROM environment AS cuda-first
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,source=requirements/torch-${TORCH}.txt,target=/torch.txt \
    --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=secret,id=pip_config,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle \
    if [ -e /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi \
    && mkdir --parents /out/opt && cp --archive /opt/venv /out/opt/ \
    && awk '/^[a-z]/ { wanted = /^nvidia-.*(cudnn|nccl|cusparselt|nvshmem)/ } wanted' /torch.txt > /wanted.txt \
    && /opt/venv/bin/pip install --root /out --find-links /wheels -r /wanted.txt



FROM environment AS cuda-second
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,source=requirements/torch-${TORCH}.txt,target=/torch.txt \
    --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=secret,id=pip_config,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle \
    if [ -e /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi \
    && mkdir /out \
    && awk '/^[a-z]/ { wanted = /^nvidia-/ && !/^nvidia-.*(cudnn|nccl|cusparselt|nvshmem)/ } wanted' /torch.txt \
        > /wanted.txt \
    && /opt/venv/bin/pip install --root /out --find-links /wheels -r /wanted.txt



FROM environment AS torch
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,source=requirements/torch-${TORCH}.txt,target=/torch.txt \
    --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=secret,id=pip_config,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle \
    if [ -e /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi \
    && awk '/^[a-z]/ { wanted = !/^nvidia-/ } wanted' /torch.txt > /wanted.txt \
    && /opt/venv/bin/pip install --root /out --find-links /wheels -r /wanted.txt



# build.txt, --no-build-isolation: for the packages that come as source, pip would fetch a setuptools of its own choice.
# -g0: one that compiles (crcmod) would hold the name of pip's random folder in its debugging information.
# What the part above has in the same version is left out.
FROM environment AS libraries
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,source=requirements/torch-${TORCH}.txt,target=/torch.txt \
    --mount=type=bind,source=requirements/runtime.txt,target=/runtime.txt \
    --mount=type=bind,source=requirements/build.txt,target=/build.txt \
    --mount=type=secret,id=pip_config,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle \
    if [ -e /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi \
    && export CFLAGS=-g0 \
    && awk '/^[a-z]/ { wanted = FILENAME == "/runtime.txt" && !($1 in above); above[$1] } wanted' /torch.txt /runtime.txt \
        > /wanted.txt \
    && /opt/venv/bin/pip install -r /build.txt \
    && /opt/venv/bin/pip install --root /out --no-build-isolation -r /wanted.txt \
    && echo /opt/toolkit > "$(echo /out/opt/venv/lib/python3.*/site-packages)/toolkit.pth"



# The whole environment, for the stages that need it; nothing of this one is in the image.
FROM base AS assembled
ARG SOURCE_DATE_EPOCH
COPY --link --from=cuda-first /out/ /
COPY --link --from=cuda-second /out/ /
COPY --link --from=torch /out/ /
COPY --link --from=libraries /out/ /



# llama.cpp's converter, for `export --to gguf` in f16 and q8_0: pure Python, and in no package but the source of
# llama-cpp-python, of which nothing is built here. pip asks a source for its metadata, hence its build backend, which
# looks for CMake without the variable.
FROM base AS converter
ARG SOURCE_DATE_EPOCH
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_NO_DEPS=1
ARG PIP_QUIET=1
ARG PIP_REQUIRE_HASHES=1
RUN --mount=type=bind,source=requirements/formats.txt,target=/formats.txt \
    --mount=type=bind,source=requirements/formats-build.txt,target=/build.txt \
    --mount=type=secret,id=pip_config,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle \
    if [ -e /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi \
    && python3 -m venv /opt/pip && mkdir /source /llama.cpp \
    && awk '/^[a-z]/ { wanted = /^(packaging|pathspec|scikit-build-core)==/ } wanted' /build.txt > /source/build.txt \
    && awk '/^[a-z]/ { wanted = /^llama-cpp-python==/ } wanted' /formats.txt > /source/wanted.txt \
    && /opt/pip/bin/pip install -r /source/build.txt \
    && SKBUILD_WHEEL_CMAKE=false \
        /opt/pip/bin/pip download --no-build-isolation --no-binary :all: --dest /source -r /source/wanted.txt \
    && inside=$(basename /source/*.tar.gz .tar.gz)/vendor/llama.cpp \
    && tar -xzf /source/*.tar.gz -C /llama.cpp --strip-components=3 --no-same-owner \
        "${inside}/conversion" "${inside}/gguf-py/gguf" "${inside}/LICENSE" \
    && chmod --recursive u=rwX,go=rX /llama.cpp



# The bill of materials of what was installed; the tool that writes it stays in this stage.
FROM assembled AS sbom
ARG SOURCE_DATE_EPOCH
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG PIP_NO_CACHE_DIR=1
ARG PIP_NO_DEPS=1
ARG PIP_QUIET=1
ARG PIP_REQUIRE_HASHES=1
RUN --mount=type=bind,source=requirements/sbom.txt,target=/sbom.txt \
    --mount=type=secret,id=pip_config,target=/etc/pip.conf \
    --mount=type=secret,id=ca_bundle \
    if [ -e /run/secrets/ca_bundle ]; then export PIP_CERT=/run/secrets/ca_bundle; fi \
    && python3 -m venv /opt/cyclonedx \
    && /opt/cyclonedx/bin/pip install -r /sbom.txt \
    && /opt/cyclonedx/bin/cyclonedx-py environment --output-reproducible --output-file /sbom.cdx.json \
        /opt/venv/bin/python



# The toolkit as it will lie, with its byte code: a checkout's file modes and umask must not decide the image.
FROM assembled AS toolkit
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,target=/source \
    mkdir --parents /data /out/opt/toolkit /out/root \
    && cp --recursive /source/toolkit /source/LICENSE /source/NOTICE /out/opt/toolkit/ \
    && cp --recursive /source/image/bin /out/opt/toolkit/bin \
    && find /source/data -mindepth 1 -maxdepth 1 ! -name tiny-qwen2 -exec cp --recursive {} /data/ \; \
    && cp /source/data/self_cognition.json /out/root/ \
    && chmod --recursive u=rwX,go=rX /data /out \
    && chmod 755 /out/opt/toolkit/bin/* \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode checked-hash -s /out /out/opt/toolkit/toolkit \
    # Any uid may work in /root, as in /tmp: the caller's own runs here, so that results on the host are the caller's.
    && chmod 1777 /out/root



# Only COPY --link from here on: nothing beneath has to be unpacked for them, and each layer is the same on any other.
FROM weights AS runtime
ARG SOURCE_DATE_EPOCH
COPY --link --from=cuda-first /out/ /
COPY --link --from=cuda-second /out/ /
COPY --link --from=torch /out/ /
COPY --link --from=libraries /out/ /
COPY --link --from=converter /llama.cpp/ /opt/venv/share/llama.cpp/
COPY --link --chmod=644 --from=sbom /sbom.cdx.json /opt/toolkit/sbom.cdx.json
# The embedded model and the data apart from the code: they are larger than the code, or change less.
COPY --link data/tiny-qwen2/ /opt/toolkit/data/tiny-qwen2/
COPY --link --from=toolkit /data/ /opt/toolkit/data/
# What agents read of `toolkit mcp`.
COPY --link --chmod=644 docs/*.md /opt/toolkit/docs/
# /root/self_cognition.json comes along: where the article has it. Last of all, since its /root is the one of any uid.
COPY --link --from=toolkit /out/ /

# The folder above, or for an image without weights the name of the model that the host is to mount in /root/models.
ARG DEFAULT_MODEL=/root/Qwen2.5-7B-Instruct
# - HOME, USER: an unknown uid would get "/" and no name, and Python's getpass raises without one
# - LANG: the questions and answers are Chinese and English
# - PATH: our `swift` before ms-swift's own
# - TOOLKIT_IMAGE: an image cannot contain its own digest; `image run` gives it, for run.json
ENV HOME=/root \
    USER=root \
    LANG=C.UTF-8 \
    PATH=/opt/toolkit/bin:/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    TOOLKIT_IMAGE=unknown \
    TOOLKIT_MODEL=${DEFAULT_MODEL}
# No ENTRYPOINT: people expect a shell.
CMD ["bash"]

# Last, since they change with every commit, and move no layer.
ARG BASE_IMAGE
ARG MODEL_FOLDER=Qwen2.5-7B-Instruct
ARG CREATED
ARG VERSION
ARG REVISION
ARG SOURCE
ARG MODEL
ARG MODEL_BYTES
ARG MODEL_LOCK_SHA256
ARG MODEL_REPOSITORY
ARG MODEL_REVISION
ARG BASE_DIGEST
ARG BASE_NAME
LABEL org.opencontainers.image.title="finetune-and-prove" \
      org.opencontainers.image.description="Fine-tunes a Qwen2.5 model on one card in minutes, and proves what changed" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      finetune-and-prove.model.name="${MODEL}" \
      finetune-and-prove.model.folder="${MODEL_FOLDER}" \
      finetune-and-prove.model.bytes="${MODEL_BYTES}" \
      finetune-and-prove.model.repository="${MODEL_REPOSITORY}" \
      finetune-and-prove.model.revision="${MODEL_REVISION}" \
      finetune-and-prove.model.lock-sha256="${MODEL_LOCK_SHA256}"
