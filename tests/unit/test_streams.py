"""Trees as tar streams: read as a scan would see them, put back as they were, never half of one."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_warmci.clients import disk
from pytest_warmci.errors import DiskTooSmall, NotEvaluated, SnapshotDamaged
from pytest_warmci.protocols import Root
from pytest_warmci.store import snapshots
from pytest_warmci.store.manifest import read_manifest
from pytest_warmci.store.snapshots import SnapshotRefused
from tests.tar_folder import FolderRoot, pieces

SECOND = 1_700_000_000


class SentRoot(FolderRoot):
    """One that sends what a test says."""

    def __init__(self, folder: Path, data: bytes, size: int = 700) -> None:
        super().__init__(folder)
        self.data = data
        self.size = size

    @contextmanager
    def read(self) -> Iterator[Iterator[bytes]]:
        yield pieces(self.data, self.size)


@pytest.fixture
def far(tmp_path: Path) -> FolderRoot:
    """A tree as volumes have them."""
    folder = tmp_path / "far"
    folder.mkdir()
    (folder / "a").mkdir()
    (folder / "a" / "x").write_text("2")
    (folder / "a-b").write_bytes(b"x" * 1024)
    (folder / "empty").mkdir(mode=0o500)
    (folder / "no bytes").touch()
    (folder / "z").hardlink_to(folder / "a-b")
    (folder / "link").symlink_to("../nowhere")
    with open(os.fsencode(folder) + b"/bad\xff\nname", "w") as file:  # noqa: PTH123 - bytes
        file.write("odd")
    (folder / "zeros").write_bytes(bytes(3_000_000) + b"end" + bytes(2_000_000))
    folder.chmod(0o2750)
    set_times(folder)
    return FolderRoot(folder)


def set_times(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        os.utime(path, (SECOND, SECOND), follow_symlinks=False)
    os.utime(folder, (SECOND, SECOND))


def digest(root: Root) -> str:
    return snapshots.measure({"volume:data": root}).digest


def test_a_stream_has_the_digest_of_the_folder(far: FolderRoot) -> None:
    """Whatever the sizes of its pieces are."""
    expected = digest(far.folder)

    assert expected == digest(far)
    for size in (1, 511, 512, 4_000_000, 10**8):
        if size > 1 or len(far.sent()) < 100_000:
            assert expected == digest(SentRoot(far.folder, far.sent(), size)), size


def test_near_and_far_roots_are_one_app(far: FolderRoot, tmp_path: Path) -> None:
    """Its digest says nothing about where they are, and both come back together."""
    near = tmp_path / "near"
    near.mkdir()
    (near / "file").write_text("near")
    roots: dict[str, Root] = {"a": near, "b": far, "c": tmp_path / "missing"}
    here: dict[str, Root] = {**roots, "b": far.folder}

    taken = snapshots.take(tmp_path / "kept", "one", roots)

    assert taken == snapshots.measure(roots) == snapshots.measure(here)
    assert taken == snapshots.verify(tmp_path / "kept", "one", taken.digest)
    (near / "file").write_text("changed")
    (far.folder / "a" / "x").write_text("changed")
    (far.folder / "more").touch()
    present = snapshots.restore(tmp_path / "kept", "one", taken.digest, lambda _: roots)
    assert {"a", "b"} == present
    assert taken.digest == snapshots.measure(here).digest


def test_holes_are_kept_as_holes(far: FolderRoot, tmp_path: Path) -> None:
    """A stream sends them as zeros."""
    snapshots.take(tmp_path / "kept", "one", {"volume:data": far})

    [big] = [
        path
        for path in (tmp_path / "kept" / "one" / "objects").iterdir()
        if path.stat().st_size > 4_000_000
    ]
    assert (far.folder / "zeros").read_bytes() == big.read_bytes()
    assert big.stat().st_blocks * 512 < 3_000_000


def test_a_stream_that_is_cut_anywhere_is_not_whole(far: FolderRoot) -> None:
    """Also between two files, and in front of the end; an engine that fails ends it so."""
    (far.folder / "zeros").unlink()
    (far.folder / "zz").write_bytes(bytes(2048))  # looks like an end
    whole = far.sent()
    assert digest(SentRoot(far.folder, whole))

    for end in [*range(0, len(whole), 512), *range(255, len(whole), 1024)]:
        with pytest.raises(SnapshotRefused, match="what the engine sends is not whole"):
            digest(SentRoot(far.folder, whole[:end]))


def archive(*members: tuple[str, bytes, str], pax: dict[str, str] | None = None) -> bytes:
    """Make an archive of name, type and what a link leads to."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.pax_headers = kind, link, pax or {}
            tar.addfile(info)
    return target.getvalue()


