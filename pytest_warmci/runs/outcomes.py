"""What became of a run's tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pytest_warmci.store.results import Counts

ItemOutcome = Literal["passed", "failed", "skipped", "skipped-always", "not-evaluated"]


@dataclass
class Outcomes:
    """Counts a run's items and remembers what went wrong.

    `failure` is why the recipe failed, `obstacle` why it could not be evaluated (first of each).
    """

    failure: str = ""
    obstacle: str = ""
    interrupted: bool = False
    promotion_failed: bool = False
    deselected: int = 0
    _expected: set[str] = field(default_factory=set)
    _seen: dict[str, ItemOutcome] = field(default_factory=dict)

    def expect(self, item: str) -> None:
        """Say that an item was generated for this run."""
        self._expected.add(item)

    def note(self, item: str, outcome: ItemOutcome, reason: str = "") -> None:
        """Say what became of an item; the worst of several says wins."""
        worst: tuple[ItemOutcome, ...] = (
            "skipped-always",
            "skipped",
            "passed",
            "not-evaluated",
            "failed",
        )
        old = self._seen.get(item)
        if old is None or worst.index(outcome) >= worst.index(old):
            self._seen[item] = outcome
        if outcome == "failed":
            self.failure = self.failure or reason
        elif outcome == "not-evaluated":
            self.obstacle = self.obstacle or reason

    @property
    def passed(self) -> int:
        """How many items passed."""
        return self._count("passed")

    @property
    def troubled(self) -> bool:
        """Tell whether anything but a pass or a skip has happened."""
        return bool(self.failure or self.obstacle or self.interrupted)

    @property
    def counts(self) -> Counts:
        """The numbers by outcome; what could not be evaluated is not among them."""
        skipped = self._count("skipped") + self._count("skipped-always")
        return Counts(self.passed, self._count("failed"), skipped, self.deselected)

    def incomplete(self) -> list[str]:
        """Return why this was not the whole recipe, one reason each."""
        reasons = []
        missing = self._expected - self._seen.keys()
        skipped = [item for item, outcome in self._seen.items() if outcome == "skipped"]
        if self.deselected:
            reasons.append(f"{self.deselected} deselected")
        if missing:
            reasons.append(f"{len(missing)} not run")
        if skipped:
            reasons.append(f"{len(skipped)} skipped")
        return reasons

    def _count(self, outcome: ItemOutcome) -> int:
        return sum(1 for each in self._seen.values() if each == outcome)
