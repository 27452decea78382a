"""augmint mints new training samples with pretrained models and proves whether they help.

The public names are loaded on first use, so ``import augmint`` costs almost nothing and loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from augmint.adapters.sampler import FeatureAugmenter as FeatureAugmenter
    from augmint.core.errors import AugmintError as AugmintError
    from augmint.core.version import __version__ as __version__
    from augmint.models import load_encoder as load_encoder
    from augmint.pipeline.augment import augment as augment
    from augmint.pipeline.evaluate import evaluate as evaluate

_PUBLIC = {
    "AugmintError": "augmint.core.errors",
    "FeatureAugmenter": "augmint.adapters",
    "__version__": "augmint.core.version",
    "augment": "augmint.pipeline.augment",
    "evaluate": "augmint.pipeline.evaluate",
    "load_encoder": "augmint.models",
}

__all__ = ["AugmintError", "FeatureAugmenter", "__version__", "augment", "evaluate", "load_encoder"]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'augmint' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
