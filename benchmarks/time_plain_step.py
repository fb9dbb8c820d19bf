"""Times the step of `examples/pix2pix_one_file.py`, in a process of its own, for `sat2map bench train`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from pix2pix_one_file import Pix2Pix


def main() -> None:
    """For each line on stdin take a step, and print its seconds and processor seconds; argument: number of threads."""
    torch.set_num_threads(int(sys.argv[1]))
    pix2pix = Pix2Pix()
    x, y = (torch.rand(1, 3, 256, 256) * 2 - 1 for _ in range(2))
    for _ in sys.stdin:
        start_s = time.perf_counter(), time.process_time()
        pix2pix.step(x, y)
        print(time.perf_counter() - start_s[0], time.process_time() - start_s[1], flush=True)


if __name__ == "__main__":
    main()
