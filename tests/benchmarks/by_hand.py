"""The same boots and stops as a quick run, written by hand for this one recipe.

It knows everything beforehand (paths, ports, order, what to wait for), checks nothing and keeps
nothing: the floor that a quick run is measured against.

    python by_hand.py CACHE VOLUME LAUNCHERS JAVA_HOME OLD NEW
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pytest_warmci.clients.waiting import Look, wait_until

DB, APP, ADDRESS = 25_432, 28_080, "127.99.99.2"
LIMIT, EVERY = 120.0, 0.01
UNSHARE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]


def main() -> None:
    cache, volume, launchers, java = (Path(word) for word in sys.argv[1:5])
    old, new = sys.argv[5:7]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="by-hand-") as name:
        top = Path(name)
        data = top / "data"
        shutil.copytree(volume, data, symlinks=True)
        (top / "hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} db\n")
        [tree] = cache.glob("trees/*postgres*[0-9a-f]")
        with database(tree, data, top):
            for version in (old, new):
                with keycloak(cache, version, launchers, java, top):
                    print(f"{version} ready after {time.monotonic() - begun:.2f} s")
    print(f"total {time.monotonic() - begun:.3f} s")


@contextmanager
def database(tree: Path, data: Path, top: Path) -> Iterator[None]:
    prefix = UNSHARE if os.geteuid() == 0 else []
    options = [f"listen_addresses={ADDRESS}", "unix_socket_directories=", f"port={DB}"]
    flags = [word for option in options for word in ("-c", option)]
    words = [*prefix, str(tree / "bin/postgres"), "-D", str(data), *flags]

    def ready() -> Look:
        said = read(data / "postmaster.pid")
        return Look("ready" in said, said)

    with running(words, top / "db.log", ready, signal.SIGINT):
        yield


@contextmanager
def keycloak(cache: Path, version: str, launchers: Path, java: Path, top: Path) -> Iterator[None]:
    [tree] = cache.glob(f"trees/*keycloak*{version}*[0-9a-f]")
    install = top / version
    shutil.copytree(tree, install, symlinks=True, copy_function=os.link)
    shutil.rmtree(install / "lib/quarkus")
    built = [path for path in cache.glob("prepared/*") if version in read(path / "record.json")]
    # Of several, the one that a training boot was made for.
    kept = sorted(built, key=lambda path: not (cache / "boot" / path.name).exists())
    shutil.copytree(kept[0] / "keep/0", install / "lib/quarkus")
    (install / "data").mkdir(exist_ok=True)
    learnt = cache / "boot" / kept[0].name
    environment = {
        "PATH": "/usr/bin:/bin",
        "WARMCI_JAVA_HOME": str(java),
        "WARMCI_HOSTS": str(top / "hosts"),
        "WARMCI_SCRATCH": str(top),
        "WARMCI_INSTALL": str(install),
        "KC_DB": "postgres",
        "KC_DB_URL": f"jdbc:postgresql://{ADDRESS}:{DB}/keycloak",
        "KC_DB_USERNAME": "keycloak",
        "KC_DB_PASSWORD": os.environ["BY_HAND_PASSWORD"],
        "KC_HEALTH_ENABLED": "true",
        "KC_HTTP_ENABLED": "true",
        "KC_HOSTNAME": f"http://localhost:{APP}",
        "KC_HTTP_HOST": "127.0.0.1",
        "KC_HTTP_PORT": str(APP),
        "KC_HTTP_MANAGEMENT_HOST": ADDRESS,
        "KC_CACHE": "local",
    }
    if learnt.exists():
        environment["WARMCI_BOOT_CACHE"] = str(learnt)
    words = [str(launchers / "kc.sh"), "start", "--optimized"]

    def ready() -> Look:
        return Look(answers(f"http://{ADDRESS}:9000/health/ready"), f"{version} is not ready")

    with running(words, top / f"{version}.log", ready, signal.SIGTERM, environment):
        yield


@contextmanager
def running(
    words: list[str],
    log: Path,
    ready: Callable[[], Look],
    stop: signal.Signals,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Have a program for a block, once it is ready; end with its log when it ends before.

    It does not outlive the block, whatever happens there.
    """
    with log.open("wb") as file:
        program = subprocess.Popen(words, env=environment, stdout=file, stderr=file)

    def look() -> Look:
        if program.poll() is not None:
            raise SystemExit(read(log))
        return ready()

    try:
        wait_until(look, timeout=LIMIT, every=EVERY)
        yield
    finally:
        program.send_signal(stop)
        try:
            program.wait(60)
        except subprocess.TimeoutExpired:
            program.kill()
            raise


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    main()
