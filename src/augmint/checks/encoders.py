"""The laws of models: encoders, and encoders that can go back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from augmint.checks.laws import content_of, law, near, watched
from augmint.core.protocols import Codec, Encoder
from augmint.core.types import Sample


def check_encoder(make: Callable[[], Encoder], samples: Sequence[Sample]) -> None:
    """The laws of an encoder, on at least two samples of the caller's."""
    encoder = make()
    law(isinstance(encoder, Encoder), "is an Encoder")
    law(isinstance(encoder.space, str) and encoder.space, "space is a name")
    law(make().space == encoder.space, "equal configurations share the space", f"{encoder.space!r}")
    with watched(list(samples)):
        z = encoder.encode(samples)
    law(len(z) == len(samples) and z.ndim >= 2, "one row for each sample", f"shape {z.shape}")
    law(z.dtype == np.float32, "rows are float32", str(z.dtype))
    law(np.isfinite(z).all(), "rows are finite")
    law(content_of(encoder.encode(samples)) == content_of(z), "the same samples give the same bytes")
    law(near(make().encode(samples), z), "a fresh encoder gives the same rows")
    single = np.concatenate([encoder.encode([sample]) for sample in samples])
    law(near(single, z), "a row does not depend on the batch", "one sample alone differs")
    law(near(encoder.encode(samples[::-1]), z[::-1]), "a row does not depend on the batch", "the order matters")
    empty = encoder.encode([])
    law(empty.shape == (0, *z.shape[1:]), "no samples give no rows, of the right shape", f"{empty.shape}")


def check_codec(make: Callable[[], Codec], samples: Sequence[Sample]) -> None:
    """The laws of an encoder that can go back; includes :func:`check_encoder`."""
    check_encoder(make, samples)
    codec = make()
    law(isinstance(codec, Codec), "is a Codec")
    z = codec.encode(samples)
    with watched(z, list(samples)):
        made = codec.decode(z, samples)
    law(len(made) == len(samples), "one sample for each row")
    for child, parent in zip(made, samples, strict=True):
        law(type(child.content) is type(parent.content), "the child's content is of its anchor's kind")
        if isinstance(child.content, np.ndarray):
            form = [(x.content.shape, x.content.dtype) for x in (child, parent)]
            law(form[0] == form[1], "the child takes size and depth of its anchor", f"{form[0]}, not {form[1]}")
    contents = [content_of(s.content) for s in made]
    law([content_of(s.content) for s in codec.decode(z, samples)] == contents, "the same rows give the same samples")
    law(codec.decode(z[:0], []) == [], "no rows give no samples")