TOP = ("it", tarfile.DIRTYPE, "")


@pytest.mark.parametrize(
    "members",
    [
        [("other", tarfile.DIRTYPE, "")],
        [TOP, ("other/file", tarfile.REGTYPE, "")],
        [TOP, ("it/../file", tarfile.REGTYPE, "")],
        [TOP, ("/it/file", tarfile.REGTYPE, "")],
        [TOP, ("it/link", tarfile.LNKTYPE, "it/later"), ("it/later", tarfile.REGTYPE, "")],
        [TOP, ("it/link", tarfile.LNKTYPE, "other/file")],
        [("it/file", tarfile.REGTYPE, "")],
        [],
    ],
)
def test_a_stream_of_something_else(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    with pytest.raises(SnapshotRefused, match="what the engine sends is not whole"):
        digest(SentRoot(tmp_path, archive(*members)))


def test_the_order_of_a_stream_says_nothing(far: FolderRoot, tmp_path: Path) -> None:
    """A scan's counts, and whose data are kept under which name."""
    expected = digest(far)
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(far.sent())) as sent,
        tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        (link,) = (member for member in sent if member.islnk())
        first, last = sent.getmember(link.linkname), link.name
        for member in reversed(sent.getmembers()):
            if member is link:
                tar.addfile(first.replace(name=last), sent.extractfile(first))
            elif member is first:
                tar.addfile(link.replace(name=first.name, linkname=last))
            else:
                tar.addfile(member, sent.extractfile(member) if member.isreg() else None)
    mixed = SentRoot(far.folder, target.getvalue())

    taken = snapshots.take(tmp_path / "kept", "one", {"volume:data": mixed})

    assert expected == taken.digest
    entries = read_manifest(tmp_path / "kept" / "one").entries
    kept = [entry.path for entry in entries if entry.object is not None]
    assert [entry.path for entry in entries if entry.kind == "file" and not entry.link] == kept
    (far.folder / "a-b").write_text("changed")
    snapshots.restore(tmp_path / "kept", "one", expected, lambda _: {"volume:data": far})
    assert b"x" * 1024 == (far.folder / "z").read_bytes()


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_and_pipes_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(SnapshotRefused, match="is a device or pipe") as caught:
        digest(SentRoot(tmp_path, archive(TOP, ("it/thing", kind, ""))))

    assert f"far {tmp_path.name}: thing" == caught.value.where


def test_no_piece_is_empty(far: FolderRoot, tmp_path: Path) -> None:
    """It would be the end of what is sent, to some."""
    taken = snapshots.take(tmp_path / "kept", "one", {"volume:data": far}).digest

    class Seeing(FolderRoot):
        def fill(self, stream: Iterable[bytes]) -> None:
            chunks = list(stream)
            assert all(chunks)
            assert 0 == len(b"".join(chunks)) % 512
            super().fill(chunks)

    seeing = {"volume:data": Seeing(far.folder)}
    snapshots.restore(tmp_path / "kept", "one", taken, lambda _: seeing)


def test_only_what_every_engine_carries_counts(tmp_path: Path) -> None:
    """Newer ones may send more: else a digest would change with them."""

    def of(**pax: str) -> str:
        sent = archive(TOP, ("it/file", tarfile.REGTYPE, ""), pax=pax)
        return digest(SentRoot(tmp_path, sent))

    plain = of()
    assert plain == of(**{"SCHILY.xattr.user.note": "x", "mtime": "0.75"})
    assert plain != of(**{"SCHILY.xattr.security.capability": "\x01"})
    assert plain != of(mtime="1.75")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: os.utime(path, ns=(1, SECOND * 10**9 + 1)), "its time is finer"),
        (lambda path: os.utime(path, (1, -1)), "Docker does not set such a time"),
        (lambda path: os.setxattr(path, "user.note", b"x"), "it has attributes: user.note"),
    ],
)
def test_what_a_stream_does_not_carry_is_not_put_back_by_one(
    far: FolderRoot, tmp_path: Path, change: Callable[[Path], None], why: str
) -> None:
    """A generation from another time: nothing has changed when it is refused."""
    change(far.folder / "a" / "x")
    taken = snapshots.take(tmp_path / "kept", "one", {"volume:data": far.folder}).digest
    (far.folder / "a" / "x").write_text("changed")
    before = digest(far.folder)

    with pytest.raises(SnapshotRefused, match="cannot be put back through the engine") as caught:
        snapshots.restore(tmp_path / "kept", "one", taken, lambda _: {"volume:data": far})

    assert caught.value.why.startswith(why)
    assert "volume:data/a/x" == caught.value.where
    assert before == digest(far.folder)


