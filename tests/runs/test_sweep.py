"""Many runs: which records are the ones asked for, and who runs what is missing."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from by_hand import record
from PIL import Image

from adu_core import ABLATION, FrozenCLIP, Spec, Target, records
from adu_core.cli import main
from adu_core.machine.files import read_json, read_tensors, write_json, write_tensors
from adu_core.machine.provenance import peak_memory_mb, reset_peak_memory
from adu_core.rivals.zero_shot import ZeroShot
from adu_core.runs import sweep
from adu_core.runs.record import pack
from adu_core.runs.run_spec import check, run

QUICK = replace(ABLATION["baseline"], epochs=1, prompt_tokens=2)


@pytest.fixture
def spec(picture_folder: Path, tiny_path: str) -> Spec:
    return Spec(
        QUICK,
        Target(("sketch",)),
        data=f"folder:{picture_folder}",
        clip=(tiny_path, None),
        shots=1,
        measure=(),
    )


def results(path: Path) -> dict[str, Any]:
    """A record without what the machine and its clock put in."""
    found: dict[str, Any] = read_json(path)
    del found["provenance"], found["found"]["fit_seconds"]
    return found


def go(work: list[Spec], folder: Path, **how: Any) -> list[Path]:
    return sweep.sweep(work, folder, progress=False, **how)


def test_a_sweep_goes_on_where_it_stopped(spec: Spec, tmp_path: Path) -> None:
    work = [replace(spec, seed=seed) for seed in range(2)]
    first, second = go(work, tmp_path)
    assert [first.name, second.name] == [f"{one.name}.json" for one in work]
    kept = first.read_bytes()
    second.unlink()
    go(work, tmp_path)
    assert first.read_bytes() == kept
    assert second.exists()
    pack(tmp_path)
    go([*work, replace(spec, seed=2)], tmp_path)  # what is a line of the packed file is not run
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_a_record_names_its_pictures_and_shots_by_their_content(
    spec: Spec, picture_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(picture_folder, tmp_path / "moved")
    changes: list[dict[str, Any]] = [
        {},
        {"data": f"folder:{tmp_path / 'moved'}"},
        {"on": "validation"},
        {"limit": 2},
        {"shots": 2},
        {"data": "world", "limit": 1},
        {"data": "world?mix=0.25", "limit": 1},
    ]
    work = [replace(spec, method=ZeroShot(), **change) for change in changes]
    records = [read_json(path) for path in go(work, tmp_path / "records")]
    assert [Spec.from_dict(record["config"], "it") for record in records] == work
    pictures, shots = (
        [record["found"][f"{which}_fingerprint"] for record in records]
        for which in ("pictures", "shots")
    )
    # Which of them are the same as which earlier one.
    assert list(map(pictures.index, pictures)) == [0, 0, 2, 3, 0, 5, 6]
    assert list(map(shots.index, shots)) == [0, 0, 0, 0, 4, 5, 6]


def test_a_record_of_another_spec_under_this_name_is_refused(spec: Spec, tmp_path: Path) -> None:
    (path,) = go([replace(spec, seed=1)], tmp_path)
    path.rename(tmp_path / f"{spec.name}.json")
    with pytest.raises(ValueError, match="is of another spec: remove it"):
        go([spec], tmp_path)


def test_a_record_of_another_clip_is_refused(spec: Spec, tmp_path: Path, tiny_path: str) -> None:
    own = tmp_path / "clip.safetensors"
    shutil.copy(tiny_path, own)
    shutil.copy(Path(tiny_path).with_suffix(".json"), own.with_suffix(".json"))
    mine = replace(spec, clip=(str(own), None))
    go([mine], tmp_path / "records")
    go([mine], tmp_path / "records")  # the same CLIP: the record is kept
    weights, about = read_tensors(own)
    write_tensors(own, weights | {"visual.proj": -weights["visual.proj"]}, about)
    with pytest.raises(ValueError, match="was made with a CLIP whose fingerprint was"):
        go([mine], tmp_path / "records")


def test_several_processes_give_the_records_of_one(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = 2 * torch.get_num_threads()  # so that each of two has as many as this process
    monkeypatch.setattr(os, "cpu_count", lambda: both)
    work = [replace(spec, method=made) for made in (QUICK, replace(ABLATION["full"], epochs=1))]
    alone, together = go(work, tmp_path / "one"), go(work, tmp_path / "two", processes=2)
    assert [path.name for path in alone] == [path.name for path in together]
    for one, two in zip(alone, together, strict=True):
        assert results(one) == results(two)


class Cluster:
    """What a sweep knows of submitit: ``submit`` and, of jobs, ``done`` and ``result``."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Any, ...]] = []

    def submit(self, work: Any, *arguments: Any) -> Any:
        self.jobs.append(arguments)
        return Job(functools.partial(work, *arguments))


