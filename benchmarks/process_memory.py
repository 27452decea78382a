"""Memory of a process as the kernel accounts for it, for the benchmarks that measure it.

Not ``ru_maxrss``: a process that was started by another begins with the other's.
"""

from __future__ import annotations

from pathlib import Path


def memory(name: str) -> int:
    """Bytes of one line of the account of this process: ``VmRSS``, ``VmHWM`` (the peak)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def forget_peak() -> int:
    """Let the peak count from here; bytes that this process holds now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory("VmRSS")
