"""Identity of files by what is in them: a data set that was moved, copied or touched is the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sat2map.data.pairs import PairFile, TwoFiles
from sat2map.files import replacing

DIGESTS_SUFFIX = ".sha256"


def file_digests(pairs: Sequence[PairFile], cache: Path) -> tuple[str, ...]:
    """SHA-256 of the bytes of each pair, in their order.

    What was read once is not read again while its path, size and times are the same. The time of change of the inode
    is one of them: a tool that puts other pixels into a file may keep its size and time of modification.

    Args:
        pairs: files that lie on a disk.
        cache: folder where the digests are kept.
    """
    kept = cache / f"{_digest(map(_stat_line, pairs))}{DIGESTS_SUFFIX}"
    if kept.exists():
        return tuple(json.loads(kept.read_text("utf-8")))
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_digest_of, pairs))
    cache.mkdir(parents=True, exist_ok=True)
    with replacing(kept) as work:
        work.write_text(json.dumps(digests), "utf-8")
    return tuple(digests)


def combined(parts: Iterable[object]) -> str:
    """One digest of several things, in their order, as text."""
    return _digest(str(part) for part in parts)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _files(pair: PairFile) -> tuple[Path, ...]:
    return (pair.a, pair.b) if isinstance(pair, TwoFiles) else (pair,)


def _stat_line(pair: PairFile) -> str:
    # A link to nowhere is named later, with all the other broken pairs.
    stats = [(path, path.stat(follow_symlinks=path.exists())) for path in _files(pair)]
    return " ".join(f"{path.resolve()} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}" for path, s in stats)


def _digest_of(pair: PairFile) -> str:
    digest = hashlib.sha256()
    for path in _files(pair):
        # The ending says with what a file is decoded.
        digest.update(f"{path.suffix.lower()} {path.stat().st_size if path.is_file() else -1}\n".encode())
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
