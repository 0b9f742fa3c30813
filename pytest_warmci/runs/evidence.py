"""Evidence that is kept before an app goes."""

from __future__ import annotations

from pytest_warmci.clients.files import make_folder, write_text
from pytest_warmci.errors import WarmciError
from pytest_warmci.runs.run import Run


def keep_logs(run: Run, stage: str) -> None:
    """Copy the logs of the app into the run's folder, secrets blotted out.

    What cannot be kept is noted: the app must go all the same.
    """
    if run.place is None:
        return
    folder = run.state.run(run.id) / "logs"
    try:
        for service, path in run.engine.logs(run.place).items():
            make_folder(folder)
            text = path.read_text("utf-8", "replace")
            write_text(folder / f"{stage}-{service}.log", run.engine.masked(run.place, text))
    except (OSError, WarmciError) as error:
        run.notes.append(f"logs of {stage} could not be kept: {error}")
