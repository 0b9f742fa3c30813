"""Benchmarks measure and report; they assert what happened, never how long it took."""

from __future__ import annotations

from tests.e2e.conftest import seeded, workshop

__all__ = ["seeded", "workshop"]
