"""Every error this package raises on purpose.

Each one says what happened, where, why and what to do, and whether anything had changed when it
was raised. The class decides the verdict: `RecipeFailed` is the recipe's fault, `InputError` and
`UsageError` the caller's, everything else is trouble of the place (*not evaluated*).
"""

from __future__ import annotations

from typing import ClassVar


class WarmciError(Exception):
    """Base of all errors of this package.

    Args:
        what: What went wrong, one sentence without a final stop.
        where: File (and line), recipe, domain or address concerned.
        why: The cause, as far as it is known (may have several lines).
        remedy: What the reader can do, ideally a command.
        changed: What had changed when the error was raised.
    """

    verdict: ClassVar[str] = "not-evaluated"
    """The verdict of a run that this error ends."""

    usual_remedy: ClassVar[str] = ""
    """What to do about such an error where nobody knows better."""

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        remedy: str = "",
        changed: str = "nothing",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.remedy = remedy or self.usual_remedy
        self.changed = changed

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            text += "\n  why: " + self.why.replace("\n", "\n       ")
        if self.remedy:
            text += f"\n  do:  {self.remedy}"
        if self.changed != "nothing":
            text += f"\n  changed: {self.changed}"
        return text

    @property
    def summary(self) -> str:
        """The error on one line: what, and the first line of why."""
        why = self.why.splitlines()[0] if self.why else ""
        text = f"{self.what}: {why}" if why else self.what
        return f"{self.where}: {text}" if self.where else text


class UsageError(WarmciError):
    """Contradictory or impossible options; nothing was started."""


class InputError(WarmciError):
    """A file or repository that somebody wrote is not valid; nothing was started."""


class RecipeFailed(WarmciError):
    """The recipe under test is at fault."""

    verdict = "failed"


class NotEvaluated(WarmciError):
    """Trouble that says nothing about the recipe; base of the errors below."""


class CommandFailed(NotEvaluated):
    """An outside command ended with an error; `why` carries its output."""


class KeycloakTrouble(NotEvaluated):
    """The live-warm Keycloak does not answer, or not as it should."""

    usual_remedy = "warmci live status says how it is; its log lies with its app"


class LoginStopped(RecipeFailed):
    """A login through Keycloak's form came to a page that refuses it or cannot be answered."""


class Interrupted(NotEvaluated):
    """The run was told to stop."""


class LockBusy(NotEvaluated):
    """Somebody else holds the lock, and the wait for it has ended."""


class DiskTooSmall(NotEvaluated):
    """There is not enough free space for what is about to be written."""


class DiskReadOnly(NotEvaluated):
    """A disk takes no writes, perhaps since it broke."""


class FetchFailed(NotEvaluated):
    """An artifact could not be had: no network, or nobody has it."""


class DigestMismatch(NotEvaluated):
    """What was fetched or kept is not what its digest says."""


class EngineUnavailable(NotEvaluated):
    """The engine cannot work on this machine."""


class EngineCannotSee(NotEvaluated):
    """Base and head differ in something that this engine ignores."""


class AddressTaken(NotEvaluated):
    """Another program answers at an app's address."""


class StateDamaged(NotEvaluated):
    """Something in the state directory cannot be read or is not what it should be."""


class SnapshotDamaged(StateDamaged):
    """A snapshot's content is not what its manifest or the registry entry says."""


class Quarantined(NotEvaluated):
    """The canonical is set aside until the next promotion."""


class BaselineRotten(NotEvaluated):
    """The known-good itself does not work, before head was even tried."""


class NotAnAncestor(NotEvaluated):
    """The base's commit is not an ancestor of head."""
