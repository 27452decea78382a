"""What a run tells whoever watches it. The default tells nobody."""

from __future__ import annotations


class Progress:
    """Receives the stages of a run; the command line draws them, Python callers may subclass it."""

    def stage(self, name: str, total: float, unit: str) -> None:
        """A stage begins: ``total`` steps of ``unit`` ("samples", "share")."""

    def advance(self, steps: float) -> None:
        """So many more steps of the current stage are done."""

    def say(self, message: str) -> None:
        """Something the user should read: a choice made, a fallback, a warning."""
