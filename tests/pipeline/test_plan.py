from __future__ import annotations

import dataclasses
import string

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from augmint.core.errors import UsageError
from augmint.pipeline.config import apply_settings, plan_from, read_config
from augmint.pipeline.plan import Plan, make_plan

KEYS = sorted(field.name for field in dataclasses.fields(Plan))


@pytest.fixture
def config(tmp_path):
    def write(text: str | bytes):
        path = tmp_path / "c.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def refused(path, values=None, settings=()) -> UsageError:
    with pytest.raises(UsageError) as caught:
        plan_from(path, values or {}, list(settings))
    assert caught.value.exit_code == 2
    return caught.value


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=False)
)

FAULTS = {
    "typo": ("seed: 1\nfactr: 3\n", 2, "factr"),
    "typo of an option": ("method: noise\nmethod_options:\n  strenght: 1.0\n", 3, "strenght"),
    "typo of a gate's option": ("gate_options:\n  diversity:\n    closets: 0.1\n", 3, "closets"),
    "unknown method": ("seed: 1\nmethod: gam\nmethod_options: {strength: 1.0}\n", 2, "gam"),
    "unknown gate": ("seed: 1\ngates: [novelty, diversty]\n", 2, "diversty"),
    "options of an unknown gate": ("gate_options:\n  diversty: {closest: 0.1}\n", 2, "diversty"),
    "twice": ("seed: 1\nfactor: 2\nseed: 1\n", 3, "seed"),
    "twice inside": ("method_options:\n  neighbors: 3\n  neighbors: 4\n", 3, "neighbors"),
    "wrong type": ("\n\nseed: many\n", 3, "many"),
    "number for a word": ("method: 3\n", 1, "3"),
    "truth for a number": ("factor: yes\n", 1, "True"),
    "fraction for a whole number": ("seed: 1.5\n", 1, "1.5"),
    "nothing": ("seed:\n", 1, "None"),
    "a list of options": ("method_options: [1]\n", 1, "[1]"),
    "gates that are no names": ("gates: [1]\n", 1, "[1]"),
    "wrong type inside": ("gates: none\nmethod_options:\n  neighbors: few\n", 3, "few"),
    "out of range": ("gates: none\nfactor: 0.5\n", 2, "0.5"),
    "not a number": ("factor: .nan\n", 1, "nan"),
    "out of range inside": ("gates: none\nmethod_options:\n  neighbors: 0\n", 2, "neighbors = 0"),
    "version": ("version: 2\n", 1, "2"),
    "python object": ("seed: 1\nmodel: !!python/object/apply:os.system [touch /tmp/augmint-pwned]\n", 2, "python"),
    "tag": ("model: !secret x\n", 1, "secret"),
    "broken": ("seed: 1\nfactor: [1, 2\nmethod: x\n", 3, ""),
    "tab": ("seed: 1\n\tfactor: 2\n", 2, ""),
    "two documents": ("seed: 1\n---\nseed: 2\n", 2, ""),
    "a list": ("- seed: 1\n", 1, "list"),
    "a word": ("seed\n", 1, "str"),
    "a date that is none": ("seed: 1\nlabel: 2026-99-99\n", 2, "month"),
    "a key that is a number": ("seed: 1\n7: 1\n", 2, "7"),
    "a key that is a truth": ("on: 1\n", 1, "on"),
    "a key that is a list": ("seed: 1\n? [a]\n: 1\n", 2, ""),
    "control character": ("seed: 1\nlabel: a\x07b\n", 2, ""),
    "not UTF-8": (b"seed: 1\nlabel: caf\xe9\n", 2, ""),
    "alias bomb": (BOMB + "model: *i\n", 2, "alias"),
    "too deep": ("model: " + "[" * 1500, 1, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_file_is_refused_with_its_line(config, fault):
    text, line, word = FAULTS[fault]
    path = config(text)
    error = refused(path)
    assert f"{path}:{line}" in error.got
    assert word in error.got
    assert error.expected and error.do
    assert len(str(error)) < 3000


@pytest.mark.parametrize("fault", ["typo", "typo of an option", "unknown method", "unknown gate"])
def test_typos_of_a_file_get_the_right_word(config, fault):
    right = {"typo": "factor", "typo of an option": "strength", "unknown method": "gan", "unknown gate": "diversity"}
    assert f"did you mean {right[fault]!r}?" in refused(config(FAULTS[fault][0])).do


def test_missing_file_is_named(tmp_path):
    assert str(tmp_path / "none.yaml") in refused(tmp_path / "none.yaml").got
    assert refused(tmp_path).code == "config"  # a folder


def test_empty_file_and_byte_order_mark_are_fine(config):
    assert plan_from(config("# nothing\n"), {}) == Plan()
    assert plan_from(config(b"\xef\xbb\xbfseed: 4\r\nversion: 1\r\n"), {}) == Plan(seed=4)


def edits(word: str) -> st.SearchStrategy[str]:
    """Words one edit away: a letter more, less, other, or two letters swapped."""
    place, letter = st.integers(0, len(word) - 1), st.sampled_from(string.ascii_lowercase)
    return st.one_of(
        place.map(lambda i: word[:i] + word[i + 1 :]),
        st.tuples(place, letter).map(lambda x: word[: x[0]] + x[1] + word[x[0] :]),
        st.tuples(place, letter).map(lambda x: word[: x[0]] + x[1] + word[x[0] + 1 :]),
        st.integers(0, len(word) - 2).map(lambda i: word[:i] + word[i + 1] + word[i] + word[i + 2 :]),
    ).filter(lambda typo: typo not in KEYS)


def test_typos_of_keys_get_the_right_suggestion():
    hits, total = [0], [0]

    @settings(max_examples=400, database=None, derandomize=True, deadline=None)
    @given(st.sampled_from(KEYS).flatmap(lambda key: st.tuples(st.just(key), edits(key))))
    def one(pair):
        key, typo = pair
        with pytest.raises(UsageError) as caught:
            make_plan({typo: 1})
        total[0] += 1
        hits[0] += f"did you mean {key!r}?" in caught.value.do

    one()
    assert total[0] >= 300
    assert hits[0] / total[0] >= 0.95


def test_flags_win_over_settings_over_file_over_defaults(config):
    path = config("seed: 1\nfactor: 3\nunit_size: 5\nmethod_options: {neighbors: 2, high: 0.5}\n")
    plan = plan_from(path, {"seed": 9}, ["seed=8", "factor=4", "method_options.high=0.75"])
    assert (plan.seed, plan.factor, plan.unit_size, plan.max_tries) == (9, 4.0, 5, Plan().max_tries)
    assert plan.method_options == {"neighbors": 2, "high": 0.75}


def test_a_wrong_flag_is_not_blamed_on_the_file(config):
    path = config("factor: 3\nmethod_options:\n  neighbors: 3\n")
    assert "c.yaml" not in refused(path, {"factor": 0.5}).got
    assert "c.yaml" not in refused(path, settings=["factor=0.5"]).got
    assert "c.yaml" not in refused(path, settings=["method_options.neighbors=few"]).got
    assert "c.yaml:1" in refused(config("factor: 0.5\nseed: 2\n"), {"seed": 1}).got


@pytest.mark.parametrize("setting", ["seed", "=1", "seed=[1", "seed=!!python/name:os.system ''", "label=2026-99-99"])
def test_faulty_settings(setting):
    assert setting.split("=")[0] in refused(None, settings=[setting]).got


def test_settings_do_not_change_what_they_are_laid_over():
    before = {"method_options": {"high": 0.5}}
    after = apply_settings(before, ["method_options.high=0.7", "gate_options.novelty.min_rows=3"])
    assert before == {"method_options": {"high": 0.5}}
    assert after == {"method_options": {"high": 0.7}, "gate_options": {"novelty": {"min_rows": 3}}}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gates": "none", "seed": 2**40, "factor": 1.75},
        {"strategy": {"a b": 3, "1": 5}, "method": "noise", "method_options": {"strength": 0.125}},
        {"strategy": "näh=3, x\u2028=5", "label": "été: yes", "synthetic_only": True},
        {"gates": ["diversity"], "gate_options": {"diversity": {"closest": 0.3}}},
    ],
)
def test_a_plan_written_as_yaml_reads_back_the_same(tmp_path, values):
    plan = make_plan(values)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(plan.as_dict(), sort_keys=False, allow_unicode=True), encoding="utf-8")
    assert plan_from(path, {}) == plan


def test_places_of_keys(config):
    path = config("seed: 1\nmethod_options:\n  high: 0.5\n")
    values, where = read_config(path)
    assert values == {"seed": 1, "method_options": {"high": 0.5}}
    assert where == {"seed": f"{path}:1", "method_options": f"{path}:2", "method_options.high": f"{path}:3"}


def test_gates_named_twice_count_once_and_none_is_none():
    assert make_plan({"gates": ["novelty", "novelty"]}).gates == ("novelty",)
    assert make_plan({"gates": "none"}).gates == make_plan({"gates": []}).gates == ()


def test_a_whole_number_is_a_float_factor():
    assert make_plan({"factor": 3}) == make_plan({"factor": 3.0})
    assert isinstance(make_plan({"factor": 3}).factor, float)


@pytest.mark.parametrize(("key", "value"), [("factor", 0.99), ("factor", float("inf")), ("seed", -1), ("seed", 2**63),
                                            ("unit_size", 0), ("max_tries", 0), ("max_rounds", 0), ("threads", 0),
                                            ("size", 2048)])  # fmt: skip
def test_ranges(key, value):
    with pytest.raises(UsageError) as caught:
        make_plan({key: value})
    assert caught.value.code == "range"
    assert key in caught.value.got
