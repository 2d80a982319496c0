"""One line names the pictures."""

import pytest

from adu_core.cli import main
from adu_core.data.grammar import Source, joined, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("world", Source("world")),
        ("folder:a/b", Source("folder", "a/b")),
        (r"folder:C:\pictures", Source("folder", r"C:\pictures")),
        ("hub:flwrlabs/pacs?skip-bad", Source("hub", "flwrlabs/pacs", True)),
        ("pacs:/d?skip-small=8", Source("pacs", "/d", False, 8)),
        ("pacs:/d?skip-bad&skip-small=8", Source("pacs", "/d", True, 8)),
        ("world?mix=0", Source("world", mix=0.0)),
        ("world?mix=0.35", Source("world", mix=0.35)),
    ],
)
def test_a_line_is_taken_apart_and_put_together(text, expected):
    assert parse(text) == expected
    assert str(parse(text)) == text


def test_a_question_mark_in_the_name_of_a_folder_is_no_option(tmp_path):
    folder = tmp_path / "what?skip-bad"
    folder.mkdir()
    assert parse(f"folder:{folder}") == Source("folder", str(folder))
    assert parse(f"folder:{folder}?skip-bad") == Source("folder", str(folder), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("moon", "no data 'moon': give 'world' or one of 'folder:ROOT'"),
        ("moon:x", "no data 'moon:x'"),
        ("world:x", "no data 'world:x'"),
        ("", "no data ''"),
        ("folder", "lacks its ROOT: give 'folder:ROOT'"),
        ("office-home", "give 'office-home:ROOT', or --data office-home --root ROOT"),
        ("hub:", "lacks its NAME: give 'hub:NAME'$"),
        ("world?skip-bad", "the drawn world has no bad pictures"),
        ("folder:x?skip-all", "no option 'skip-all'.*skip-bad, skip-small"),
        ("folder:x?mix=0.2", "mix is for the drawn world"),
        ("world?mix=0.6", "'world.mix=0.6': mix must be a number from 0 to 0.5"),
        ("world?mix=nan", "mix must be a number from 0 to 0.5"),
        ("world?mix=much", "mix must be a number from 0 to 0.5"),
        ("folder:x?skip-small=0", "no option 'skip-small=0'"),
        ("folder:x?skip-small=", "no option 'skip-small='"),
    ],
)
def test_a_line_that_says_nothing_is_answered_with_what_there_is(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize("name", ["pictures", "my pictures", "a,b", "pictures?skip-bad", "C:x"])
def test_a_folder_or_a_file_alone_is_told_its_kind(tmp_path, monkeypatch, capsys, name):
    (tmp_path / name).mkdir()
    (tmp_path / "rows.parquet").touch()
    monkeypatch.chdir(tmp_path)
    for place in (name, str(tmp_path / name)):
        assert main(["run", "--data", place]) == 2
        said = capsys.readouterr().err
        assert f"there is such a folder, say --data folder:{place}; or else give 'world'" in said
        assert "'imagenet-r:ROOT'" in said
        assert parse(f"folder:{place}").place == place
    with pytest.raises(ValueError, match=r"such a file, say --data hub:rows\.parquet"):
        parse("rows.parquet")


def test_the_root_and_what_is_left_out_are_joined_to_one_line():
    assert joined("pacs", "/d") == "pacs:/d"
    assert joined("pacs", "/d", skip_bad=True, shots=4) == "pacs:/d?skip-bad&skip-small=4"
    assert joined("pacs:/d?skip-bad", shots=2) == "pacs:/d?skip-bad&skip-small=2"
    for text in ("world", "hub", "pacs:/e", "moon"):
        with pytest.raises(ValueError, match="--root /d goes with a --data that needs"):
            joined(text, "/d")


def test_the_command_line_joins_them(tmp_path, capsys):
    for words, message in (
        (["--data", "office-home"], "or --data office-home --root ROOT"),
        (["--data", "office-home", "--root", str(tmp_path)], f"no office-home in {tmp_path}"),
        (["--root", str(tmp_path)], "goes with a --data that needs"),
        (["--data", "folder:x", "--download"], "--download goes with --data hub:NAME"),
    ):
        assert main(["run", *words]) == 2
        assert message in capsys.readouterr().err
