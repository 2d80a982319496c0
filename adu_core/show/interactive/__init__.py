"""What answers to mouse and keyboard: explorer and player on any page, knobs with a kernel."""

from adu_core.show.interactive.explorer import explorer
from adu_core.show.interactive.knobs import knobs
from adu_core.show.interactive.player import player

__all__ = ["explorer", "knobs", "player"]