class Job:
    """A job that runs when it is asked for its result, and is done when asked twice."""

    def __init__(self, result: Callable[[], Any]) -> None:
        self.result, self.asked = result, 0

    def done(self) -> bool:
        self.asked += 1
        return self.asked > 1


def test_an_executor_gets_the_specs_that_are_missing(spec: Spec, tmp_path: Path) -> None:
    work = [replace(spec, seed=seed) for seed in range(3)]
    go(work[:1], tmp_path)
    cluster = Cluster()
    paths = go(work, tmp_path, executor=cluster, device="cpu", processes=7)
    assert cluster.jobs == [(one, tmp_path / f"{one.name}.json", "cpu") for one in work[1:]]
    assert all(path.exists() for path in paths)
    go(work, tmp_path, executor=cluster)
    assert len(cluster.jobs) == 2


@pytest.fixture
def dask() -> Iterator[Any]:
    """The client of a Dask cluster of one worker, a process of its own."""
    distributed: Any = pytest.importorskip("distributed")
    how = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster) as client:
        yield client


def test_workers_that_start_elsewhere_find_relative_places_and_keep_no_old_picture(
    spec: Spec,
    picture_folder: Path,
    tiny_path: str,
    tmp_path: Path,
    dask: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    shutil.copytree(picture_folder, home / "pictures")
    shutil.copytree(Path(tiny_path).parent, home / "clips")
    away.mkdir()
    monkeypatch.chdir(home)
    clip = str(Path("clips") / Path(tiny_path).name)
    near = replace(spec, method=ZeroShot(), data="folder:pictures", clip=(clip, None))
    dask.run(os.chdir, str(away))
    with dask.get_executor() as executor:
        (path,) = go([near], Path("runs"), executor=executor)
        for domain in ("real", "clipart", "sketch"):  # the worker remembers what it read
            (home / "pictures" / domain / "car").rename(home / "pictures" / domain / "bus")
        (again,) = go([near], Path("later"), executor=executor)
    assert not list(away.iterdir())
    assert read_json(home / path)["config"]["data"] == "folder:pictures"
    assert read_json(home / again)["found"]["classes"] == ["bus", "house"]


def test_a_run_that_fails_is_recorded_and_stops_no_other(spec: Spec, tmp_path: Path) -> None:
    wild = replace(spec, method=replace(QUICK, learning_rate=1e30, epochs=3))
    with pytest.raises(ValueError, match=r"1 of 2 runs failed: .*lower the learning rate"):
        go([wild, spec], tmp_path)
    note = tmp_path / f"{wild.name}.failed.json"
    assert Spec.from_dict(read_json(note)["config"], note) == wild
    assert "FloatingPointError: the loss became" in read_json(note)["error"]
    assert len(records.read_table(tmp_path)) == 1  # what failed is no record
    failed: dict[Spec, str] = {}
    paths = go([wild, spec], tmp_path, failed=failed)
    assert list(failed) == [wild]
    assert [path.exists() for path in paths] == [False, True]


def test_what_failed_is_tried_again_and_its_note_goes(
    spec: Spec, tmp_path: Path, picture_folder: Path
) -> None:
    late, out = tmp_path / "pictures", tmp_path / "out"
    spec, failed = replace(spec, data=f"folder:{late}"), {}
    go([spec], out, failed=failed)
    assert str(late) in failed[spec]
    assert [path.name for path in out.iterdir()] == [f"{spec.name}.failed.json"]
    shutil.copytree(picture_folder, late)
    go([spec], out)
    assert [path.name for path in out.iterdir()] == [f"{spec.name}.json"]


def test_a_killed_process_is_a_failed_run(spec: Spec, tmp_path: Path) -> None:
    class Died:
        def submit(self, *_: object) -> Future[None]:
            future: Future[None] = Future()
            future.set_exception(BrokenProcessPool("a child process terminated abruptly"))
            return future

    failed: dict[Spec, str] = {}
    go([spec], tmp_path, executor=Died(), failed=failed)
    assert "killed, perhaps for want of memory" in failed[spec]


@pytest.mark.skipif(os.name != "posix", reason="groups of processes are POSIX's")
def test_a_killed_sweep_leaves_no_process_behind(
    picture_folder: Path, tiny_path: str, tmp_path: Path
) -> None:
    what = ["--data", f"folder:{picture_folder}", "--clip", tiny_path, "--shots", "1"]
    how = ["--methods", "zero-shot", "--seeds", "99", "--processes", "2"]
    command = [sys.executable, "-m", "adu_core", "sweep", str(tmp_path / "runs"), *what, *how]
    work = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait(lambda: any((tmp_path / "runs").glob("*.json")))  # all its processes are at work
    work.kill()
    work.wait()

    def all_gone() -> bool:
        try:
            os.killpg(work.pid, 0)
        except ProcessLookupError:
            return True
        return False

    try:
        wait(all_gone)
    finally:
        if not all_gone():
            os.killpg(work.pid, signal.SIGKILL)


def wait(happened: Callable[[], bool], seconds: float = 500) -> None:
    """Until it has happened; a failure if that takes too long."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_the_device_is_asked_for_where_the_run_is(spec: Spec, tmp_path: Path) -> None:
    failed: dict[Spec, str] = {}
    go([spec], tmp_path, device="cuda", failed=failed, executor=Cluster())
    if not torch.cuda.is_available():
        assert "device cuda does not work here" in failed[spec]


def test_a_real_dask_cluster_whose_worker_is_killed_does_all_runs(
    spec: Spec, tmp_path: Path, dask: Any
) -> None:
    work = [replace(spec, seed=seed) for seed in range(3)]
    pids = dask.run(os.getpid)
    timer = threading.Timer(2.0, os.kill, (*pids.values(), signal.SIGTERM))
    with dask.get_executor() as executor:
        timer.start()
        paths = go(work, tmp_path, executor=executor)
        timer.join()
    assert dask.run(os.getpid) != pids
    assert [path.exists() for path in paths] == [True] * 3


@pytest.fixture
def unread(picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that was never read, whose pictures nobody may open."""

    def read(*_: object, **__: object) -> None:
        pytest.fail("a picture was read")

    shutil.copytree(picture_folder, tmp_path / "unread")
    monkeypatch.setattr(Image, "open", read)
    return f"folder:{tmp_path / 'unread'}"


def test_what_does_not_fit_the_clip_is_refused_before_a_picture_is_read(
    spec: Spec, unread: str
) -> None:
    spec = replace(spec, data=unread)
    deep = replace(spec, method=replace(ABLATION["full"], instapg_block=8))
    for ask in (lambda: check([deep]), lambda: run(deep, progress=False)):
        with pytest.raises(ValueError, match="instapg_block is 8, but prompts enter blocks 0 to 5"):
            ask()
    unknown = replace(spec, forget=Target(("moon",)))
    with pytest.raises(ValueError, match="no domain 'moon'"):
        check([spec, unknown])


def test_a_run_measures_what_the_spec_says(spec: Spec, tiny_clip: FrozenCLIP) -> None:
    done = run(replace(spec, measure=("validation", "held-out")), progress=False)
    record = done.record
    assert "entanglement" not in record["after"]
    assert "held_out" not in record  # a folder has no such classes
    assert record["validation"].keys() == record["after"]["metrics"].keys()
    assert record["found"]["clip_fingerprint"] == tiny_clip.fingerprint
    assert record["found"]["learned_numbers"] == sum(
        value.numel() for value in done.model.state_dict().values()
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is the process's")
def test_the_peak_of_memory_is_each_runs_own(spec: Spec, tmp_path: Path) -> None:
    large = torch.ones(75_000_000)  # 300 MB, which no run has
    before = peak_memory_mb(torch.device("cpu"))
    del large
    reset_peak_memory(torch.device("cpu"))
    after = peak_memory_mb(torch.device("cpu"))
    if after is None or before is None or before - after < 200:
        pytest.skip("this container does not let the peak be counted anew")
    large = torch.ones(75_000_000)
    del large
    (path,) = go([spec], tmp_path)
    assert read_json(path)["provenance"]["peak_memory_mb"] < before - 200


# The command.


@pytest.fixture
def words(picture_folder: Path, tiny_path: str, tmp_path: Path) -> list[str]:
    return [
        "sweep", str(tmp_path / "out"), "--data", f"folder:{picture_folder}", "--clip", tiny_path,
        "--shots", "1", "--set", "epochs=1", "--seeds", "1", "--forget", "sketch",
    ]  # fmt: skip


def test_each_method_reads_the_settings_it_has(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words += ["--methods", "baseline,zero-shot", "--set", "forget_weight=1,3"]
    assert main(words) == 0
    assert "forget_weight" in capsys.readouterr().out
    found = [read_json(path) for path in sorted((tmp_path / "out").glob("*.json"))]
    made = [record["config"]["method"] for record in found]
    names = [(one["name"], one["settings"].get("forget_weight")) for one in made]
    assert sorted(names[:2]) == [("baseline", 1.0), ("baseline", 3.0)]
    assert names[2:] == [("zero-shot", None)]
    assert found[2]["before"] == found[2]["after"]
    assert main([*words, "--set", "magic=1"]) == 2
    assert "none of baseline, zero-shot has such a setting" in capsys.readouterr().err


def test_what_is_not_there_is_refused_at_once(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    unread: str,
) -> None:
    words += ["--data", unread]
    for wrong, said in (
        (["--forget", "nosuch"], "no domain 'nosuch': the domains are clipart, real, sketch"),
        (["--forget", "real+clipart"], "cannot forget every domain"),
        (["--cases", "real"], "say --forget, for one case, or --cases"),
        (["--set", "epochs=0"], "epochs=0: epochs must be at least 1"),
        (["--set", "prompt_tokens=100000"], "prompt_tokens must be at most 512"),
        (["--methods", "full", "--set", "instapg_block=6"], "instapg_block is 6"),
        (["--methods", "magic"], "no method 'magic'"),
        (["--clip", "nosuch.safetensors"], "nosuch.safetensors is missing"),
        (["--device", "moon"], "say cpu, cuda or mps"),
    ):
        assert main([*words, *wrong]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def submitit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for submitit, whose cluster runs jobs when they are asked for."""
    seen = SimpleNamespace(asked={}, cluster=Cluster())

    class AutoExecutor:
        def __init__(self, folder: Path, cluster: str) -> None:
            seen.folder, seen.kind = folder, cluster

        def update_parameters(self, **asked: Any) -> None:
            seen.asked = asked

        def submit(self, *arguments: Any) -> Any:
            return seen.cluster.submit(*arguments)

    monkeypatch.setitem(sys.modules, "submitit", SimpleNamespace(AutoExecutor=AutoExecutor))
    return seen


def test_slurm_gets_cores_and_memory_and_no_gpu_for_the_cpu(
    words: list[str], submitit: Any, tmp_path: Path
) -> None:
    words += ["--slurm", "long", "--minutes", "30", "--cpus", "6", "--memory", "12"]
    assert main([*words, "--methods", "baseline"]) == 0
    assert submitit.kind == "slurm"
    assert submitit.asked == {
        "slurm_partition": "long",
        "timeout_min": 30,
        "cpus_per_task": 6,
        "mem_gb": 12,
    }
    (job,) = submitit.cluster.jobs
    assert job[0].method.name == "baseline"
    assert len(list((tmp_path / "out").glob("*.json"))) == 1


def test_slurm_does_not_look_for_the_device_on_the_login_node(
    words: list[str], submitit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Any] = []

    class NoWork:
        def submit(self, work: Any, *arguments: Any) -> Any:
            jobs.append(arguments)
            return Job(lambda: write_json(arguments[1], record(arguments[0], 50, 50)))

    submitit.cluster = NoWork()
    assert main([*words, "--slurm", "long", "--device", "cuda:7", "--methods", "baseline"]) == 0
    assert submitit.asked["gpus_per_node"] == 1
    assert [job[2] for job in jobs] == ["cuda:7"]


def test_slurm_needs_submitit(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert main([*words, "--slurm", "long"]) == 2
    assert "pip install 'adu-core[cluster]'" in capsys.readouterr().err
