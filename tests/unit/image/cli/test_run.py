"""Sizes and ports as `run` takes them."""

import pytest

from image.cli.run import Publish, Size
from image.engine import Port


@pytest.mark.parametrize(("text", "expected"), [("500m", 500 * 1024**2), ("2g", 2 * 1024**3), ("1024", 1024)])
def test_sizes_are_read_as_docker_reads_them(text: str, expected: int) -> None:
    assert Size().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["", "g", "-1", "0", "2x", "1.5g"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not a size"):
        Size().convert(text, None, None)


def test_a_published_port_is_this_hosts_alone_unless_an_address_is_named() -> None:
    def read(text: str) -> Port:
        return Publish().convert(text, None, None)

    assert read("8000") == Port(host="127.0.0.1", host_port=8000, container_port=8000)
    assert read("9000:8000") == Port(host="127.0.0.1", host_port=9000, container_port=8000)
    assert read("0.0.0.0:9000:8000") == Port(host="0.0.0.0", host_port=9000, container_port=8000)
    assert read("[::1]:9000") == Port(host="::1", host_port=9000, container_port=9000)


@pytest.mark.parametrize("text", ["", "0", "70000", "8000:0", "host:8000", "1:2:3:4", "-8000"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not a port"):
        Publish().convert(text, None, None)
