"""The house seen from other tools: scikit-learn and imbalanced-learn.

``FeatureAugmenter`` takes a method by name. ``NoiseSampler``, ``InterpolationSampler``, ... are one estimator for
each method of the table, made from its fields the first time the name is asked for, so that a new method (also one
of a plug-in) has its estimator at once and importing this package loads neither scikit-learn nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from augmint.core.registry import names
from augmint.synthesizers import TABLE

if TYPE_CHECKING:
    from augmint.adapters.sampler import FeatureAugmenter as FeatureAugmenter

SUFFIX = "Sampler"


def estimators() -> dict[str, str]:
    """Name of the estimator of each method: the method's class and "Sampler"."""
    return {target.rpartition(":")[2] + SUFFIX: name for name, target in names("synthesizers", TABLE).items()}


def __getattr__(name: str) -> Any:
    if name == "FeatureAugmenter":
        return importlib.import_module("augmint.adapters.sampler").FeatureAugmenter
    if not name.endswith(SUFFIX) or name not in estimators():
        raise AttributeError(f"module 'augmint.adapters' has no attribute {name!r}")
    made = importlib.import_module("augmint.adapters.generated").estimator(name, estimators()[name])
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return sorted(["FeatureAugmenter", "estimators", *estimators()])
