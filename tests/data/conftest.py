"""Settings of the tests of data."""

import pytest
from PIL import Image

from adu_core.data.messages import warn


@pytest.fixture(autouse=True)
def _warn_again() -> None:
    """What another test was warned of is said again."""
    warn.cache_clear()


@pytest.fixture
def decoded(monkeypatch) -> list[object]:
    """The files that Pillow was asked to open."""
    seen: list[object] = []
    read = Image.open

    def counting(file, *more, **named):
        seen.append(file)
        return read(file, *more, **named)

    monkeypatch.setattr(Image, "open", counting)
    return seen
