"""Inside the tools people have: imbalanced-learn's pipeline, cross-validation, grid search, other processes."""

from __future__ import annotations

import numpy as np
import pytest
from joblib import Parallel, delayed
from rows import NAMES, quick, uneven
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

import augmint as am
from augmint.adapters import InterpolationSampler, NoiseSampler

make_pipeline = pytest.importorskip("imblearn.pipeline", reason="imbalanced-learn is not installed").make_pipeline


def separable():
    X, y = uneven((60, 20, 8))
    return X, y


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, method in NAMES if method != "retrieval"])
def test_every_estimator_under_cross_validate(name):
    X, y = separable()
    pipeline = make_pipeline(StandardScaler(), quick(name, X), LogisticRegression())
    scores = cross_validate(pipeline, X, y, cv=3, scoring="balanced_accuracy", error_score="raise")["test_score"]
    assert scores.mean() > 0.4  # it runs; what it is worth is measured in benchmarks/


def test_only_the_training_rows_are_resampled():
    X, y = separable()
    seen = []

    class Watch(LogisticRegression):
        def fit(self, X, y):
            seen.append(np.unique(y, return_counts=True)[1].tolist())
            return super().fit(X, y)

    pipeline = make_pipeline(am.FeatureAugmenter("noise", random_state=0), Watch())
    assert len(pipeline.fit(X, y).predict(X)) == len(X) and seen == [[60, 60, 60]]


def test_a_grid_over_the_methods_options():
    X, y = separable()
    pipeline = make_pipeline(InterpolationSampler(random_state=0), LogisticRegression())
    grid = {"interpolationsampler__neighbors": np.array([1, 3]), "interpolationsampler__sampling_strategy": ["auto"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["interpolationsampler__neighbors"] in (1, 3)
    methods = {"featureaugmenter__method": ["noise", "interpolation"]}
    choose = make_pipeline(am.FeatureAugmenter(random_state=0), LogisticRegression())
    assert len(GridSearchCV(choose, methods, cv=2, error_score="raise").fit(X, y).cv_results_["params"]) == 2


def test_other_processes_give_the_same_bytes():
    X, y = uneven()
    here = NoiseSampler(random_state=0).fit_resample(X, y)[0]
    there = Parallel(n_jobs=2)(delayed(NoiseSampler(random_state=0).fit_resample)(X, y) for _ in range(2))
    assert all(rows.tobytes() == here.tobytes() for rows, _ in there)


def test_without_imbalanced_learn(monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "imblearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "imblearn", None)  # importing it fails
    X, y = uneven()
    assert len(NoiseSampler(random_state=0).fit_resample(X, y)[0]) == 120
