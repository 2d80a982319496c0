"""Files are whole or not there, and hold what was written."""

import pytest
import torch

from adu_core.machine.files import read_json, read_tensors, replacing, write_json, write_tensors


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_good_write_takes_the_place_and_makes_the_folder(tmp_path):
    path = tmp_path / "new" / "notes.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.suffix == ".txt"  # libraries choose the format by it
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_tensors_and_what_is_said_of_them_come_back(tmp_path):
    tensors = {"a": torch.arange(6).reshape(2, 3).T, "b": torch.rand(2, requires_grad=True)}
    write_tensors(tmp_path / "t.safetensors", tensors, {"epochs": [1, 2], "name": "é"})
    found, about = read_tensors(tmp_path / "t.safetensors")
    assert about == {"epochs": [1, 2], "name": "é"}
    assert found.keys() == tensors.keys()
    assert all(found[key].equal(tensors[key]) for key in tensors)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_what_is_not_finite_is_written_as_null(tmp_path, value):
    write_json(tmp_path / "r.json", {"a": [value, {"b": (value,)}], "c": value})
    text = "".join((tmp_path / "r.json").read_text().split())
    assert text == '{"a":[null,{"b":[null]}],"c":null}'


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_refused(tmp_path, word):
    (tmp_path / "r.json").write_text(f'{{"a": {word}}}')
    with pytest.raises(ValueError, match=rf"r\.json is not readable as JSON \({word} is no number"):
        read_json(tmp_path / "r.json")


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "bad.json").write_text("{'a': 1}")
    with pytest.raises(ValueError, match=r"bad.json is not readable as JSON"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(FileNotFoundError, match=r"none.json is missing"):
        read_json(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"bad.json is not a whole safetensors file"):
        read_tensors(tmp_path / "bad.json")
