"""What an estimator says about itself: scikit-learn's tags, with the fields that imbalanced-learn adds.

The classes mirror ``imblearn.utils._tags``, so that the adapters need no imbalanced-learn and pass its checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sklearn.utils import InputTags, Tags, TargetTags


@dataclass(slots=True)
class SamplerTags:
    """Whether ``sample_indices_`` is there after a fit."""

    sample_indices: bool = True


@dataclass(slots=True)
class RowTags(InputTags):  # type: ignore[misc]
    """Tags of X: numbers in two or more dimensions, or a data frame of them; never sparse."""

    three_d_array: bool = True
    dataframe: bool = True


@dataclass(slots=True)
class ResamplerTags(Tags):  # type: ignore[misc]
    """Tags of a sampler."""

    sampler_tags: SamplerTags = field(default_factory=SamplerTags)


def sampler_tags() -> ResamplerTags:
    """The tags of every estimator of this package."""
    target = TargetTags(required=True, one_d_labels=True, two_d_labels=True, multi_output=True)
    return ResamplerTags(estimator_type="sampler", target_tags=target, input_tags=RowTags())
