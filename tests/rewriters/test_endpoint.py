from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augmint.checks import check_rewriter
from augmint.core.errors import DataError, RunError, UsageError
from augmint.core.types import Sample
from augmint.rewriters import chat
from augmint.rewriters.answers import Answers, Cap, Cost, Ledger, total
from augmint.rewriters.endpoint import Endpoint, text_in
from augmint.rewriters.generating import Piece

SAMPLES = [Sample(f"row {i}", f"what a fine day number {i}", "good", group=f"g{i}") for i in range(4)]
SECRET = "sk-not-to-be-seen"


def rngs(n: int) -> list[np.random.Generator]:
    return [np.random.default_rng(i) for i in range(n)]


@dataclass
class Stand:
    """A chat server on this machine. ``script`` answers first, one (status, headers, body) a request."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    script: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, str], str]:
        with self.lock:
            self.asked.append(body)
            self.keys.append(key)
            if self.script:
                return self.script.pop(0)
        words = body["messages"][-1]["content"].rpartition("Text: ")[2]
        return 200, {}, said(json.dumps({"text": f"{words} indeed {body.get('seed', 0) % 97}"}))


def said(content: Any, reason: str = "stop", usage: Any = None) -> str:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": reason}
    return json.dumps({"choices": [choice], "usage": usage or {"prompt_tokens": 50, "completion_tokens": 10}})


@pytest.fixture
def stand() -> Iterator[Stand]:
    found = Stand()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            status, headers, text = found.answer(body, self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; what would have been waited is noted."""
    noted: list[float] = []
    monkeypatch.setattr(chat.time, "sleep", noted.append)
    return noted


def asking(stand: Stand, **options: Any) -> Endpoint:
    return Endpoint(**{"url": stand.url, "model": "tiny", "parallel": 1, **options})


def test_laws(stand: Stand) -> None:
    pair = Sample("pair", {"premise": "it rains", "hypothesis": "it is wet"}, "good")
    check_rewriter(lambda: asking(stand, parallel=3), [*SAMPLES[:2], pair])


def test_what_is_asked(stand: Stand) -> None:
    child = asking(stand).fit(SAMPLES, rngs(1)[0]).rewrite([Sample("x", "so {label} so {text}", "bad")], rngs(1))[0]
    body = stand.asked[0]
    assert body["model"] == "tiny" and body["max_tokens"] == 256 and isinstance(body["seed"], int)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"].endswith("Label: bad\nText: so {label} so {text}")
    assert child.content.startswith("so {label} so {text} indeed") and child.target == "bad"
    assert stand.keys == [None]
    asking(stand, prompt="{label}? {text}!", plain=True, send_seed=False, task="new").rewrite(SAMPLES[:1], rngs(1))
    assert stand.asked[1]["messages"] == [{"role": "user", "content": "good? what a fine day number 0!"}]
    assert "seed" not in stand.asked[1]


def test_failures_are_tried_again(stand: Stand, waits: list[float]) -> None:
    stand.script = [
        (500, {}, "broken"),
        (429, {"Retry-After": "7"}, "slow down"),
        (429, {"Retry-After": "9999"}, "slow down"),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, "in the past"),
        (200, {}, "no JSON {"),
    ]
    child = asking(stand).rewrite(SAMPLES[:1], rngs(1))[0]
    assert "indeed" in child.content and len(stand.asked) == 6
    assert waits == [1.0, 7.0, 60.0, 0.0, 16.0]
    stand.script = [(500, {}, "broken")] * 3
    with pytest.raises(RunError, match="3 attempts: status 500"):
        asking(stand, retries=2).rewrite(SAMPLES[:1], rngs(1))


