"""Pix2Pix in one file, as a textbook has it: both networks, both losses, the training loop.

    sat2map data synth town --pairs 20
    python examples/pix2pix_one_file.py town

It shares no code with the package and uses no trick. The package does the same faster (`sat2map bench train` compares
the two) and more: exact resume, validation, other networks. A test sees that the losses of both are equal.

Source: Isola et al. 2016, arXiv 1611.07004.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn


def down(a: int, b: int, *, norm: bool = True, stride: int = 2, bias: bool = False) -> nn.Sequential:
    """Convolution of 4 x 4, normalisation, leaky ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(a, b, 4, stride, 1, bias=bias)]
    if norm:
        layers.append(nn.BatchNorm2d(b))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2))


def shrink(a: int, b: int, *, norm: bool = True) -> nn.Sequential:
    """Leaky ReLU, convolution of 4 x 4 that halves the image, normalization."""
    layers: list[nn.Module] = [nn.LeakyReLU(0.2), nn.Conv2d(a, b, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(b)] if norm else []))


def enlarge(a: int, b: int, *, dropout: bool = False) -> nn.Sequential:
    """ReLU, transposed convolution of 4 x 4 that doubles the image, normalization, dropout."""
    layers = [nn.ReLU(), nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b)]
    return nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropout else []))


class Generator(nn.Module):
    """The paper's U-Net for 256 px: C64-C128-C256-C512-C512-C512-C512-C512 and back."""

    def __init__(self) -> None:
        super().__init__()
        c = [64, 128, 256, 512, 512, 512, 512, 512]
        self.downs = nn.ModuleList([nn.Conv2d(3, c[0], 4, 2, 1, bias=False)])
        self.downs.extend(shrink(c[i - 1], c[i], norm=i < 7) for i in range(1, 8))
        self.ups = nn.ModuleList([enlarge(512, 512, dropout=True)])
        self.ups.extend(enlarge(2 * c[i], c[i - 1], dropout=i > 4) for i in range(6, 0, -1))
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * c[0], 3, 4, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Turn images into maps; float, shape (1, 3, 256, 256), -1..1."""
        skips = []
        for layer in self.downs:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.ups:
            x = torch.cat([layer(x), skips.pop()], 1)
        output: Tensor = self.last(x)
        return output


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


class Pix2Pix:
    """G, D, their initial weights (section 6.2) and their optimisers."""

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
        """Take one step of D and one of G (section 3.3), and return the losses of both.

        Args:
            x: satellite image, float, shape (1, 3, 256, 256), -1..1.
            y: its real map, likewise.
        """
        fake = self.g(x)

        # D learns that (x, y) is real and (x, G(x)) is fake. Half the loss slows D down.
        self.d.requires_grad_(True)
        self.optimizer_d.zero_grad()
        loss_d = 0.5 * (self._adversarial(self.d(x, y), True) + self._adversarial(self.d(x, fake.detach()), False))
        loss_d.backward()
        self.optimizer_d.step()

        # G learns to make D say "real", and to stay near the true map: 100 x L1.
        self.d.requires_grad_(False)
        self.optimizer_g.zero_grad()
        loss_g = self._adversarial(self.d(x, fake), True) + 100 * self.l1(fake, y)
        loss_g.backward()
        self.optimizer_g.step()
        return loss_d.item(), loss_g.item()


def read_pairs(folder: Path) -> list[tuple[Image.Image, Image.Image]]:
    """Read side-by-side pairs: the satellite image is the left half, the map the right half; both 286 x 286 px."""
    pairs = []
    for path in sorted([*folder.glob("*.jpg"), *folder.glob("*.png")]):
        both = Image.open(path).convert("RGB")
        width, height = both.width // 2, both.height
        halves = [both.crop((left, 0, left + width, height)) for left in (0, width)]
        x, y = (half.resize((286, 286), Image.Resampling.BICUBIC) for half in halves)
        pairs.append((x, y))
    if not pairs:
        raise SystemExit(f"error: no .jpg or .png in {folder}")
    return pairs


def jitter(pair: tuple[Image.Image, Image.Image], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cut 256 x 256 px at a random position, and mirror half of the time: the paper's random jitter (section 6.2)."""
    left, top = (int(v) for v in rng.integers(0, 31, 2))
    is_mirrored = rng.random() < 0.5
    x, y = (to_tensor(image.crop((left, top, left + 256, top + 256))) for image in pair)
    return (x.flip(3), y.flip(3)) if is_mirrored else (x, y)


def to_tensor(image: Image.Image) -> Tensor:
    """Convert an image to float, shape (1, 3, H, W), -1..1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 127.5 - 1


def to_image(x: Tensor) -> Image.Image:
    """Convert float, shape (1, 3, H, W), -1..1, to an image."""
    array = ((x[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    return Image.fromarray(array)


def main() -> None:
    """Train on a folder of pairs, and save the image, the fake and the real map of the last step."""
    parser = argparse.ArgumentParser(description="Train Pix2Pix on a folder of side-by-side pairs.")
    parser.add_argument("folder", type=Path, help="folder of .jpg or .png: satellite image left, map right")
    parser.add_argument("--epochs", type=int, default=1, help="passes over the pairs; 200 in the paper")
    parser.add_argument("--out", type=Path, default=Path("pix2pix.png"), help="image, fake and real map, side by side")
    arguments = parser.parse_args()
    pairs, rng, pix2pix = read_pairs(arguments.folder), np.random.default_rng(0), Pix2Pix()
    for epoch in range(arguments.epochs):
        for step, i in enumerate(rng.permutation(len(pairs))):
            x, y = jitter(pairs[i], rng)
            loss_d, loss_g = pix2pix.step(x, y)
            print(f"epoch {epoch + 1}, step {step + 1} of {len(pairs)}: D {loss_d:.3f}, G {loss_g:.3f}")
    with torch.no_grad():
        images = [to_image(image) for image in (x, pix2pix.g(x), y)]
    row = Image.new("RGB", (3 * 256, 256))
    for n, image in enumerate(images):
        row.paste(image, (256 * n, 0))
    row.save(arguments.out)
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
