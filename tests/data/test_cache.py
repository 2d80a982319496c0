"""Pictures are decoded once, whatever stops the work; what is not whole is not used."""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import PIL
import pytest
import torch
from trees import draw, tree

from adu_core import read_folder
from adu_core.cli import main
from adu_core.clips.preprocess import Preprocess
from adu_core.data import cache
from adu_core.data.messages import warn
from adu_core.data.picture import PictureError, read_picture
from adu_core.data.sources import TEST, load_splits, read_share

SIZE = Preprocess(8)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ADU_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path) -> list[Path]:
    return [draw(tmp_path / "pictures" / f"{i:02}.png", (i, 2 * i, 3 * i)) for i in range(40)]


def truth(files) -> torch.Tensor:
    return torch.stack([read_picture(file, SIZE) for file in files])


def test_a_second_read_decodes_nothing_and_is_mapped(folder, files, decoded):
    expected = truth(files)
    decoded.clear()
    first = cache.decode(files, SIZE)
    assert len(decoded) == 40
    second = cache.decode(files, SIZE)
    assert len(decoded) == 40
    assert first.pictures.equal(expected)
    assert second.pictures.equal(expected)
    assert {path.suffix for path in folder.iterdir()} == {".npy", ".json", ".lock"}
    second.pictures[0] = 9  # a private copy: the file stays as it is
    assert cache.decode(files, SIZE).pictures.equal(expected)


def test_what_pixels_depend_on_makes_another_file(folder, files, decoded, monkeypatch):
    def assert_made_once(files=files, preprocess=SIZE):
        decoded.clear()
        found = cache.decode(files, preprocess)
        assert len(decoded) == 40
        assert cache.decode(files, preprocess).pictures.equal(found.pictures)
        assert len(decoded) == 40

    assert_made_once()
    draw(files[3], "white", (9, 9))
    assert_made_once()
    os.utime(files[3], (1, 1))
    assert_made_once()
    found, raw = files[3].stat(), files[3].read_bytes()
    files[3].write_bytes(raw)
    os.utime(files[3], ns=(found.st_atime_ns, found.st_mtime_ns))  # as ``cp -p`` does
    assert_made_once()
    assert_made_once(files[::-1])
    assert_made_once(preprocess=Preprocess(9))
    assert_made_once(preprocess=Preprocess(8, "squash"))
    monkeypatch.setattr(PIL, "__version__", "0")
    assert_made_once()


SLOW = """
import os, sys, time
from pathlib import Path
from PIL import Image
from adu_core.data import cache
from adu_core.clips.preprocess import Preprocess
read = Image.open
def slow(file):
    time.sleep(float(sys.argv[2]))
    os.write(1, b"decoded\\n")  # in one piece, whatever the other thread writes
    return read(file)
Image.open = slow
files = sorted(Path(sys.argv[1]).glob("*.png"))
found = cache.decode(files, Preprocess(8))
print("sum", int(found.pictures.long().sum()), flush=True)
"""


