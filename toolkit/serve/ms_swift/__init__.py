"""Deploys: one call from the use case into ms-swift, and back with what answers."""

from logging import CRITICAL, getLogger
from typing import Any

from toolkit.core.read_ahead import prefetch, prefetch_libraries
from toolkit.core.startup import prepare_environment, restore_gc
from toolkit.serve.job import ServeJob


def deployed(job: ServeJob) -> Any:
    """A `Deployment` that has answered under each of its names; raises whatever ms-swift does."""
    prefetch(job.model_folder)
    prefetch_libraries()
    prepare_environment()
    from transformers.utils import logging

    logging.disable_progress_bar()  # stderr tells when it is ready
    getLogger("swift").setLevel(CRITICAL)  # its faults are raised; what it prints beside them is noise
    from toolkit.serve.ms_swift.deployment import Deployment

    restore_gc()
    deployment = Deployment(job)
    deployment.warm_up()
    return deployment