def test_nobody_there(waits: list[float]) -> None:
    with pytest.raises(RunError, match="2 attempts"):
        Endpoint(url="http://127.0.0.1:9/v1", model="tiny", retries=1, timeout=2.0).rewrite(SAMPLES[:1], rngs(1))
    assert waits == [1.0]


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_refusals_are_not_tried_again(stand: Stand, status: int) -> None:
    stand.script = [(status, {"Location": "http://127.0.0.1:9/v1"}, "no")]
    with pytest.raises(UsageError, match=f"status {status}"):
        asking(stand).rewrite(SAMPLES[:1], rngs(1))
    assert len(stand.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [said("not JSON"), said('{"words": "x"}'), said(None), said('{"text": 3}'), '{"choices": []}', "{}", said("[1]")],
)
def test_answers_that_cannot_be_read_are_asked_for_again(stand: Stand, answer: str) -> None:
    stand.script = [(200, {}, answer)]
    told = asking(stand).children(SAMPLES[:1], rngs(1))[0]
    assert "indeed" in told.sample.content and len(stand.asked) == 2
    assert stand.asked[0]["seed"] != stand.asked[1]["seed"]
    stand.script = [(200, {}, answer)] * 2
    told = asking(stand, tries=2).children(SAMPLES[:1], rngs(1))[0]
    assert told.sample.content == SAMPLES[0].content and "no answer could be read" in told.note


@pytest.mark.parametrize("odd", [json.dumps({"text": "half \ud800 a pair"}), '{"text": "a \\u0000 b"}', "plain \udc00"])
def test_characters_that_no_file_holds_are_asked_for_again(stand: Stand, tmp_path: Path, odd: str) -> None:
    stand.script = [(200, {}, said(odd))]
    method = asking(stand, plain=odd.startswith("plain")).remembering(tmp_path)
    text = method.rewrite(SAMPLES[:1], rngs(1))[0].content
    assert "indeed" in text and text.encode() and len(stand.asked) == 2
    method.remembering(tmp_path, ask=False).rewrite(SAMPLES[:1], rngs(1))
    assert len(stand.asked) == 2, "both answers were kept, the odd one too"


def test_answers_nested_too_deeply(stand: Stand) -> None:
    assert text_in('{"a":' * 100_000) == ""
    stand.script = [(200, {}, '{"a":' * 100_000)]
    assert "indeed" in asking(stand).rewrite(SAMPLES[:1], rngs(1))[0].content


def test_secrets_in_options_are_refused_before_they_are_written(tmp_path: Path) -> None:
    for options in ({"url": "http://me:secret@host/v1"}, {"url": "http://host/v1", "key_env": "sk-secret"}):
        with pytest.raises(UsageError) as caught:
            Endpoint(model="tiny", **options)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-sécret"])
