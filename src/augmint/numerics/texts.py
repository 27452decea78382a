"""The strings of a text sample: one, or a few by name (premise and hypothesis); and a sample with others instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from augmint.core.errors import DataError
from augmint.core.types import Sample


def texts_of(sample: Sample) -> tuple[str, ...]:
    """The strings in the order of their columns; raises DataError for content that is neither string nor strings."""
    content = sample.content
    parts = tuple(content.values()) if isinstance(content, dict) else (content,)
    if not parts or not all(isinstance(part, str) for part in parts):
        raise DataError(
            f"{type(content).__name__} as content of sample {sample.id!r}",
            expected="a string, or strings by name",
            do="choose a method and a model of the data's modality (augmint methods list, augmint models list)",
            code="not-text",
        )
    return parts


def with_texts(sample: Sample, texts: Sequence[str], spans: tuple[Any, ...] = ()) -> Sample:
    """A child: the sample with these strings, without id and stored bytes; ``spans`` are those of the new content."""
    content = sample.content
    new = dict(zip(content, texts, strict=True)) if isinstance(content, dict) else texts[0]
    return dataclasses.replace(sample, id="", content=new, raw=None, spans=spans)
