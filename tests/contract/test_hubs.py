"""What the toolkit relies on in the hubs' clients beyond their documentation. An upgrade begins in docs/fragile.md."""

import inspect
import logging

import pytest

from toolkit.core.events import silent
from toolkit.model.hub.fetch import _Meter
from toolkit.model.lock import LockedFile

FILE = LockedFile(name="model.safetensors", size_bytes=100, sha256="0" * 64)


def test_http_get_appends_to_an_open_file_and_resumes_by_size(parameters):
    from huggingface_hub.file_download import http_get

    assert {"url", "temp_file", "resume_size", "headers", "expected_size", "tqdm_class"} <= set(parameters(http_get))


def test_http_get_opens_whatever_is_called_as_a_progress_bar():
    """`_Meter.open_bar` stands in for a bar: it is called with `initial`, then updated within a context."""
    from huggingface_hub.utils.tqdm import _get_progress_bar_context

    meter = _Meter(FILE, silent)
    with _get_progress_bar_context(
        desc="model", log_level=logging.WARNING, total=100, initial=40, name="http_get", tqdm_class=meter.open_bar
    ) as bar:  # fmt: skip
        bar.update(10)

    assert bar is meter
    assert meter._done == 50


def test_http_get_takes_back_what_it_counted_when_it_starts_again():
    from huggingface_hub import file_download

    assert "_tqdm_bar.update(-resume_size)" in inspect.getsource(file_download.http_get)


def test_http_get_keeps_a_range_that_it_is_given_and_goes_on_within_it():
    """A large file is fetched in pieces: http_get takes each for a file of its own, which it resumes."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._http import _adjust_range_header

    assert _adjust_range_header("bytes=100-199", 30) == "bytes=130-199"
    source = inspect.getsource(http_get)
    assert "expected_size != new_resume_size" in source  # the bytes of this call, not the file's length
    assert source.count("temp_file.tell()") == 1  # only where a server sends the whole file again
    assert "temp_file.seek(max(temp_file.tell() - resume_size, 0))" in source


def test_the_helpers_beside_http_get_take_an_endpoint(parameters):
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    assert {"repo_id", "filename", "revision", "endpoint"} <= set(parameters(hf_hub_url))
    assert {"url", "endpoint"} <= set(parameters(get_hf_file_metadata))
    assert "library_name" in parameters(build_hf_headers)


def test_uploads_read_the_xet_flag_when_they_begin(monkeypatch, calls):
    from huggingface_hub import _commit_api, constants

    assert "is_xet_available" in calls(_commit_api._upload_files)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    assert not _commit_api.is_xet_available()


def test_a_failed_upload_is_a_runtime_error_with_its_cause():
    from huggingface_hub import _commit_api

    assert 'raise RuntimeError(f"Error while uploading' in inspect.getsource(_commit_api)


def test_its_errors_have_these_classes():
    import httpx
    from huggingface_hub import errors

    assert issubclass(errors.RevisionNotFoundError, errors.HfHubHTTPError)
    assert issubclass(errors.RepositoryNotFoundError, errors.HfHubHTTPError)
    assert issubclass(errors.HfHubHTTPError, httpx.HTTPError)
    assert issubclass(errors.OfflineModeIsEnabled, ConnectionError)


@pytest.mark.parametrize("name", ["huggingface_hub", "modelscope_hub"])
def test_retries_are_logged_below_the_clients_name(name):
    """The toolkit's own bar shows them in one word; the client's lines would break it."""
    import importlib

    module = {"huggingface_hub": "huggingface_hub.file_download", "modelscope_hub": "modelscope_hub._download"}[name]
    logger = importlib.import_module(module).logger

    assert logger.name.partition(".")[0] == name
    assert logger.propagate or logger.name == name


def test_modelscope_downloads_one_file_with_these_arguments(parameters):
    from modelscope_hub import HubApi

    downloader = HubApi(endpoint="http://127.0.0.1:9").downloader

    assert parameters(downloader.download_file)[:3] == ["repo_id", "repo_type", "file_path"]
    assert {"revision", "local_dir", "cache_dir", "file_size", "progress_callbacks"} <= set(
        parameters(downloader.download_file)
    )


def test_modelscope_gathers_bytes_in_the_file_that_a_resumption_looks_for(tmp_path):
    from modelscope_hub import _download

    from toolkit.model.hub.fetch import incomplete

    assert _download._incomplete_path(tmp_path / FILE.name) == incomplete(tmp_path, FILE.name)


def test_modelscope_reports_progress_by_update_and_end():
    from modelscope_hub._download import ProgressCallback

    assert {"update", "end"} <= vars(ProgressCallback).keys()
    assert {"update", "end"} <= vars(_Meter).keys()


def test_modelscopes_errors_have_these_classes():
    from modelscope_hub import errors

    assert {"status_code"} <= set(inspect.signature(errors.APIError.__init__).parameters)
    for kind in (errors.FileIntegrityError, errors.RequestTimeoutError, errors.NetworkError):
        assert issubclass(kind, Exception)


def test_modelscope_reads_its_retries_from_the_environment():
    from modelscope_hub import constants

    assert "MODELSCOPE_DOWNLOAD_MAX_RETRIES" in inspect.getsource(constants)
