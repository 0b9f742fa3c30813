"""Alerts: one CloudEvents file per trouble, for people and for whatever relays them."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_warmci.clients import files
from pytest_warmci.clients.machine import utc_now
from pytest_warmci.errors import StateDamaged
from pytest_warmci.model import FORMAT


def raise_alert(
    alerts_folder: Path,
    *,
    kind: str,
    subject: str,
    what: str,
    where: str,
    remedy: str,
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write an alert, or count it once more when the same trouble is open already.

    Args:
        alerts_folder: The state directory's `alerts`.
        kind: What happened: "restore-failed", "upgrade-held".
        subject: What it happened to: a recipe or a domain.
        what: What is wrong, one sentence without a final stop.
        where: The domain, file or folder concerned.
        remedy: What the reader can do.
        facts: More details (JSON, no secrets).

    Returns:
        The alert's file.

    Raises:
        DiskTooSmall: There is no room for it.
    """
    path = _path(alerts_folder, kind, subject)
    now = utc_now()
    files.make_folder(alerts_folder)

    def alert(before: Mapping[str, Any]) -> dict[str, Any]:
        return _event(before, kind, subject, _source(alerts_folder), now) | {
            "data": {
                **(facts or {}),
                "what": what,
                "where": where,
                "since": before.get("time") or now,
                "last_seen": now,
                "count": int(before.get("data", {}).get("count", 0)) + 1,
                "do": remedy,
            }
        }

    # Of several who see the same trouble at once, one tells it first: it has one id.
    if not files.create_json(path, alert({})):
        files.write_json(path, alert(_open_one(path)))
    return path


def _event(
    before: Mapping[str, Any], kind: str, subject: str, source: str, now: str
) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        # The same trouble keeps its id, so that who relays events does not tell it twice.
        "id": before.get("id") or str(uuid.uuid4()),
        "source": source,
        "type": f"warmci.{kind}",
        "subject": subject,
        "time": before.get("time") or now,
        "datacontenttype": "application/json",
        "format": FORMAT,
    }


def open_alerts(alerts_folder: Path) -> list[dict[str, Any]]:
    """Return the alerts that nobody has settled, oldest first.

    A file that cannot be read is returned as an alert about itself: it must not hide the others.
    """
    found = []
    for path in sorted(alerts_folder.glob("*.json")):
        try:
            found.append(files.read_record(path, "alert"))
        except FileNotFoundError:
            continue  # settled since we listed it
        except StateDamaged as error:
            about = {"type": "warmci.alert-unreadable", "subject": path.name, "time": ""}
            data = {"why": error.summary, "do": f"read {path} and remove it", "count": 1}
            found.append({**about, "data": data})
    return sorted(found, key=lambda alert: str(alert.get("time", "")))


def settle_alert(alerts_folder: Path, kind: str, subject: str) -> bool:
    """Move an alert to `seen/`, as its trouble is over; return whether it was open.

    Raises:
        OSError: It cannot be moved.
    """
    path = _path(alerts_folder, kind, subject)
    seen = alerts_folder / "seen"
    files.make_folder(seen)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    try:
        files.rename(path, seen / f"{path.stem}-{stamp}.json")
    except FileNotFoundError:
        return False
    return True


def _path(folder: Path, kind: str, subject: str) -> Path:
    # Readable, and distinct also where two subjects differ only in what a file name cannot hold.
    readable = re.sub(r"[^a-z0-9.]+", "-", f"{kind}-{subject}".lower()).strip("-.")[:80]
    mark = hashlib.sha256(f"{kind}\0{subject}".encode()).hexdigest()[:8]
    return folder / f"{readable}-{mark}.json"


def _open_one(path: Path) -> dict[str, Any]:
    try:
        record = files.read_record(path, "alert")
    except (FileNotFoundError, StateDamaged):
        return {}  # an alert must come through, also over a damaged file
    return record if isinstance(record.get("data"), dict) else {}


def _source(folder: Path) -> str:
    try:
        record = files.read_record(folder.parent / "state.json", "state directory's record")
    except (FileNotFoundError, StateDamaged):
        return "pytest-warmci"
    return f"pytest-warmci/{record.get('uuid', '')}"
