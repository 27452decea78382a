"""Lines to a terminal or a pipe: no control characters out of the data, no end because the reader went away."""

from __future__ import annotations

import os
from typing import TextIO


def say(text: str, stream: TextIO) -> None:
    """Print a line; once the reader is gone (``augmint ... | head``) this and all further lines go nowhere."""
    try:
        print(clean(text), file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def clean(text: str, breaks: str = "\n\t") -> str:
    """Names come from the data: none of their control characters but ``breaks`` reaches the terminal."""
    return "".join(letter if letter.isprintable() or letter in breaks else "?" for letter in text)
