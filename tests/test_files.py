"""Files are written whole or not at all, and where nothing can be written it is said in time."""

import errno
import os
import stat
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from digitlab import environment
from digitlab.environment import (
    cache_folder,
    kept_on_disk,
    made_cache_folder,
    printable,
    refuse_unwritable,
    replacing,
)


@contextmanager
def full_disk():
    """Let no file grow: a write fails as on a full disk. Windows has no such limit."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_bytes_and_text_arrive_as_they_are(tmp_path):
    with replacing(tmp_path / "a.npy") as out:
        np.save(out, np.arange(3))
    with replacing(tmp_path / "b.csv", "w") as out:
        out.write("sieben,七\n")
    assert np.load(tmp_path / "a.npy").tolist() == [0, 1, 2]
    assert (tmp_path / "b.csv").read_bytes() == "sieben,七\n".encode()


def test_what_is_written_in_vain_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "model.npz"
    neighbours = {name: name for name in ("model.npz", "model.part", "model.npz.part", "model.tmp")}
    for name, text in neighbours.items():
        (tmp_path / name).write_text(text)
    for error in (KeyboardInterrupt, ValueError):
        with pytest.raises(error), replacing(file) as out:
            out.write(b"half")
            raise error
    with pytest.raises(OSError, match=r"model\.npz cannot be written: the disk is full"):  # noqa: SIM117
        with full_disk(), replacing(file) as out:
            out.write(b"half")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == neighbours
    with replacing(file, "w") as out:
        out.write("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == neighbours | {
        "model.npz": "new"
    }


def test_two_writers_of_one_name_do_not_meet(tmp_path):
    with replacing(tmp_path / "a", "w") as one, replacing(tmp_path / "a", "w") as other:
        one.write("one" * 10000)
        other.write("other")
    assert (tmp_path / "a").read_text() == "one" * 10000


@pytest.mark.skipif(sys.platform == "win32", reason="there a file has other permissions")
def test_permissions_are_those_of_any_new_file_or_of_the_one_before(tmp_path):
    before = os.umask(0o027)
    try:
        for mode in (None, 0o600):
            with replacing(tmp_path / "a") as out:
                out.write(b"a")
            (tmp_path / "plain").write_bytes(b"a")
            expected = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
            assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == (mode or expected)
            (tmp_path / "a").chmod(0o600)
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="there /dev/null is no device")
def test_a_link_stays_a_link_and_a_device_a_device(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    with replacing(tmp_path / "link", "w") as out:
        out.write("seven")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "seven"
    with replacing("/dev/null", "w") as out:
        out.write("seven")
    refuse_unwritable("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/a.json", "there is no such folder; make it first"),
        ("file/a.json", "what should be its folder is a file"),
        ("folder", "it is a folder; give the name of a file"),
        ("n" * 300, "its name is too long"),
        ("locked", "you may not write there; choose another place"),
    ],
)
def test_where_nothing_can_be_written_is_said_before_and_then(tmp_path, monkeypatch, name, words):
    (tmp_path / "folder").mkdir()
    for file in ("file", "locked"):
        (tmp_path / file).write_text("mine")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked")
    with pytest.raises(OSError, match=f"{name} cannot be written: {words}"):
        refuse_unwritable(tmp_path / name)
    with pytest.raises(OSError, match=f"{name} cannot be written: {words}"):  # noqa: SIM117
        with replacing(tmp_path / name):
            pass
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "locked"]
    assert (tmp_path / "locked").read_text() == "mine"


def test_a_probe_finds_a_full_disk_and_changes_nothing(tmp_path):
    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        refuse_unwritable(tmp_path / name)
        with full_disk(), pytest.raises(OSError, match=f"{name} cannot be written: the disk is"):
            refuse_unwritable(tmp_path / name)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_an_error_about_another_file_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "a"):
        (tmp_path / "other").read_text()
    assert raised.value.filename == str(tmp_path / "other")


# --- the cache --------------------------------------------------------------------------------


def test_the_cache_is_named_without_being_made(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DIGITLAB_CACHE", "~/laboratory")
    assert cache_folder() == tmp_path / "laboratory"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITLAB_CACHE", "here")
    assert cache_folder() == tmp_path / "here"
    assert list(tmp_path.iterdir()) == []
    assert made_cache_folder().is_dir()


@pytest.mark.parametrize("name", ["file", "link", "~nobody-of-this-name/cache"])
def test_what_cannot_be_a_folder_is_refused_as_the_cache(tmp_path, monkeypatch, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITLAB_CACHE", name)
    with pytest.raises(NotADirectoryError, match="set DIGITLAB_CACHE to a folder"):
        cache_folder()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, None])
def test_without_a_cache_results_are_computed_and_one_warning_says_so(
    tmp_path, monkeypatch, number
):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "cache"
    if number is None:
        folder = tmp_path / "file" / "cache"
    else:
        monkeypatch.setattr(Path, "mkdir", _failing(number))
    monkeypatch.setenv("DIGITLAB_CACHE", str(folder))
    environment._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="not kept .*set DIGITLAB_CACHE") as warned:
        for _ in range(2):
            double = kept_on_disk(lambda x: 2 * x)
            assert double(21) == 42
            assert not double.check_call_in_cache(21)
    assert len(warned) == 1


def _failing(number):
    def fail(path, *args, **kwargs):
        raise OSError(number, os.strerror(number), str(path))

    return fail


def test_with_a_cache_results_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "new" / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kept_on_disk(np.square)(3) == 9
        assert kept_on_disk(np.square).check_call_in_cache(3)


def test_a_cache_that_fills_up_costs_no_result(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    kept = kept_on_disk(np.square)
    assert kept(2) == 4
    with full_disk(), warnings.catch_warnings(record=True):
        assert kept(3) == 9


# --- what can be printed ----------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
@pytest.mark.parametrize("text", ["7_anna.wav", "七.wav", "andr\udce9.wav", "\ud83d.wav"])
def test_every_name_can_be_printed_everywhere(text, encoding):
    said = printable(text, encoding)
    said.encode(encoding)
    assert printable(said, encoding) == said
    assert said.endswith(".wav") and (said == text or "\\u" in said)
