"""The page that people see, and the address that apps look for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_warmci.api import Http


def test_the_page_finds_its_files(http: Http) -> None:
    """Styles and scripts come out of the installed package: lost ones show here first."""
    page = http.get("/.web/").text
    files = re.findall(r'(?:src|href)="([\w./-]+\.(?:css|js|png|svg))"', page)
    assert files
    assert {http.get(f"/.web/{file}").status_code for file in files} == {200}


def test_apps_are_led_to_the_collections(http: Http) -> None:
    """Phones know the domain only, and ask here for the rest."""
    for kind in ("caldav", "carddav"):
        answer = http.get(f"/.well-known/{kind}", allow_redirects=False)
        assert answer.status_code == 301
        assert answer.headers["Location"] == "/"
