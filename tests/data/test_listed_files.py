"""Files of a folder in the order of their names' parts, each by one look; named ones stay inside it."""

import pytest

from explorer.data.class_folders import files_in
from explorer.data.named_files import NamedFiles


@pytest.fixture
def folder(tmp_path):
    """Names that a plain comparison of paths puts in another order than one part by part."""
    names = "b.png a/2.png a/10.PNG a.x/1.png a-b/1.png a/z/3.png .hidden.png a/._2.png note.txt png".split()
    for name in names:
        file = tmp_path / "inside" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    (tmp_path / "outside.png").write_bytes(b"")
    (tmp_path / "inside" / "link.png").symlink_to(tmp_path / "inside" / "b.png")
    (tmp_path / "inside" / "out.png").symlink_to(tmp_path / "outside.png")
    return tmp_path / "inside"


def test_files_come_in_the_order_of_the_parts_of_their_paths(folder):
    listed = files_in(folder, (".png",))
    plain = [path for path in folder.rglob("*") if path.suffix.lower() == ".png" and path.is_file()]
    plain = [path for path in plain if not path.name.startswith(".")]
    assert listed == [str(path) for path in sorted(plain, key=lambda path: path.parts)]
    assert listed != sorted(listed)  # otherwise this test would see nothing


@pytest.mark.parametrize("name", ["b.png", "a/2.png", "a/z/3.png", "./b.png", "a/../b.png", "link.png"])
def test_a_named_file_is_found(folder, name):
    assert NamedFiles(folder).path(name) == str(folder / name)


@pytest.mark.parametrize(
    "name", ["c.png", "a", "", ".", "../outside.png", "a/../../outside.png", "out.png", "/etc/hostname"]
)
def test_negative_control_a_name_that_leads_elsewhere_is_not(folder, name):
    files = NamedFiles(folder)
    assert files.path("b.png") is not None and files.path(name) is None


def test_a_folder_is_listed_once(folder):
    files = NamedFiles(folder)
    assert files.path("a/2.png") is not None
    (folder / "a" / "2.png").unlink()  # what is looked up afterwards needs no look at the disk
    assert files.path("a/2.png") is not None and files.path("a/3.png") is None
