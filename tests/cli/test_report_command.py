"""``augmint report``: exit codes, JSON, the browser."""

from __future__ import annotations

import webbrowser


def test_report(augmint, finished, monkeypatch):
    shown = []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or True)
    answer = augmint("report", finished.out, "--json")
    assert answer.code == 0 == answer.json["exit_code"]
    assert answer.json["path"] == str(finished.out / "report/index.html") and answer.json["bytes"] > 10_000
    assert "Does it help?" in answer.json["missing"] and shown == []
    answer = augmint("report", finished.out, "--open")
    assert answer.code == 0 and "not in it: Does it help?" in answer.out and "index.html" in answer.out
    assert shown == [(finished.out / "report/index.html").as_uri()]
    assert augmint("report", finished.out, "-q").out == ""


def test_without_a_browser_the_path_is_said(augmint, finished, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    answer = augmint("report", finished.out, "--open")
    assert answer.code == 0 and "no browser" in answer.err and "index.html" in answer.err


def test_wrong_folders_are_two(augmint, tmp_path, finished):
    for words in ([tmp_path / "nothing"], [tmp_path], [finished.out, "--lift", tmp_path]):
        answer = augmint("report", *words, "--json")
        assert answer.code == 2 and answer.json["error"]["got"]