def test_one_file_in_two_roots_is_not_put_back_by_streams(tmp_path: Path) -> None:
    """Each stream is of one root."""
    roots = {"a": tmp_path / "a", "b": tmp_path / "b"}
    for folder in roots.values():
        folder.mkdir()
    (tmp_path / "a" / "file").touch()
    (tmp_path / "b" / "file").hardlink_to(tmp_path / "a" / "file")
    for folder in roots.values():
        set_times(folder)
    taken = snapshots.take(tmp_path / "kept", "one", roots).digest

    far = {name: FolderRoot(folder) for name, folder in roots.items()}
    with pytest.raises(SnapshotRefused, match="through the engine") as caught:
        snapshots.restore(tmp_path / "kept", "one", taken, lambda _: far)

    assert "it is one file with a name in a" == caught.value.why


def test_what_could_not_be_put_back_is_not_taken(far: FolderRoot, tmp_path: Path) -> None:
    os.utime(far.folder / "a" / "x", (1, -1))

    with pytest.raises(SnapshotRefused, match="cannot be put back through the engine"):
        snapshots.take(tmp_path / "kept", "one", {"volume:data": far})

    assert not (tmp_path / "kept").exists()


def test_what_changes_while_it_is_taken_is_not_taken(far: FolderRoot, tmp_path: Path) -> None:
    """It is read twice."""
    sent = FolderRoot.sent

    class Changing(FolderRoot):
        def sent(self) -> bytes:
            found = sent(self)
            (self.folder / "a" / "x").write_text(f"{self.reads}")
            set_times(self.folder)
            return found

    with pytest.raises(SnapshotRefused, match="changed while it was read"):
        snapshots.take(tmp_path / "kept", "one", {"volume:data": Changing(far.folder)})

    assert [] == list((tmp_path / "kept").iterdir())


def test_room_is_seen_to_first(
    far: FolderRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a root takes is known before anything of it is written."""
    monkeypatch.setattr(disk, "free_bytes", lambda _: 5_000_000)

    with pytest.raises(DiskTooSmall):
        snapshots.take(tmp_path / "kept", "one", {"volume:data": far})

    assert 1 == far.reads


def test_one_that_is_gone_is_not_taken_for_empty(far: FolderRoot, tmp_path: Path) -> None:
    gone = FolderRoot(tmp_path / "gone")

    for verb in (digest, lambda root: snapshots.take(tmp_path / "kept", "one", {"x": root})):
        with pytest.raises(NotEvaluated, match="far gone is not there"):
            verb(gone)

    assert not (tmp_path / "kept").exists()


def test_what_an_engine_did_not_do_is_seen(far: FolderRoot, tmp_path: Path) -> None:
    """It said that all went well. Nothing else of the app is there then."""
    near = tmp_path / "env"
    near.write_text("A=1")
    roots: dict[str, Root] = {"env": near, "volume:data": far}
    taken = snapshots.take(tmp_path / "kept", "one", roots).digest

    class Lazy(FolderRoot):
        def fill(self, stream: Iterable[bytes]) -> None:
            super().fill(stream)
            (self.folder / "a" / "x").chmod(0o777)

    lazy: dict[str, Root] = {"env": near, "volume:data": Lazy(far.folder)}
    with pytest.raises(SnapshotDamaged, match="what was restored is not what the snapshot holds"):
        snapshots.restore(tmp_path / "kept", "one", taken, lambda _: lazy)

    assert not near.exists()
    snapshots.restore(tmp_path / "kept", "one", taken, lambda _: roots)
    assert taken == snapshots.measure(roots).digest


def test_an_object_that_gets_lost_is_the_snapshots_damage(far: FolderRoot, tmp_path: Path) -> None:
    """Not the engine's, however it happens between verifying and sending."""
    taken = snapshots.take(tmp_path / "kept", "one", {"volume:data": far}).digest

    def lose(_: frozenset[str]) -> dict[str, FolderRoot]:
        for path in (tmp_path / "kept" / "one" / "objects").iterdir():
            path.chmod(0o600)
            os.truncate(path, 0)
        return {"volume:data": far}

    with pytest.raises(SnapshotDamaged, match="an object of the snapshot is missing or too short"):
        snapshots.restore(tmp_path / "kept", "one", taken, lose)
