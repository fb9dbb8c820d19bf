# SPDX-License-Identifier: GPL-2.0-or-later
"""Run the program sat2map: its progress, its messages, its errors, and how it is stopped."""

import atexit
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time

from qgis.core import QgsProcessingException

from .settings import program

PROGRESS = re.compile(r"progress: (\d+) %")
ADDRESS = re.compile(r"http://\S+/")
OF_QGIS = ("PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_DATA", "PROJ_LIB")
"""Variables by which QGIS finds its own Python, GDAL and PROJ; another Python must not find them."""
WAIT_S = 10
"""Time that a process has to end by itself."""

_servers = []


class Process:
    """A run of sat2map, whose lines can be waited for.

    Args:
        arguments: what stands behind `sat2map` on the command line.
        feedback: is told the command.
    """

    def __init__(self, arguments, feedback):
        path = program()
        if not path:
            raise QgsProcessingException(
                "sat2map is not found. Settings > Options > sat2map installs it, or says where it is."
            )
        command = [path, *map(str, arguments)]
        feedback.pushCommandInfo(in_words(command))
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=environment(), encoding="utf-8", errors="replace",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )  # fmt: skip
        except OSError as error:
            raise QgsProcessingException(
                f"{path} cannot be run ({error.strerror}). Settings > Options > sat2map says where it is."
            ) from error
        self._lines, self._found = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.put(line.rstrip())
        self._lines.put(None)

    def lines(self, feedback):
        """Yield each line until the process ends, or is stopped since the user cancels."""
        while not feedback.isCanceled():
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                return
            yield line
        self.stop()

    def tell(self, line, feedback):
        """Keep a line of an error; show any other."""
        if line.startswith(("error: ", "hint: ")):
            self._found.append(line)
        elif line:
            feedback.pushInfo(line)

    def failure(self):
        """Return the error that the process ended with: its own words, if there are any."""
        return QgsProcessingException("\n".join(self._found) or f"sat2map ended with status {self.status()}")

    def status(self):
        """Wait for the end; return the exit status."""
        return self._process.wait()

    def stop(self):
        """End the process: first as Ctrl-C does, so that it tidies up, and after a while by force."""
        if self._process.poll() is None:
            # A program without a console cannot be sent Ctrl-C on Windows.
            self._process.terminate() if os.name == "nt" else self._process.send_signal(signal.SIGINT)
        end = time.monotonic() + WAIT_S
        while self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def run(arguments, feedback):
    """Run sat2map to its end; tell its progress and its messages.

    Returns:
        Whether it came to its end; if not, the user has cancelled it.

    Raises:
        QgsProcessingException: it failed; the message is its own.
    """
    process = Process(arguments, feedback)
    for line in process.lines(feedback):
        percent = PROGRESS.fullmatch(line)
        if percent:
            feedback.setProgress(int(percent[1]))
        else:
            process.tell(line, feedback)
    if feedback.isCanceled():
        return False
    if process.status():
        raise process.failure()
    return True


def serve(arguments, feedback):
    """Start a server that runs on until `stop_servers`.

    Returns:
        Its address, as `http://127.0.0.1:8765`; None: the user has cancelled it.

    Raises:
        QgsProcessingException: it does not start; the message is its own.
    """
    process = Process(arguments, feedback)
    for line in process.lines(feedback):
        address = ADDRESS.search(line)
        if address:
            _servers.append(process)
            return address[0].rstrip("/")
        process.tell(line, feedback)
    if feedback.isCanceled():
        return None
    raise process.failure()


@atexit.register
def stop_servers():
    """End all servers."""
    while _servers:
        _servers.pop().stop()


def environment():
    """Return the environment of this process without what is QGIS's own."""
    kept = {name: value for name, value in os.environ.items() if name not in OF_QGIS}
    # What it prints is read as UTF-8, also on Windows.
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def in_words(command):
    """Return a command as it is typed."""
    return subprocess.list2cmdline(command) if os.name == "nt" else " ".join(map(shlex.quote, command))
