"""Back out in the form that came in: a list, a pandas frame or series, or an array."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Form:
    """What a caller handed over.

    Attributes:
        kind: "array", "list", "frame" or "series".
        columns: of a frame.
        name: of a series.
        dtypes: of a frame or a series.
    """

    kind: str = "array"
    columns: Any = None
    name: Any = None
    dtypes: Any = None

    @classmethod
    def of(cls, given: Any) -> Form:
        """The form of X or y; pandas is looked at only where the caller has loaded it."""
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(given, pandas.DataFrame):
            return cls("frame", columns=given.columns, dtypes=given.dtypes)
        if pandas is not None and isinstance(given, pandas.Series):
            return cls("series", name=given.name, dtypes=given.dtype)
        return cls("list" if isinstance(given, list) else "array")

    def back(self, values: npt.NDArray[Any]) -> Any:
        """``values`` in this form, with names and dtypes; whole-number columns are rounded."""
        if self.kind == "list":
            return values.tolist()
        pandas = sys.modules.get("pandas")
        if self.kind == "series":
            assert pandas is not None
            return pandas.Series(values, dtype=self.dtypes, name=self.name)
        if self.kind == "frame":
            assert pandas is not None
            frame = pandas.DataFrame(values, columns=self.columns)
            if values.dtype.kind == "f":
                whole = [dtype.kind in "iu" for dtype in self.dtypes]
                frame.loc[:, whole] = np.rint(frame.loc[:, whole])
            return frame.astype(dict(zip(self.columns, self.dtypes, strict=True)))
        return values
