"""Things on a page that answer to mouse and keyboard, without a kernel and without a network."""

from adu_core.interactive.explorer import explorer
from adu_core.interactive.player import player

__all__ = ["explorer", "player"]