def test_keys_that_cannot_be_sent(stand: Stand, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("A_KEY", key)
    with pytest.raises(UsageError, match="A_KEY holds what no key can") as caught:
        asking(stand, key_env="A_KEY").fit([], rngs(1)[0])
    assert "cret" not in str(caught.value) and not stand.asked


def test_a_line_of_the_ledger_that_was_cut_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"requests": 1, "re')
    Ledger(path).book(Cost(1, 2, 3))
    assert total(path.read_text()) == Cost(1, 2, 3)


def test_each_attempt_counts(stand: Stand, tmp_path: Path) -> None:
    stand.script = [(503, {}, "busy")] * 9
    capped = asking(stand, max_requests=3).remembering(tmp_path / "a")
    with pytest.raises(RunError, match="max_requests 4"):
        capped.rewrite(SAMPLES[:1], rngs(1))
    assert len(stand.asked) == 3
    ledger = total((tmp_path / "a" / "ledger.jsonl").read_text())
    assert ledger == Cost(3, 0, 0)  # nobody charges for what is answered with 503


def test_an_attempt_that_may_have_been_charged_stays_booked(stand: Stand, tmp_path: Path) -> None:
    stand.script = [(200, {}, "no JSON {")]
    asking(stand, most=100).remembering(tmp_path).rewrite(SAMPLES[:1], rngs(1))
    spent = total((tmp_path / "ledger.jsonl").read_text())
    assert spent.requests == 2 and spent.written == 100 + 10 and spent.read > 50


def test_thoughts_before_a_plain_answer(stand: Stand) -> None:
    stand.script = [(200, {}, said("<think>\nHe wants it anew.\n</think>\n\nA day as fine as any"))]
    assert asking(stand, plain=True).rewrite(SAMPLES[:1], rngs(1))[0].content == "A day as fine as any"


def test_one_text_is_refused_where_others_are_answered(stand: Stand, tmp_path: Path) -> None:
    method = asking(stand, tries=1).remembering(tmp_path)
    method.rewrite(SAMPLES[:1], rngs(1))
    stand.script = [(400, {}, "content_filter")]
    child = method.children(SAMPLES[1:2], rngs(1))[0]
    assert child.sample.content == SAMPLES[1].content and "the server refused" in child.note
    asked = len(stand.asked)
    replayed = asking(stand, tries=1).remembering(tmp_path, ask=False)
    assert replayed.children(SAMPLES[1:2], rngs(1)) == [child] and len(stand.asked) == asked
    spent = total((tmp_path / "ledger.jsonl").read_text())
    stand.script = [(401, {}, "who are you")]
    with pytest.raises(UsageError, match="status 401"):
        method.rewrite(SAMPLES[2:3], rngs(1))
    assert total((tmp_path / "ledger.jsonl").read_text()) == Cost(spent.requests + 1, spent.read, spent.written)
    assert (spent.read, spent.written) == (50, 10)  # of the text that was answered


def test_an_error_with_a_good_status_is_asked_again(stand: Stand, tmp_path: Path) -> None:
    stand.script = [(200, {}, json.dumps({"error": {"code": 429, "message": "busy"}}))]
    child = asking(stand, backoff=0.0).remembering(tmp_path).children(SAMPLES[:1], rngs(1))[0]
    assert "indeed" in child.sample.content and len(stand.asked) == 2
    assert total((tmp_path / "ledger.jsonl").read_text()) == Cost(2, 50, 10)


def test_texts_in_answers(stand: Stand) -> None:
    assert text_in('{"text": "line one\nline two"}') == "line one\nline two"  # a break that should be escaped
    assert text_in('Sure! ```json\n{"text": " a {b} "}\n``` bye') == "a {b}"
    assert text_in('{not json} {"text": "c"}') == "c"
    assert text_in("") == text_in("{}") == ""
    thought = '<think>I must answer with {"text": "..."}; the input is {"label": "x"}.</think>\n{"text": "A new one"}'
    assert text_in(thought) == text_in(thought.replace("</think>", " So:")) == "A new one"
    assert text_in('{"label": "x"} {"text": "b"} {"note": 1}') == "b"
    assert text_in('{"inner": {"text": "c"}}') == ""
    stand.script = [(200, {}, said("cut o", "length"))]
    asking(stand, plain=True).rewrite(SAMPLES[:1], rngs(1))
    assert len(stand.asked) == 2, "a text that was cut off is no text"


def test_answers_are_kept_and_never_asked_for_twice(stand: Stand, tmp_path: Path) -> None:
    first = asking(stand).remembering(tmp_path / "answers").rewrite(SAMPLES, rngs(4))
    asked = len(stand.asked)
    again = asking(stand).remembering(tmp_path / "answers").rewrite(SAMPLES, rngs(4))
    replayed = asking(stand, url=stand.url).remembering(tmp_path / "answers", ask=False).rewrite(SAMPLES, rngs(4))
    assert first == again == replayed and len(stand.asked) == asked
    with pytest.raises(DataError, match="no answer to request"):
        asking(stand).remembering(tmp_path / "elsewhere", ask=False).rewrite(SAMPLES[:1], rngs(1))
    file = next((tmp_path / "answers").glob("*/*.json"))
    file.write_text("{damaged")
    with pytest.raises(DataError, match="put them back"):
        asking(stand).remembering(tmp_path / "answers", ask=False).rewrite(SAMPLES, rngs(4))
    asking(stand).remembering(tmp_path / "answers").rewrite(SAMPLES, rngs(4))
    assert len(stand.asked) == asked + 1, "the damaged one"


def test_the_key_is_sent_and_written_nowhere(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = asking(stand, key_env="AUGMINT_TEST_KEY")
    with pytest.raises(UsageError, match="AUGMINT_TEST_KEY is not set"):
        method.fit(SAMPLES, rngs(1)[0])
    monkeypatch.setenv("AUGMINT_TEST_KEY", SECRET)
    method.remembering(tmp_path).rewrite(SAMPLES[:1], rngs(1))
    assert stand.keys == [f"Bearer {SECRET}"] and SECRET not in repr(method) + json.dumps(stand.asked)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2 and all(SECRET not in path.read_text() for path in files)
    stand.script = [(401, {}, f"wrong key {SECRET}")]
    with pytest.raises(UsageError) as caught:
        method.rewrite(SAMPLES[:1], rngs(1))
    assert SECRET not in str(caught.value) and "***" in str(caught.value)


@pytest.mark.parametrize("name", ["max_requests", "max_tokens", "max_money"])
def test_caps(stand: Stand, tmp_path: Path, name: str) -> None:
    """A request that may cross the cap is not sent; what was answered is kept, and counts in the next process.

    By hand: an answer costs 60 tokens, 10 of them written, and could have cost 256 written ones. Two requests fit.
    """
    request = asking(stand)._request(Piece(SAMPLES[0].content, SAMPLES[0]), rngs(1)[0])
    largest = sum(len(message["content"].encode()) + 16 for message in request["body"]["messages"]) + 256
    caps: dict[str, dict[str, Any]] = {
        "max_requests": {"max_requests": 2},
        "max_tokens": {"max_tokens": 60 + largest + 5},
        "max_money": {"max_money": (10 + 256 + 5) * 20e-6, "price_written": 20.0},
    }
    for _ in range(2):
        with pytest.raises(RunError, match=name):
            asking(stand, **caps[name]).remembering(tmp_path).rewrite(SAMPLES, rngs(4))
        assert len(stand.asked) == 2 == sum(1 for _ in tmp_path.glob("*/*.json"))


def test_the_ledger_by_hand(tmp_path: Path) -> None:
    cap = Cap(requests=3, money=1.0, price_read=2.0, price_written=10.0)
    assert cap.money_of(Cost(1, 250_000, 50_000)) == pytest.approx(1.0)
    ledger, other = Ledger(tmp_path / "l.jsonl"), Ledger(tmp_path / "l.jsonl")
    ledger.book(Cost(1, 100, 10), cap)
    other.book(Cost(1, 5, 5), cap)
    ledger.book(Cost(0, -50, 0))
    assert total((tmp_path / "l.jsonl").read_text() + '{"requests": 1, "re') == Cost(2, 55, 15)
    with pytest.raises(RunError, match="max_money"):
        other.book(Cost(1, 0, 100_000), cap)
    other.book(Cost(1, 0, 0), cap)
    with pytest.raises(RunError, match="3 requests"):
        ledger.book(Cost(1, 0, 0), cap)
    with pytest.raises(RunError, match="max_requests"):
        memory = Ledger()
        for _ in range(4):
            memory.book(Cost(1), cap)


def test_requests_have_names() -> None:
    a, b = {"url": "u", "seed": 1, "body": {"x": "é"}}, {"body": {"x": "é"}, "seed": 1, "url": "u"}
    assert Answers.key(a) == Answers.key(b) != Answers.key({**a, "seed": 2})
    assert Answers().get(a) is None


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "http://", "http://me:secret@host/v1", "http://host/v1?key=x"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url=url, model="tiny").fit([], rngs(1)[0])
    assert "secret" not in str(caught.value) and "key=x" not in str(caught.value)


def test_offline_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGMINT_OFFLINE", "1")
    with pytest.raises(UsageError, match="AUGMINT_OFFLINE"):
        Endpoint(url="https://example.org/v1", model="tiny").fit([], rngs(1)[0])
    with pytest.raises(UsageError, match="no model"):
        Endpoint(url="http://localhost:1/v1").fit([], rngs(1)[0])
    with pytest.raises(UsageError, match="did you mean 'new'"):
        Endpoint(task="news")
    for wrong in ({"prompt": "hello"}, {"max_money": 1.0}, {"parallel": 0}, {"timeout": -1.0}):
        with pytest.raises(ValueError, match=r"prompt|price|parallel"):
            Endpoint(**wrong)
