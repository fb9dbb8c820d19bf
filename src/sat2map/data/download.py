"""The paper's `maps`, from where its authors keep it: resumed where it broke off, and checked by what is in it."""

from __future__ import annotations

import gzip
import hashlib
import logging
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests

from sat2map.errors import DataError, OutputError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Takes the bytes that are there, and those there will be (0: unknown)."""

CHUNK_BYTES = 2**14
"""Of a piece that breaks off, what does not fill a chunk is lost."""
TIMEOUT_S = (15.0, 60.0)
"""To connect, and between two pieces: a server that stalls is left."""
N_ATTEMPTS = 3
"""Of one address, without a byte more than before."""
SUFFIX = ".jpg"


@dataclass(frozen=True)
class Archive:
    """A published data set.

    Attributes:
        name: of the folder that it unpacks to.
        urls: where it is, the first that works is taken.
        folders: number of pairs, `1.jpg` and on, in each folder.
        digests: of a folder's content, for those that we have seen; see `digest`.
        sha256: of the archive as others have published it; told, not relied on.
        notice: what whoever downloads it must accept.
    """

    name: str
    urls: tuple[str, ...]
    folders: Mapping[str, int]
    digests: Mapping[str, str]
    sha256: str
    notice: str


MAPS = Archive(
    "maps",
    (
        "https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/maps.tar.gz",
        "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/maps.tar.gz",
    ),
    {"train": 1096, "val": 1098},
    {"train": "5a725b84bc227c82305b6e909f2cba1962b5fb4eb79de8819524bde5655ab608"},
    "7519044b2725f55bc80e5a3db5d6f64f767a7b76421098c364c432ec82faf275",
    "maps holds satellite images and maps of New York taken from Google Maps in 2016, and carries no licence. The\n"
    "rights are Google's and its suppliers'. It is published by the authors of Pix2Pix for research: do not\n"
    "redistribute it or anything that shows it, and do not sell what is made with it without advice.",
)


def download(archive: Archive, folder: Path, *, by_hand: Path | None = None, progress: Progress | None = None) -> Path:
    """Fetch, unpack and check an archive.

    What was fetched before a connection broke is kept, and the next call goes on from there.

    Args:
        archive: which.
        folder: in which its folder appears, whole or not at all.
        by_hand: the archive's file, where the user has fetched it.
        progress: is told of every piece.

    Returns:
        The data set's folder.

    Raises:
        OutputError: the data set's folder exists.
        DataError: no address gave the archive, or what came is not it.
    """
    target = folder / archive.name
    if target.exists():
        raise OutputError("output exists", target, hint="it is there already; give another folder to fetch it again")
    folder.mkdir(parents=True, exist_ok=True)
    if by_hand is None:
        _fetch_and_unpack(archive, target, progress)
    elif by_hand.is_file():
        _unpack(archive, by_hand, target)
    else:
        raise DataError("no such archive", by_hand, hint=f"fetch {archive.urls[0]} and give its file")
    return target


def _fetch_and_unpack(archive: Archive, target: Path, progress: Progress | None) -> None:
    fetched = target.with_name(f"{archive.name}.tar.gz")
    partial = target.with_name(f".{archive.name}.tar.gz.partial")
    resumed = partial.exists()
    _fetch(archive, fetched, partial, progress)
    try:
        _unpack(archive, fetched, target)
    except DataError:
        fetched.unlink()
        if not resumed:
            raise
        # Halves of two different files, perhaps.
        log.warning("what had been fetched before does not go with the rest, so it is fetched anew")
        _fetch(archive, fetched, partial, progress)
        _unpack(archive, fetched, target)
    fetched.unlink()


def digest(folder: Path) -> str:
    """SHA-256 over the lines `NAME SHA256` of a folder's files, sorted by name: of the images, not of an archive."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        whole.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _fetch(archive: Archive, to: Path, partial: Path, progress: Progress | None) -> None:
    pooch.get_logger().setLevel(logging.WARNING)
    failures = []
    for url in archive.urls:
        fetch = ResumingDownloader(partial, progress)
        try:
            pooch.retrieve(url, None, fname=to.name, path=to.parent, downloader=fetch)
        except (requests.RequestException, _NoArchiveError) as error:
            failures.append(f"{url}: {_in_words(error)}")
            log.info("%s", failures[-1])
            continue
        found = pooch.file_hash(str(to))
        same = "which is what others have published" if found == archive.sha256 else "which is not what others have"
        log.info("sha256 of %s: %s, %s", to.name, found, same)
        return
    raise DataError(
        f"{archive.name} could not be fetched",
        hint=f"again later goes on where it stopped; or fetch {archive.urls[0]} by hand and give `by_hand` FILE",
        details=failures,
    )


