"""scikit-learn's and imbalanced-learn's own checks over every estimator; what is not passed is listed with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from rows import NAMES, QUICK, quick
from sklearn.utils.estimator_checks import parametrize_with_checks

import augmint.adapters as adapters
from augmint.adapters.sampler import LatentSampler

imblearn_base = pytest.importorskip("imblearn.over_sampling.base", reason="imbalanced-learn is not installed")
from imblearn.utils.estimator_checks import parametrize_with_checks as parametrize_with_sampler_checks  # noqa: E402

# imbalanced-learn counts the classes it gets back only for samplers that it knows as over-samplers.
imblearn_base.BaseOverSampler.register(LatentSampler)


def every_estimator() -> list[LatentSampler]:
    found = []
    for class_name, method in NAMES:
        options = QUICK.get(method, {})
        found.append(getattr(adapters, class_name)(random_state=0, **options))
        found.append(adapters.FeatureAugmenter(method, random_state=0, method_options=options or None))
    return found


class WithPool(adapters.RetrievalSampler):
    """Each check makes an X of its own width, so the pool is made from it: moved copies."""

    def fit_resample(self, X: Any, y: Any) -> Any:
        inner = quick("RetrievalSampler", X, sampling_strategy=self.sampling_strategy)
        out = inner.fit_resample(X, y)
        self.__dict__.update({name: value for name, value in vars(inner).items() if name.endswith("_")})
        return out


def every_sampler() -> list[LatentSampler]:
    """Those that a check can call with rows alone."""
    alone = [estimator for estimator in every_estimator() if estimator._chosen()[0] != "retrieval"]
    return [*alone, WithPool(random_state=0)]


REFUSED: dict[str, str] = {
    "check_samplers_pandas_sparse": "sparse X is refused, in a frame too: latents are dense, and making them dense "
    "unasked could take many times the memory",
}


@pytest.mark.filterwarnings("ignore::augmint.adapters.sampler.FallbackWarning")
@parametrize_with_checks(every_estimator())
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::augmint.adapters.sampler.FallbackWarning")
@parametrize_with_sampler_checks(every_sampler(), expected_failed_checks=lambda estimator: REFUSED)
def test_imbalanced_learn(estimator, check):
    check(estimator)
