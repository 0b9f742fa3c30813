"""pytest-warmci: test recipes of self-hosted applications on real data, in seconds."""

from typing import Final

__version__: Final = "0.1.0"
