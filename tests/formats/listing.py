"""What the tests of class folders and metadata files share."""

from __future__ import annotations

import json

import pytest

from augmint.core.errors import DataError
from augmint.core.types import ReadOptions
from augmint.formats.folders import Folders

PLAIN = {"cat/1.png": True, "cat/2.png": True, "dog/1.png": True}
TABLE = {"a.png": True, "b.png": True}


def scan(root, label="", group=""):
    return Folders().scan(root, ReadOptions(label, group))


def fault(root, code, label="", group=""):
    with pytest.raises(DataError) as caught:
        scan(root, label, group)
    assert caught.value.code == code
    assert caught.value.exit_code == 2 and caught.value.expected and caught.value.do
    return caught.value


def rows(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
