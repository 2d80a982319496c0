"""What answers to mouse and keyboard: explorer, player, quiz on any page; knobs with a kernel."""

from adu_core.show.interactive.explorer import explorer
from adu_core.show.interactive.knobs import knobs
from adu_core.show.interactive.player import player
from adu_core.show.interactive.quiz import quiz

__all__ = ["explorer", "knobs", "player", "quiz"]
