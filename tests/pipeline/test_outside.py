"""A run whose method asks a server: answers stay in the run, replay reads them and never asks."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import augmint as am
from augmint.core.errors import DataError, RunError, UsageError
from augmint.pipeline.replay import replay
from augmint.pipeline.verify import verify


def test_a_run_with_an_endpoint(tmp_path: Path) -> None:
    data = tmp_path / "in.csv"
    data.write_text("text,label\n" + "".join(f"it is number {i} of many,{'ab'[i % 2]}\n" for i in range(6)))
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body)
            words = body["messages"][-1]["content"].rpartition("Text: ")[2]
            choice = {"message": {"content": json.dumps({"text": f"{words} or {body['seed']}"})}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"choices": [choice]}).encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    options = {"url": f"http://127.0.0.1:{server.server_port}/v1", "model": "tiny"}
    out = tmp_path / "out"
    with pytest.raises(RunError, match="max_requests"):
        am.augment(data, out, method="endpoint", method_options={**options, "max_requests": 2}, gates=[])
    assert len(asked) == 2
    with pytest.raises(UsageError, match="holds another run"):  # what it asks is not how it asks
        am.augment(data, out, method="endpoint", method_options={**options, "temperature": 0.5}, gates=[])
    am.augment(data, out, method="endpoint", method_options={**options, "max_requests": 6, "retries": 1}, gates=[])
    server.shutdown()
    server.server_close()
    thread.join()
    rows = (out / "train.csv").read_text().splitlines()
    assert len(rows) == 13 and len(asked) == 6 and sum(" or " in row for row in rows) == 6
    assert len(list((out / ".augmint/answers").glob("*/*.json"))) == 6
    assert verify(out).exit_code == 0
    row = next(row for row in json_rows(out) if " or " in row["text"])
    assert replay(out, row["id"]).identical and len(asked) == 6
    shutil.rmtree(out / ".augmint/answers")
    with pytest.raises(DataError, match="no answer to request"):
        replay(out, row["id"])


def json_rows(out: Path) -> list[dict[str, str]]:
    import csv

    with (out / "train.csv").open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))
