"""The page: whole HTML, nothing from outside, hostile names harmless, sections exactly where there are facts."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from made_reports import HOSTILE, arm, full, lift

from augmint.report.facts import Effect, Report, Shown, Strip
from augmint.report.page import render
from support import pattern

VOID = {"meta", "img", "br", "link", "input", "path", "use", "rect", "circle"}
FETCHES = {"src", "href", "srcset", "xlink:href", "poster", "data", "action", "background", "ping", "formaction"}
SECTIONS = {
    "lift": "lift", "scores": "scores", "classes": "classes", "strips": "strips", "films": "films", "map": "map",
    "rejections": "gates", "leak_check": "leaks", "models": "models", "commands": "again", "missing": "missing",
}  # fmt: skip


class Page(HTMLParser):
    """Tags with attributes; fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(full()))


def test_nothing_is_fetched_and_nothing_runs(page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "form", "base", "video", "audio"}
        assert not any(name.startswith("on") for name in attributes)
        for name in FETCHES & set(attributes):
            assert attributes[name].startswith(("data:image/", "#")), (tag, name)
    text = render(full())
    assert not re.search(r"url\((?!#)", text) and "@import" not in text
    assert not re.search(r"https?://", text)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "img-src data:" in policy and "script" not in policy


def test_hostile_names_stay_text():
    clean, hostile = Page(render(full("word"))), Page(render(full(HOSTILE)))
    assert Counter(tag for tag, _ in hostile.tags) == Counter(tag for tag, _ in clean.tags)
    assert {key for _, attributes in hostile.tags for key in attributes} == {
        key for _, attributes in clean.tags for key in attributes
    }
    text = "".join(hostile.text)
    assert "<img src=x onerror=alert(1)>" in text and "{{ 7*7 }}" in text and "$x_1$" in text
    assert "\x00" not in text and "\x1b" not in text
    render(full(HOSTILE)).encode("utf-8")


@pytest.mark.parametrize("left_out", SECTIONS)
def test_a_section_is_there_exactly_when_its_facts_are(left_out):
    empty = {field.name: field.default for field in dataclasses.fields(Report)}
    kept = full()
    less = dataclasses.replace(kept, **{left_out: empty[left_out]})
    gone = {SECTIONS[left_out], *({"harm"} if left_out == "lift" else set())}
    ids = [{section["id"] for section in Page(render(report)).all("section")} for report in (kept, less)]
    assert ids[0] - ids[1] == gone and ids[1] < ids[0]
    only = Report("t", "0", **{left_out: getattr(kept, left_out)})
    assert {section["id"] for section in Page(render(only)).all("section")} == gone


def test_every_section_is_reached_by_keyboard_and_named(page):
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == len(page.all("footer")) == 1
    assert page.all("a")[0]["href"] == "#" + page.all("main")[0]["id"]  # the skip link comes first
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert max(ids.values()) == 1
    links = {link["href"].removeprefix("#") for link in page.all("a")}
    assert links <= set(ids) and {section["id"] for section in page.all("section")} <= links
    for section in page.all("section"):
        assert section["aria-labelledby"] in ids
    assert all(image.get("alt") for image in page.all("img"))
    for _, attributes in page.tags:
        if attributes.get("role") in {"img", "region"}:
            assert attributes["aria-label"]
        if attributes.get("class") == "scroll":
            assert attributes["tabindex"] == "0"
    assert all(head.get("scope") in {"col", "row"} for head in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_both_colour_schemes_and_small_screens(page):
    text = render(full())
    assert "prefers-color-scheme: dark" in text and "@media print" in text and ":focus-visible" in text
    assert any(meta.get("content") == "width=device-width, initial-scale=1" for meta in page.all("meta"))
    assert not re.search(r"#0b0c0\d", text)  # every colour of a chart has become one of the page's
    used = set(re.findall(r"var\((--[\w]+)\)", text))
    defined = [set(re.findall(r"(--[\w]+):", block)) for block in re.findall(r":root \{(.*?)\}", text, re.DOTALL)]
    assert used <= defined[0] and defined[1] <= defined[0]


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_have_contrast(scheme):
    """WCAG AA: 4.5 for text, 3 for marks."""
    blocks = re.findall(r":root \{(.*?)\}", render(Report("t", "0")), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[0])) | (
        dict(re.findall(r"--(\w+): (#\w{6})", blocks[1])) if scheme else {}
    )
    for ground in ("paper", "card"):
        for name in ("ink", "faint", "accent", "good", "bad"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in ("real", "minted", "heldout"):
            assert contrast(colours[name], colours[ground]) >= 3.0, (name, ground)


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_same_facts_give_the_same_page_and_leave_matplotlib_alone():
    before = dict(mpl.rcParams)
    assert render(full()) == render(full())
    assert dict(mpl.rcParams) == before


def test_a_lift_in_log_loss_is_in_nats():
    made = lift()
    page = render(dataclasses.replace(full(), lift=dataclasses.replace(made, metric="log_loss")))
    assert "change of log loss, nats" in page and "Log loss in nats, smaller is better" in page
    assert "Log loss in percent" not in page


def test_one_pair_has_no_interval():
    unsure = Effect(-0.019, math.nan, math.nan, "no detectable effect", "one")
    alone = dataclasses.replace(arm("gan", -0.019), effects={"auroc": unsure, "accuracy": unsure})
    cell = dataclasses.replace(lift().cells[0], pairs=1, arms=(arm("none", 0.0), alone))
    facts = dataclasses.replace(lift(), metric="auroc", cells=(cell,))
    page = render(dataclasses.replace(full(), lift=facts))
    assert "nan]" not in page and ">-1.9</span>" in page


def test_the_verdicts_are_told_as_they_are(page):
    text = "".join(page.text)
    assert "This cell was not run." in text and "partial" in text
    assert "no detectable effect: +0.1 points" in text and "harms: -5.0 points" in text
    assert "not enough data" in text and "no picture here" in text


@pytest.mark.slow
def test_many_large_pictures_stay_small():
    strips = tuple(
        Strip(
            Shown(f"syn-{i}", pattern((512, 512, 3), i)), ((Shown(f"data:{i}", pattern((512, 512, 3), i)), 1.0),), "c"
        )
        for i in range(120)
    )
    begin = time.process_time()
    page = render(dataclasses.replace(full(), strips=strips))
    assert len(page) < 5e6 and time.process_time() - begin < 60
