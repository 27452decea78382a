"""Where a model runs."""

from __future__ import annotations

from augmint.core.errors import UsageError


def pick_device(device: str) -> str:
    """The device meant by "auto", or the one named; raises UsageError when it is not there."""
    import torch  # not at the top: bad usage is told before a run pays for loading it

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = None
    there = wanted is not None and (
        wanted.type == "cpu" or (wanted.type == "cuda" and (wanted.index or 0) < torch.cuda.device_count())
    )
    if not there:
        names = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise UsageError(
            f"device {device!r}", expected=f"one of: auto, {', '.join(names)}", do="take another", code="no-device"
        )
    return device
