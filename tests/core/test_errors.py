from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from augmint.core import errors
from augmint.core.errors import AugmintError, RunError, SampleError, UsageError, did_you_mean, unknown

KINDS = [
    (errors.UsageError, 2, "usage"),
    (errors.DataError, 2, "data"),
    (errors.ModelError, 2, "model"),
    (errors.GateError, 1, "gate"),
    (errors.RunError, 3, "failed"),
]


@pytest.mark.parametrize(("kind", "exit_code", "code"), KINDS)
def test_exit_codes_and_default_codes_are_what_scripts_rely_on(kind, exit_code, code):
    error = kind("a", expected="b", do="c")
    assert (error.exit_code, error.code) == (exit_code, code)
    assert str(error) == "got: a\nexpected: b\ndo: c"


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS])
def test_pickling_keeps_type_and_parts(kind):
    again = pickle.loads(pickle.dumps(kind("a", expected="b", do="c", code="d")))  # noqa: S301 (our own bytes)
    assert type(again) is kind
    assert (again.got, again.expected, again.do, again.code) == ("a", "b", "c", "d")


def raise_in_child() -> None:
    raise RunError("disk full at /x", expected="room", do="make room", code="disk")


def test_an_error_survives_the_way_from_a_process():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        caught = pool.submit(raise_in_child).exception()
    assert isinstance(caught, RunError)
    assert (caught.got, caught.expected, caught.do, caught.code) == ("disk full at /x", "room", "make room", "disk")


def test_sample_error_pickles_and_reads_well():
    again = pickle.loads(pickle.dumps(SampleError("cut short", "no end chunk")))  # noqa: S301 (our own bytes)
    assert (again.reason, again.detail, str(again)) == ("cut short", "no end chunk", "cut short: no end chunk")
    assert str(SampleError("empty file")) == "empty file"
    assert not isinstance(again, AugmintError)  # a bad sample must never end a run by itself


@pytest.mark.parametrize(
    ("word", "known", "right"),
    [
        ("interpolaton", ["gan", "interpolation", "noise"], "interpolation"),
        ("GAN", ["gan", "noise"], "gan"),
        ("rbc", ["RBC", "WBC", "Platelets"], "RBC"),
        ("platelet", ["RBC", "WBC", "Platelets"], "Platelets"),
        ("RBD", ["RBC", "Platelets"], "RBC"),
    ],
)
def test_did_you_mean_ignores_case(word, known, right):
    assert did_you_mean(word, known) == f"did you mean {right!r}?"


def test_did_you_mean_is_silent_when_nothing_is_near():
    assert did_you_mean("zzzz", ["gan", "noise"]) == ""
    assert did_you_mean("", ["gan"]) == ""


def test_unknown_lists_names_and_suggests():
    error = unknown("method", "gam", ["noise", "gan"], where="a.yaml:3")
    assert isinstance(error, UsageError)
    assert error.code == "unknown-method"
    assert error.got == "method 'gam' (a.yaml:3)"
    assert error.expected == "one of: gan, noise"
    assert error.do == "did you mean 'gan'? correct the name"
