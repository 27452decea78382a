from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from augmint.core import registry
from augmint.core.errors import UsageError

TABLE = {"stretch": f"{__name__}:Stretch", "plain": f"{__name__}:Plain"}


@dataclass
class Stretch:
    """Makes things longer.

    And this line is not the summary.
    """

    strength: float = 0.5
    steps: int = 3
    bounce: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps = {self.steps} must be >= 1")


@dataclass
class Plain:
    """Has nothing to set."""


def make(options: dict, name: str = "stretch"):
    return registry.build("stretchers", "method", TABLE, name, options)


def test_build_sets_fields():
    made = make({"strength": 2, "bounce": True})
    assert made == Stretch(strength=2, steps=3, bounce=True)


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError) as caught:
        make({}, "strech")
    assert caught.value.code == "unknown-method"
    assert caught.value.expected == "one of: plain, stretch"
    assert "did you mean 'stretch'?" in caught.value.do


def test_unknown_option_suggests_the_nearest():
    with pytest.raises(UsageError) as caught:
        make({"strenght": 1.0})
    assert caught.value.code == "unknown-option"
    assert caught.value.got == "option 'strenght' of method 'stretch'"
    assert caught.value.expected == "one of: bounce, steps, strength"
    assert "did you mean 'strength'?" in caught.value.do


def test_option_of_a_class_without_options():
    with pytest.raises(UsageError) as caught:
        make({"x": 1}, "plain")
    assert caught.value.expected == "one of: none, it takes no options"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"strength": "much"}, "float"),
        ({"strength": True}, "float"),
        ({"strength": None}, "float"),
        ({"steps": 2.0}, "int"),
        ({"steps": True}, "int"),
        ({"steps": [3]}, "int"),
        ({"bounce": 1}, "bool"),
        ({"bounce": "yes"}, "bool"),
    ],
)
def test_wrong_type_is_named(options, kind):
    with pytest.raises(UsageError) as caught:
        make(options)
    (key, value) = next(iter(options.items()))
    assert caught.value.code == "wrong-type"
    assert f"option {key!r} of method 'stretch' = {value!r}" in caught.value.got
    assert caught.value.expected.startswith(kind + ",")


def test_value_out_of_range_is_a_usage_error_that_says_the_range():
    with pytest.raises(UsageError, match="steps = 0 must be >= 1"):
        make({"steps": 0})


def plug_in(monkeypatch, *points: tuple[str, str]) -> None:
    def entry_points(group: str) -> EntryPoints:
        return EntryPoints(EntryPoint(name, value, group) for name, value in points if group == "augmint.stretchers")

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_plug_in_is_found_and_listed(monkeypatch):
    plug_in(monkeypatch, ("outside", f"{__name__}:Plain"))
    assert make({}, "outside") == Plain()
    rows = registry.describe("stretchers", "method", TABLE)
    assert [row["name"] for row in rows] == ["stretch", "plain", "outside"]
    assert rows[0]["summary"] == "Makes things longer."
    assert rows[0]["options"] == {"strength": 0.5, "steps": 3, "bounce": False}


@pytest.mark.parametrize("taken", [["stretch"], ["new", "new"]])
def test_plug_in_may_not_take_a_name(monkeypatch, taken):
    plug_in(monkeypatch, *((name, f"evil.package:{i}") for i, name in enumerate(taken)))
    with pytest.raises(UsageError) as caught:
        make({})
    assert caught.value.code == "plugin-clash"
    assert "evil.package" in caught.value.got
