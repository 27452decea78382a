"""A gzip file that can be read from any place, without a second copy of it: a checkpoint for each 256 KiB.

A checkpoint is a copy of the decompressor's state (its 32 KiB window) at the start of a block, as in zlib's
``zran.c``. Reading a row costs inflating at most one block; 200 MB of text hold 35 MB of checkpoints.
"""

from __future__ import annotations

import io
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augmint.core.errors import DataError
from augmint.formats.npz import MAX_RATIO, MAX_UNCHECKED_BYTES

_BLOCK = 1 << 18
_CHUNK = 1 << 16
_KEPT = 16
_GZIP = 31  # zlib's window bits for a gzip header


@dataclass
class _State:
    """A place in the compressed file: the decompressor there, and the byte it wants next."""

    inflate: Any
    at: int

    def copy(self) -> _State:
        return _State(self.inflate.copy(), self.at)


class Inflated(io.RawIOBase):
    """The inflated bytes of a ``.gz`` file, which may have several members; seeks are cheap.

    Raises:
        DataError: code ``gzip`` (damaged or cut), ``bomb`` (inflates to more than 200 times its size).
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._raw = path.open("rb")
        self._checkpoints = [_State(zlib.decompressobj(_GZIP), 0)]
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte of the inflated file; from its start or from here."""
        self._at = offset if whence == io.SEEK_SET else self._at + offset
        return self._at

    def tell(self) -> int:
        """The byte of the inflated file that comes next."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what comes next, as far as one block has it; 0 at the end."""
        number, start = divmod(self._at, _BLOCK)
        data = self._block(number)[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the compressed file."""
        self._raw.close()
        super().close()

    def _block(self, number: int) -> bytes:
        while number not in self._blocks:
            first = min(number, len(self._checkpoints) - 1)
            state = self._checkpoints[first].copy()
            data = self._inflate(state, first)
            if first + 1 == len(self._checkpoints) and len(data) == _BLOCK:
                self._checkpoints.append(state)
            self._blocks[first] = data
            if len(self._blocks) > _KEPT:
                self._blocks.popitem(last=False)
            if first < number and len(data) < _BLOCK:
                return b""  # beyond the end
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _inflate(self, state: _State, number: int) -> bytes:
        """The block that begins at this state, which is moved to the block's end."""
        parts, missing = [], _BLOCK
        self._raw.seek(state.at)
        while missing:
            chunk = self._raw.read(_CHUNK)
            if state.inflate.eof:  # another member, zero padding, or the end
                chunk = chunk.lstrip(b"\0")
                state.at = self._raw.tell() - len(chunk)
                if not chunk:
                    break
                state.inflate = zlib.decompressobj(_GZIP)
            if not chunk:
                raise self._damaged("it ends too early")
            try:
                data = state.inflate.decompress(chunk, missing)
            except zlib.error as error:
                raise self._damaged(str(error)) from error
            # At the end of a member the tail may hold once more what is in unused_data.
            rest = state.inflate.unused_data if state.inflate.eof else state.inflate.unconsumed_tail
            state.at = self._raw.tell() - len(rest)
            self._raw.seek(state.at)
            parts.append(data)
            missing -= len(data)
            self._check_ratio(number * _BLOCK + _BLOCK - missing, state.at)
        return b"".join(parts)

    def _check_ratio(self, inflated: int, read: int) -> None:
        if inflated > MAX_UNCHECKED_BYTES and inflated > MAX_RATIO * read:
            raise DataError(
                f"{str(self.path)!r}: {read} bytes that inflate to more than {inflated}",
                expected=f"at most {MAX_RATIO} times",
                do="unpack it yourself if you trust it: gunzip",
                code="bomb",
            )

    def _damaged(self, why: str) -> DataError:
        return DataError(
            f"{str(self.path)!r}: damaged gzip: {why}",
            expected="a whole .gz file",
            do="copy it anew, or check it with: gzip -t",
            code="gzip",
        )
