"""The Debian packages that an image has, and those that differ from another's."""

from image.build.packages import STATUS, Package, changes, packages
from tests.fakes.built_image import GCC, BuiltImage


def test_the_installed_packages_are_read_in_the_order_of_their_names() -> None:
    found = packages(BuiltImage(), "image")  # type: ignore[arg-type]

    assert [(one.name, one.version, one.architecture) for one in found] == [
        ("gcc", "4:12.2.0-3", "amd64"), ("libc6", "2.36-9", "amd64"),
    ]  # fmt: skip


def test_an_image_without_debians_package_manager_has_none() -> None:
    image = BuiltImage()
    del image.files[STATUS]

    assert packages(image, "image") == ()  # type: ignore[arg-type]


def test_a_component_has_its_package_url() -> None:
    [gcc, _] = packages(BuiltImage(), "image")  # type: ignore[arg-type]

    assert gcc.component("debian")["purl"] == "pkg:deb/debian/gcc@4%3A12.2.0-3?arch=amd64"


def versions(**found: str) -> tuple[Package, ...]:
    return tuple(Package(name=name, version=version, architecture="all") for name, version in found.items())


def test_what_differs_is_named() -> None:
    before, after = versions(gcc="1", libc6="2", vim="3"), versions(gcc="1.1", libc6="2", nano="4")

    assert changes(before, after) == "gcc 1 → 1.1, nano 4 added, vim 3 removed"
    assert changes(before, before) == ""


def test_of_many_the_first_are_named_and_the_rest_counted() -> None:
    many = versions(**{f"p{number:02}": "1" for number in range(20)})

    assert changes((), many).endswith("p11 1 added, and 8 more")


def test_a_newer_status_is_another_package() -> None:
    newer = BuiltImage(files={STATUS: GCC.replace("12.2.0-3", "12.2.0-4")})

    assert "gcc 4:12.2.0-3 → 4:12.2.0-4" in changes(packages(BuiltImage(), "a"), packages(newer, "b"))  # type: ignore[arg-type]
