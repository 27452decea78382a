"""Texts written by any OpenAI-compatible chat server: vLLM, Ollama, llama.cpp, a hosted one.

The server is told the label and the text and asked for another text of the same label, as JSON {"text": ...}. Every
answer is kept; the same request is never sent twice, and a replay reads what was kept. What a server answers cannot be
computed again, so without the answers there is no replay.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from augmint.core.errors import DataError, UsageError, unknown
from augmint.rewriters.answers import Answers, Cap, Cost, Ledger
from augmint.rewriters.chat import Server
from augmint.rewriters.generating import Piece, Proposal, Rewording

SYSTEM = 'You write training examples for a text classifier. Answer with JSON and nothing else: {"text": "..."}'
PROMPTS = {
    "paraphrase": "Say this text in other words. Keep its meaning, its language, its length and its label.\n\n"
    "Label: {label}\nText: {text}",
    "new": "Write another text of the same label. Keep language, style and length; say something else.\n\n"
    "Label: {label}\nText: {text}",
}
"""What is asked, by `task`; {label} and {text} are put in."""

FRAME = 16
"""Tokens that stand around a message, at most."""

UNREAD = "fallback: its parent's text, no answer could be read"
NOT_TAKEN = "fallback: its parent's text, which the server refused"

REFUSED = "refused"
"""Key of what is kept in place of an answer where the server answers other texts and refuses this one."""


@dataclass
class Endpoint(Rewording):
    """Ask an OpenAI-compatible chat server for texts.

    Attributes:
        url: of the server, up to ``/v1``.
        model: as the server names it.
        task: "paraphrase", or "new" for another text of the same label.
        prompt: a question of your own, with {label} and {text}; "" for the task's.
        plain: the whole answer is the text, without JSON.
        temperature: of the draw; ``top_p``: share of the probability that may be drawn from.
        most: tokens of an answer.
        send_seed: whether the server is told a seed; some refuse it.
        key_env: name of the environment variable that holds the key. The key itself is written nowhere.
        timeout: seconds for an answer; ``retries``: how often a question is asked again; ``backoff``: seconds before.
        parallel: questions at a time.
        max_requests: most requests of a run, 0 for no limit; ``max_tokens``: most tokens, read and written;
            ``max_money``: most money, by ``price_read`` and ``price_written`` for a million tokens.
    """

    outside: ClassVar[bool] = True
    changeable: ClassVar[frozenset[str]] = frozenset(
        {"key_env", "timeout", "retries", "backoff", "parallel"}
        | {"max_requests", "max_tokens", "max_money", "price_read", "price_written"}
    )

    url: str = ""
    model: str = ""
    task: str = "paraphrase"
    prompt: str = ""
    plain: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    most: int = 256
    send_seed: bool = True
    key_env: str = ""
    timeout: float = 60.0
    retries: int = 5
    backoff: float = 1.0
    parallel: int = 4
    max_requests: int = 10_000
    max_tokens: int = 0
    max_money: float = 0.0
    price_read: float = 0.0
    price_written: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.task not in PROMPTS:
            raise unknown("task", self.task, PROMPTS)
        if self.prompt and "{text}" not in self.prompt and "{label}" not in self.prompt:
            raise ValueError("prompt without {text} and {label}: all questions would be the same")
        if self.max_money and not (self.price_read or self.price_written):
            raise ValueError("max_money without price_read or price_written")
        if min(self.most, self.parallel) < 1 or min(self.retries, self.timeout, self.backoff) < 0:
            raise ValueError("most and parallel must be >= 1; retries, timeout and backoff >= 0")
        self._server = Server(self.url, self.key_env, self.timeout, self.retries, self.backoff)
        if self.url:
            self._server.check_secrets()
        self._cap = Cap(self.max_requests, self.max_tokens, self.max_money, self.price_read, self.price_written)
        self._answers, self._ledger, self._ask = Answers(), Ledger(), True

    def remembering(self, folder: Path, *, ask: bool = True) -> Self:
        """The same, with answers and ledger in this folder; without ``ask``, what is not there is an error."""
        other = dataclasses.replace(self)
        other._answers, other._ledger, other._ask = Answers(folder), Ledger(folder / "ledger.jsonl"), ask
        return other

    def check(self) -> None:
        """Raises UsageError where there is nobody to ask."""
        if self._ask:
            self._server.check()
        if not self.model:
            raise UsageError(
                "no model", expected="the name the server knows it by", do="set method_options.model", code="no-model"
            )

    def propose(self, pieces: Sequence[Piece], rngs: Sequence[np.random.Generator]) -> list[Proposal]:
        """The server's text for each piece; a fault where its answer cannot be read."""
        requests = [self._request(piece, rng) for piece, rng in zip(pieces, rngs, strict=True)]
        with ThreadPoolExecutor(self.parallel) as pool:
            answers = list(pool.map(self._answer, requests))
        return [self._proposal(answer) for answer in answers]

    def _proposal(self, answer: Any) -> Proposal:
        text = self._read(answer)
        if text:
            return Proposal(text)
        return Proposal("", fault=NOT_TAKEN if isinstance(answer, dict) and REFUSED in answer else UNREAD)

    def _request(self, piece: Piece, rng: np.random.Generator) -> dict[str, Any]:
        question = self.prompt or PROMPTS[self.task]
        values = {"{label}": str(piece.sample.target), "{text}": piece.text}
        asked = re.sub(r"\{label\}|\{text\}", lambda mark: values[mark[0]], question)  # at once: a text may say {label}
        system = [] if self.plain else [{"role": "system", "content": SYSTEM}]
        seed = int(rng.integers(2**31 - 1))
        body = {
            "model": self.model,
            "messages": [*system, {"role": "user", "content": asked}],
            "temperature": float(self.temperature),
            "top_p": float(self.top_p),
            "max_tokens": self.most,
            **({"seed": seed} if self.send_seed else {}),
        }
        return {"url": self.url, "seed": seed, "body": body}

    def _answer(self, request: Mapping[str, Any]) -> Any:
        """From what was kept, or from the server."""
        kept = self._answers.get(request)
        if kept is not None:
            return kept
        if not self._ask:
            raise DataError(
                f"no answer to request {Answers.key(request)[:12]} in {self._answers.folder}",
                expected="the answers that the run kept (.augmint/answers): a server cannot be asked for them again",
                do="put them back, from a copy of the run",
                code="no-answers",
            )
        messages = request["body"]["messages"]
        # A tokenizer makes a token of each byte at most, and a few for each message.
        read = sum(len(message["content"].encode()) + FRAME for message in messages)
        largest = Cost(1, read, self.most)
        tokens = largest.minus(Cost(1))
        try:
            answer = self._server.ask(
                request["body"],
                before=lambda: self._ledger.book(largest, self._cap),
                free=lambda: self._ledger.book(Cost().minus(tokens)),
            )
        except UsageError as error:
            if error.code != "text-refused" or not self._answers.some():
                raise
            answer = {REFUSED: error.got}
        else:
            self._ledger.book(_cost(answer, largest).minus(largest))
        self._answers.put(request, answer)
        return answer

    def _read(self, answer: Any) -> str:
        """The text in an answer; "" for none that can be read, or one that was cut off."""
        try:
            choice = answer["choices"][0]
            content = choice["message"]["content"]
        except (KeyError, IndexError, TypeError):
            return ""
        if not isinstance(content, str) or choice.get("finish_reason") == "length":
            return ""
        return said(content) if self.plain else text_in(content)


def said(content: str) -> str:
    """An answer without a model's thoughts before it."""
    return content.rpartition("</think>")[2].strip()


def text_in(content: str) -> str:
    """The value of "text" in the last JSON object with one; "" for none.

    What stands before an answer may be a model's thoughts, which quote what it was asked for.
    """
    answered, found, at = said(content), "", 0
    while (start := answered.find("{", at)) >= 0:
        at = start + 1
        try:
            answer, at = json.JSONDecoder(strict=False).raw_decode(answered, start)
        except ValueError:
            continue
        except RecursionError:
            break
        text = answer.get("text")
        found = text.strip() if isinstance(text, str) and text.strip() else found
    return found


def _cost(answer: Mapping[str, Any], largest: Cost) -> Cost:
    """What the server says it cost; what it could have cost at most where it says nothing."""
    usage = answer.get("usage")
    told = usage if isinstance(usage, dict) else {}
    read, written = told.get("prompt_tokens"), told.get("completion_tokens")
    return Cost(
        1,
        read if isinstance(read, int) and read >= 0 else largest.read,
        written if isinstance(written, int) and written >= 0 else largest.written,
    )
