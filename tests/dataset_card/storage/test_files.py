"""Writing in one piece: exchange and fallback, strays of the dead, the living and the far away, full disks."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataset_card.errors import MagBridgeError
from dataset_card.storage import files
from dataset_card.storage.files import replacing, require_writable, standing

DEAD = 2**22 + 1
"""No process has it: the kernel's greatest is 2**22."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, text: str) -> None:
    """A folder with one file, in one piece."""
    with replacing(path) as folder:
        folder.mkdir()
        (folder / "content").write_text(text)


def stray(name: str, kind: str, host: str | None = None, pid: int = DEAD) -> str:
    return f".{name}.{host or files._host()}.{pid}.0.{kind}"


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)


def test_a_file_appears_whole(tmp_path):
    with replacing(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("one")
        assert names(tmp_path / "new") == [temporary.name]
    assert names(tmp_path / "new") == ["a.txt"]
    with pytest.raises(RuntimeError), replacing(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("two")
        raise RuntimeError
    assert names(tmp_path / "new") == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").read_text() == "one"


def test_a_folder_takes_the_place_of_another(tmp_path, way):
    write(tmp_path / "rel", "one")
    write(tmp_path / "rel", "two")
    assert names(tmp_path) == ["rel"]
    assert (tmp_path / "rel" / "content").read_text() == "two"


def test_a_reader_always_finds_a_folder(tmp_path):
    write(tmp_path / "rel", "-1")
    done, seen = threading.Event(), []

    def read():
        while not done.is_set():
            seen.append((tmp_path / "rel").is_dir())

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(50):
        write(tmp_path / "rel", str(i))
    done.set()
    reader.join()
    assert seen
    assert all(seen)


def test_threads_that_write_one_place_leave_one_whole_result(tmp_path, way):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: write(tmp_path / "rel", str(i)), range(40)))
    assert (tmp_path / "rel" / "content").read_text() in map(str, range(40))
    write(tmp_path / "rel", "last")
    assert names(tmp_path) == ["rel"]


def test_strays_of_this_very_name_and_machine_go(tmp_path):
    for name in ("rel", "re[l]"):
        (tmp_path / stray(name, "partial")).mkdir()
        write(tmp_path / name, "new")
    assert names(tmp_path) == ["re[l]", "rel"]


@pytest.mark.parametrize(
    "other",
    [
        stray("rel.v2", "replaced"),
        stray("rel", "replaced", host="elsewhere"),
        stray("rel", "partial", pid=os.getppid()),
        ".rel.77.partial",
    ],
)
def test_what_others_wrote_stays(tmp_path, other):
    (tmp_path / other).mkdir()
    write(tmp_path / "rel", "new")
    assert names(tmp_path) == sorted([other, "rel"])


def test_a_copy_kept_by_a_killed_writer_is_found_and_put_back(tmp_path):
    write(tmp_path / "rel", "old")
    kept = (tmp_path / "rel").rename(tmp_path / stray("rel", "replaced"))
    assert standing(tmp_path / "rel") == kept
    assert standing(tmp_path / "re") == tmp_path / "re"
    with pytest.raises(RuntimeError), replacing(tmp_path / "rel"):
        raise RuntimeError
    assert standing(tmp_path / "rel") == tmp_path / "rel"
    assert names(tmp_path) == ["rel"]


def test_a_failed_second_rename_puts_the_older_folder_back(tmp_path, monkeypatch):
    write(tmp_path / "rel", "old")
    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    replace, calls = os.replace, []

    def fails_the_second_time(one, other):
        calls.append(one)
        if len(calls) == 2:
            raise PermissionError(errno.EACCES, "Permission denied", str(one))
        replace(one, other)

    monkeypatch.setattr(os, "replace", fails_the_second_time)
    with pytest.raises(PermissionError, match="rel'"):
        write(tmp_path / "rel", "new")
    assert (tmp_path / "rel" / "content").read_text() == "old"
    assert names(tmp_path) == ["rel"]


def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from dataset_card.storage.files import replacing\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    with replacing(Path(sys.argv[1])) as folder:\n"
        "        folder.mkdir(); [(folder / str(i)).write_text('x' * 999) for i in range(9)]\n"
    )
    for pause in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "rel"), str(Path(files.__file__).parents[2])],
            stdout=subprocess.PIPE,
        )
        child.stdout.readline()
        while not (tmp_path / "rel").exists():
            pass
        threading.Event().wait(0.003 * pause)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert {p.stat().st_size for p in standing(tmp_path / "rel").iterdir()} == {999}
        assert len(names(standing(tmp_path / "rel"))) == 9
    write(tmp_path / "rel", "last")
    assert names(tmp_path) == ["rel"]


def test_everything_is_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("rename"), replace(a, b)))
    write(tmp_path / "rel", "x")
    synced, last = events[: events.index("rename")], events[-1]
    assert [Path(path).name for path in synced][0] == "content"
    assert len(synced) == 2
    assert last == str(tmp_path)


@pytest.fixture
def small_files_only():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_names_the_path(tmp_path, small_files_only):
    with pytest.raises(OSError, match=str(tmp_path / "a.txt")), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("x" * 2000)
    assert names(tmp_path) == []


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    require_writable(tmp_path / "deep" / "er")
    assert names(tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(MagBridgeError, match="cannot be written .*: expected a path"):
        require_writable(tmp_path / "file" / "x")
    with pytest.raises(MagBridgeError, match="cannot be written .*: expected a path"):
        require_writable(Path("/proc/rel"))