def start(files, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", SLOW, str(files[0].parent), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(folder, files):
    with start(files, 0.02) as process:
        for _ in range(10):
            assert process.stdout.readline() == "decoded\n"
        process.send_signal(signal.SIGKILL)
    assert not list(folder.glob("*.npy"))
    assert cache.decode(files, SIZE).pictures.equal(truth(files))


def test_two_processes_at_once_share_the_work_of_one(folder, files, decoded):
    expected = truth(files)
    decoded.clear()
    with start(files, 0.03) as first:
        assert first.stdout.readline() == "decoded\n"
        assert cache.decode(files, SIZE).pictures.equal(expected)
        lines = first.stdout.read().splitlines()
    assert not decoded
    assert lines == ["decoded"] * 39 + [f"sum {int(expected.long().sum())}"]


@pytest.mark.parametrize(
    ("end", "damage"),
    [
        ("npy", lambda path: os.truncate(path, path.stat().st_size // 2)),
        ("npy", lambda path: os.truncate(path, 0)),
        ("json", Path.unlink),
        ("json", lambda path: path.write_text("{")),
    ],
)
def test_a_file_that_is_not_whole_is_made_anew(folder, files, decoded, end, damage):
    expected = cache.decode(files, SIZE).pictures.clone()
    decoded.clear()
    damage(next(folder.glob(f"*.{end}")))
    for _ in range(2):
        assert cache.decode(files, SIZE).pictures.equal(expected)
        assert len(decoded) == 40


def test_nothing_is_kept_if_nothing_is_to_be_kept(folder, files, decoded, monkeypatch):
    monkeypatch.setenv("ADU_CACHE", "off")
    assert cache.cache_folder() is None
    expected = truth(files)
    decoded.clear()
    for _ in range(2):
        assert cache.decode(files, SIZE).pictures.equal(expected)
    assert len(decoded) == 80
    assert not folder.exists()


@pytest.mark.parametrize(
    ("system", "values", "expected"),
    [
        ("Linux", {"HOME": "/h"}, "/h/.cache/adu"),
        ("Linux", {"XDG_CACHE_HOME": "/x"}, "/x/adu"),
        ("Darwin", {"HOME": "/h"}, "/h/Library/Caches/adu"),
        ("Windows", {"LOCALAPPDATA": "/l"}, "/l/adu"),
        ("Linux", {"ADU_CACHE": "/mine"}, "/mine"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch, system, values, expected):
    for name in ("ADU_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platform, "system", lambda: system)
    assert cache.cache_folder() == Path(expected)


def test_a_place_that_cannot_be_written_is_named_and_memory_is_taken(
    folder, files, monkeypatch, capsys
):
    folder.write_text("a file")
    assert cache.decode(files, SIZE).pictures.equal(truth(files))
    said = capsys.readouterr().err
    assert str(folder) in said
    assert "name another folder in ADU_CACHE" in said
    assert "into memory" in said
    with pytest.raises(OSError, match=r"cannot be used.* 2\.0 GB are too much for memory"):
        cache.decode(files, Preprocess(4100))


def test_a_full_disk_is_said_and_nothing_written_there(folder, files, decoded, monkeypatch, capsys):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    found = cache.decode(files, SIZE)
    said = capsys.readouterr().err
    assert re.search(r"GB are needed and 0\.00 GB are free.*Free some space", said)
    assert "into memory" in said
    assert len(decoded) == 40  # once: none of them for the cache
    assert found.pictures.equal(truth(files))
    assert not any(any(path.read_bytes()) for path in folder.iterdir())


def test_bad_pictures_are_an_error_or_left_out_and_the_rest_is_kept(folder, files, decoded):
    for number in (3, 17):
        files[number].write_text("no picture")
    for _ in range(2):
        with pytest.raises(PictureError, match=r"03\.png.*17\.png.*, 2 of 40, or say --skip-bad"):
            cache.decode(files, SIZE)
    assert len(decoded) == 40  # the second time, none is tried again
    found = cache.decode(files, SIZE, skip_bad=True)
    good = [file for number, file in enumerate(files) if number not in (3, 17)]
    assert found.pictures.equal(truth(good))
    assert list(found.bad) == [3, 17]
    decoded.clear()
    again = cache.decode(files, SIZE, skip_bad=True)
    assert again.pictures.equal(found.pictures)
    assert again.bad == found.bad
    assert not decoded
    for file in files:
        file.write_text("no picture")
    none = cache.decode(files, SIZE, skip_bad=True)
    assert (len(none.pictures), len(none.bad)) == (0, 40)


def test_a_mapped_dataset_does_all_that_another_does(folder, tmp_path, monkeypatch):
    root = tree(tmp_path / "data", ("photo", "sketch"), ("cat", "dog"), 6)
    mapped = read_folder(root, size=8)
    monkeypatch.setenv("ADU_CACHE", "off")
    plain = read_folder(root, size=8)
    assert mapped.fingerprint() == plain.fingerprint()
    index = torch.tensor([3, 1])
    assert mapped.subset(index).pictures.equal(plain.subset(index).pictures)
    assert mapped.few_shot(2).fingerprint() == plain.few_shot(2).fingerprint()
    assert [len(part) for part in mapped.pictures.split(10)] == [10, 10, 4]
    assert mapped.pictures.to(torch.float32).equal(plain.pictures.float())


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/statm is Linux's")
def test_opening_a_finished_file_takes_no_memory(folder, tmp_path):
    files = [draw(tmp_path / f"{i}.png", (i % 256, i // 256, 0)) for i in range(300)]
    big = Preprocess(200)  # 0.12 MB each
    cache.decode(files, big)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before = resident()
    found = cache.decode(files, big)
    assert resident() - before < 0.5 * found.pictures.numel()


def test_skip_bad_draws_another_picture_instead(folder, tmp_path, capsys):
    root = tree(tmp_path / "data", ("photo", "sketch"), ("cat", "dog"), 12)
    whole = read_folder(root, size=8, per_class_and_domain=3, seed=1)
    first = whole.pictures[0, 2, 0, 0].item()  # blue is the file's number
    (root / "photo/cat" / f"{first:02}.png").write_text("no picture")
    with pytest.raises(PictureError, match="1 of 12, or say --skip-bad"):
        read_folder(root, size=8, per_class_and_domain=3, seed=1)
    data = read_folder(root, size=8, per_class_and_domain=3, seed=1, skip_bad=True)
    assert (data.counts() == 3).all()
    known = whole.pictures[1:].flatten(1).tolist()
    assert sum(picture in known for picture in data.pictures.flatten(1).tolist()) == 11
    said = capsys.readouterr().err
    assert f"skip-bad leaves out 1 of 13 pictures of {root}" in said
    assert f"{first:02}.png" in said
    every = load_splits(f"folder:{root}?skip-bad", size=8, shots=3)
    assert sum(len(x) for x in (every.validation, every.test)) in (19, 20)


def test_skip_bad_that_leaves_nothing_of_a_class_is_an_error(folder, tmp_path):
    root = tree(tmp_path / "data", ("photo", "sketch"), ("cat", "dog"), 2)
    for file in (root / "photo/cat").iterdir():
        file.write_text("no picture")
    with pytest.raises(PictureError, match="no picture is left of cat in photo"):
        read_folder(root, size=8, skip_bad=True)


def test_a_run_lists_its_source_once_and_says_what_it_left_out(
    folder, tmp_path, monkeypatch, capsys
):
    root = tree(tmp_path / "data", ("photo", "sketch"), ("cat", "dog", "pig"), 10)
    for number in range(2, 10):
        (root / f"photo/pig/{number:02}.png").unlink()
    test = read_share(f"folder:{root}?skip-small=2", TEST, 8)
    number = test.pictures[0, 2, 0, 0].item()  # blue says which file of photo/cat
    (root / f"photo/cat/{number:02}.png").write_text("no picture")
    warn.cache_clear()
    words = ["run", "--data", f"folder:{root}", "--shots", "2", "--method", "zero-shot"]
    assert main(words) == 2
    assert "photo/pig holds 2" in capsys.readouterr().err
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (listed.append(str(path)), scandir(path))[1])
    assert main([*words, "--skip-small", "--skip-bad"]) == 0
    assert listed.count(str(root / "photo/cat")) == 1
    said = capsys.readouterr()
    assert "skip-small=2 leaves 1 of 3 classes out of every domain: pig" in said.err
    assert "skip-bad leaves out 1 of" in said.err
    assert f"folder:{root}?skip-bad&skip-small=2" in said.out
