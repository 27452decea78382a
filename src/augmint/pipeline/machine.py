"""Facts of the machine and the libraries, for run.json, benchmarks and ``augmint env``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from augmint.core.version import __version__

_LIBRARIES = ("numpy", "torch", "pillow", "safetensors", "scikit-learn", "transformers", "huggingface-hub", "ray")


def machine_facts() -> dict[str, Any]:
    """Versions, processor and cores; no names of hosts or users."""
    return {
        "augmint": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (a device file)
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
