"""Whether two runs ever held the same app at once, by what their results say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from pytest_warmci.store.results import Result


def overlaps(results: Iterable[Result]) -> list[str]:
    """List the pairs of runs that held one app at the same time, in words.

    Raises:
        ValueError: A time cannot be read, or ends before it began: that proves nothing.
    """
    held = defaultdict(list)
    for result in results:
        for each in result.held:
            since, until = _exact(each.since), _exact(each.until)
            if until < since:
                raise ValueError(f"run {result.run_id} held {each.domain} backwards: {each}")
            held[each.domain].append((since, until, result.run_id))
    found = []
    for domain, spans in held.items():
        longest = sorted(spans)
        # The one that ended last so far may reach over several that began after it.
        end, who = longest[0][1], longest[0][2]
        for _, (since, until, run) in pairwise(longest):
            if since < end:
                found.append(
                    f"{domain}: run {run} began at {since}, run {who} held it until {end}"
                )
            if until > end:
                end, who = until, run
    return found


def _exact(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0) or "." not in text:
        raise ValueError(f"{text} is no UTC time with parts of a second")
    return moment
