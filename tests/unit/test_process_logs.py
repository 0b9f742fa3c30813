"""Logs of services: contained while something writes into them, without secrets afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_warmci.clients.waiting import Look, wait_until
from pytest_warmci.engines.process import logs
from pytest_warmci.engines.process.logs import LogWatch, cap_logs, mask_logs

SMALL = 100_000
LINE = "a line of a log\n"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app's folder; its logs are large sooner than usual."""
    monkeypatch.setattr(logs, "MOST", SMALL)
    monkeypatch.setattr(logs, "KEPT", SMALL // 10)
    for name in ("logs", "secrets"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_the_end_of_a_log_that_is_too_long_is_kept(app: Path) -> None:
    """From the beginning of a line on; the first one says what happened."""
    log = app / "logs" / "app.log"
    log.write_text("".join(f"line {number}\n" for number in range(SMALL // 5)))

    cap_logs(app / "logs")

    first, second, *_, last = log.read_text().splitlines()
    assert "warmci: this log had more than 64 MiB, its beginning was dropped" == first
    assert second.startswith("line ")
    assert f"line {SMALL // 5 - 1}" == last
    assert log.stat().st_size < SMALL // 5


def test_a_log_that_is_not_too_long_is_left_alone(app: Path) -> None:
    log = app / "logs" / "app.log"
    log.write_text("x" * SMALL)

    cap_logs(app / "logs")

    assert "x" * SMALL == log.read_text()


def test_half_a_line_is_not_kept(app: Path) -> None:
    """It may be half a secret, which nobody would know for one."""
    log = app / "logs" / "app.log"
    log.write_text("x" * SMALL * 2)

    cap_logs(app / "logs")

    assert 1 == len(log.read_text().splitlines())


def test_a_link_in_its_place_is_not_followed(app: Path, tmp_path: Path) -> None:
    """An app may do what it likes in its folder."""
    other = tmp_path / "other"
    other.write_text("x" * SMALL * 2)
    (app / "logs" / "app.log").symlink_to(other)

    cap_logs(app / "logs")

    assert SMALL * 2 == other.stat().st_size


@pytest.fixture
def filler(app: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service that writes as fast as it can."""
    log = os.open(app / "logs" / "app.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    script = f"import os\nwhile True: os.write(1, {LINE * 100!r}.encode())"
    process = subprocess.Popen([sys.executable, "-SEc", script], stdout=log)
    os.close(log)
    yield process
    process.kill()
    process.wait()


def test_a_service_that_fills_its_log_is_contained(
    app: Path, filler: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it goes on, again and again; each line in it is whole."""
    cut: list[int] = []
    whole = logs._cap

    def count(path: Path) -> None:
        cut.append(path.stat().st_size)
        whole(path)

    monkeypatch.setattr(logs, "_cap", count)
    watch = LogWatch()
    watch.begin(app)
    watch.begin(app)
    try:
        wait_until(lambda: Look(len(cut) > 3, f"{cut}"), timeout=20)
    finally:
        filler.kill()
        filler.wait()
        watch.end(app)
        cap_logs(app / "logs")

    text = (app / "logs" / "app.log").read_text()
    assert len(text) <= SMALL
    assert text.startswith("warmci: this log had more")
    assert watch._thread is None


def test_the_watch_ends_with_the_last_app(app: Path, tmp_path: Path) -> None:
    """And can begin again."""
    watch = LogWatch()
    for _ in range(2):
        watch.begin(app)
        watch.begin(tmp_path / "other")
        watch.end(app)
        assert "logs" in {thread.name for thread in threading.enumerate()}
        watch.end(tmp_path / "other")
        assert watch._thread is None
    watch.end(app)


def test_no_secret_is_left_in_a_log(app: Path) -> None:
    """Bytes that are no text stay as they are; a log without secrets is not written again."""
    (app / "secrets" / "password").write_text("Hunter2Hunter2")
    leaky, clean = app / "logs" / "app.log", app / "logs" / "db.log"
    leaky.write_bytes(b"\xff user ana Hunter2Hunter2\n")
    clean.write_text("nothing\n")
    inode = clean.stat().st_ino

    mask_logs(app)

    assert b"\xff user ana ********\n" == leaky.read_bytes()
    assert 0o600 == leaky.stat().st_mode & 0o777
    assert inode == clean.stat().st_ino


def test_a_log_that_cannot_be_read_goes(app: Path) -> None:
    """An app must be stopped and removed, whatever it left in the place of its log."""
    (app / "logs" / "app.log").mkdir()

    mask_logs(app)

    assert [] == list((app / "logs").iterdir())
