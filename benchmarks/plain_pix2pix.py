"""One step of Pix2Pix as a textbook has it, eager torch and nothing else: what `sat2map bench train` compares with.

It must share no code with the package, and use no trick: default Adam, transposed convolutions, batch normalisation at
batch 1, D frozen while G learns, everything in torch's own memory format.
"""

from __future__ import annotations

import sys
import time

import torch
from torch import Tensor, nn


def down(a: int, b: int, *, norm: bool = True, stride: int = 2, bias: bool = False) -> nn.Sequential:
    """Convolution of 4 x 4, normalisation, leaky ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(a, b, 4, stride, 1, bias=bias)]
    if norm:
        layers.append(nn.BatchNorm2d(b))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2))


def up(a: int, b: int, *, dropout: bool = False) -> nn.Sequential:
    """Transposed convolution of 4 x 4, normalisation, dropout, ReLU."""
    layers = [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b)]
    return nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropout else []), nn.ReLU())


class Generator(nn.Module):
    """The paper's U-Net for 256 px: C64-C128-C256-C512-C512-C512-C512-C512 and back."""

    def __init__(self) -> None:
        super().__init__()
        c = [64, 128, 256, 512, 512, 512, 512, 512]
        self.downs = nn.ModuleList([down(3, c[0], norm=False)])
        self.downs.extend(down(c[i - 1], c[i]) for i in range(1, 7))
        self.bottom = nn.Sequential(nn.Conv2d(512, 512, 4, 2, 1, bias=False), nn.ReLU())
        self.ups = nn.ModuleList([up(512, 512, dropout=True)])
        self.ups.extend(up(2 * c[i], c[i - 1], dropout=i > 4) for i in range(6, 0, -1))
        self.last = nn.Sequential(nn.ConvTranspose2d(2 * c[0], 3, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Images to maps; float, shape (1, 3, 256, 256), -1..1."""
        skips = []
        for layer in self.downs:
            x = layer(x)
            skips.append(x)
        x = self.bottom(x)
        for layer in self.ups:
            x = torch.cat([layer(x), skips.pop()], 1)
        answer: Tensor = self.last(x)
        return answer


class Discriminator(nn.Module):
    """The paper's 70 x 70 PatchGAN."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            down(6, 64, norm=False, bias=True),
            down(64, 128),
            down(128, 256),
            down(256, 512, stride=1),
            nn.Conv2d(512, 1, 4, 1, 1),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits of "real", one for each patch."""
        logits: Tensor = self.layers(torch.cat([x, y], 1))
        return logits


class PlainPix2Pix:
    """G, D and their optimisers."""

    def __init__(self) -> None:
        self.g, self.d = Generator(), Discriminator()
        for module in [*self.g.modules(), *self.d.modules()]:
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.02)
        self.optimizer_g = torch.optim.Adam(self.g.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(self.d.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.bce = nn.BCEWithLogitsLoss()
        self.l1 = nn.L1Loss()

    def _adversarial(self, logits: Tensor, is_real: bool) -> Tensor:
        loss: Tensor = self.bce(logits, torch.full_like(logits, float(is_real)))
        return loss

    def step(self, x: Tensor, y: Tensor) -> tuple[float, float]:
        """One update of D and one of G; the losses of both."""
        fake = self.g(x)

        self.d.requires_grad_(True)
        self.optimizer_d.zero_grad()
        loss_d = 0.5 * (self._adversarial(self.d(x, y), True) + self._adversarial(self.d(x, fake.detach()), False))
        loss_d.backward()
        self.optimizer_d.step()

        self.d.requires_grad_(False)
        self.optimizer_g.zero_grad()
        loss_g = self._adversarial(self.d(x, fake), True) + 100 * self.l1(fake, y)
        loss_g.backward()
        self.optimizer_g.step()
        return loss_d.item(), loss_g.item()


def main() -> None:
    """For each line on stdin take a step, and print its seconds and processor seconds; argument: number of threads."""
    torch.set_num_threads(int(sys.argv[1]))
    pix2pix = PlainPix2Pix()
    x, y = (torch.rand(1, 3, 256, 256) * 2 - 1 for _ in range(2))
    for _ in sys.stdin:
        begun = time.perf_counter(), time.process_time()
        pix2pix.step(x, y)
        print(time.perf_counter() - begun[0], time.process_time() - begun[1], flush=True)


if __name__ == "__main__":
    main()