class _NoArchiveError(Exception):
    """An address answered with something else."""


class ResumingDownloader:
    """A downloader for pooch that goes on from a partial file, where the server lets it.

    Args:
        partial: holds what has come so far; stays when the connection breaks.
        progress: is told of every piece.
    """

    def __init__(self, partial: Path, progress: Progress | None = None) -> None:
        self._partial, self._progress = partial, progress or (lambda _done, _total: None)

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch `url` to `output_file`.

        Raises:
            requests.RequestException: the server refuses, breaks off or stalls, several times without a byte more.
        """
        n_left = N_ATTEMPTS
        while True:
            before = self._size()
            try:
                self._attempt(url)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                n_left = N_ATTEMPTS if self._size() > before else n_left - 1
                if not n_left:
                    raise
        shutil.move(self._partial, output_file)

    def _size(self) -> int:
        return self._partial.stat().st_size if self._partial.exists() else 0

    def _attempt(self, url: str) -> None:
        start = self._size()
        # Of compressed transport, a part could not be asked for.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                if response.headers.get("Content-Range") == f"bytes */{start}":
                    return  # it was whole already
                self._partial.unlink()
                raise requests.ConnectionError("partial file is longer than the whole")
            response.raise_for_status()
            if "text/html" in response.headers.get("Content-Type", ""):
                raise _NoArchiveError("answers with a web page")
            goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            start = start if goes_on else 0
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else 0
            with self._partial.open("ab" if goes_on else "wb") as out:
                for chunk in response.iter_content(CHUNK_BYTES):
                    out.write(chunk)
                    self._progress(out.tell(), total)


def _in_words(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return "does not answer"
    if isinstance(error, requests.TooManyRedirects):
        return "sends from one address to another without end"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "cannot be reached, or breaks off"
    return str(error)


def _unpack(archive: Archive, file: Path, target: Path) -> None:
    """Unpack the pairs alone, and rename the folder to its name if they are those that were published.

    Raises:
        DataError: they are not.
    """
    hint = f"fetch {archive.urls[0]} anew"
    wanted = {(archive.name, folder) for folder in archive.folders}
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{archive.name}-") as work:
        try:
            with tarfile.open(file, "r:gz") as content:
                for member in content:
                    path = Path(member.name)
                    if member.isfile() and path.suffix == SUFFIX and path.parts[:-1] in wanted:
                        to = Path(work, *path.parts)
                        to.parent.mkdir(parents=True, exist_ok=True)
                        # Not `extract`, whose filter Python 3.11.2, that of Debian 12, does not know.
                        to.write_bytes(content.extractfile(member).read())  # type: ignore[union-attr]
                # To its end, where gzip's own checksum is.
                while content.fileobj is not None and content.fileobj.read(CHUNK_BYTES):
                    pass
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise DataError("archive is truncated or none", file, hint=hint) from error
        unpacked = Path(work) / archive.name
        for folder, n_pairs in archive.folders.items():
            _check_folder(unpacked / folder, n_pairs, archive.digests.get(folder), hint)
        unpacked.rename(target)


def _check_folder(folder: Path, n_pairs: int, published: str | None, hint: str) -> None:
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if names != {f"{i}{SUFFIX}" for i in range(1, n_pairs + 1)}:
        raise DataError(f"archive holds {len(names)} pairs of {n_pairs}", folder.name, hint=hint)
    if published is not None and digest(folder) != published:
        raise DataError("pairs differ from those that were published", folder.name, hint=hint)
