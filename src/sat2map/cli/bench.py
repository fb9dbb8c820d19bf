"""The command `sat2map bench`, which prints the measurements of `sat2map.bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sat2map.cli.options import (
    device_option,
    head_option,
    json_option,
    log_options,
    model_option,
    precision_option,
    seed_option,
    set_option,
    window_option,
)  # fmt: skip
from sat2map.errors import import_extra


@click.group()
def bench() -> None:
    """Measure speed and seams."""


@bench.command()
@click.option("--recipe", "recipe_name", default="paper", show_default=True, metavar="NAME|FILE", help="Recipe.")
@click.option("--rounds", "n_rounds", type=click.IntRange(min=1), default=7, show_default=True, help="Steps timed.")
@click.option("--threads", type=click.IntRange(min=1), help="Processor threads.  [default: torch's choice]")
@set_option
@device_option
@json_option
@log_options
def train(
    recipe_name: str,
    n_rounds: int,
    threads: int | None,
    assignments: tuple[tuple[str, str], ...],
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Time the training step of a recipe, its parts and its loader, and compare it with the limits of the machine.

    In a checkout of the repository the paper's recipe is timed by turns with a plain rewrite of its step. On a busy
    machine use --threads 1: parts, lower bound and loader are then in processor seconds, which other programs do not
    lengthen.
    """
    from sat2map.train.memory import keep_freed_memory

    keep_freed_memory()
    torch = import_extra("torch", "train")
    import_extra("tensorboard", "train")

    from sat2map.bench.train import bench_train, find_plain_file
    from sat2map.engine.torch import pick_device
    from sat2map.train.recipe import load_recipe

    if threads:
        torch.set_num_threads(threads)
    recipe = load_recipe(recipe_name, assignments)
    report = bench_train(recipe, n_rounds=n_rounds, device=pick_device(device), plain_file=find_plain_file())
    click.echo(json.dumps(report, indent=2) if as_json else "\n".join(_train_lines(report)))


@bench.command()
@click.argument("scene")
@click.option("--truth", type=click.Path(path_type=Path), help="True map on the same grid.")
@click.option(
    "--modes", default="exact,fast,blend,instance", show_default=True, metavar="MODE,...", help="Modes to measure."
)
@model_option
@head_option
@window_option
@device_option
@precision_option
@json_option
@log_options
def seams(
    scene: str,
    truth: Path | None,
    modes: str,
    model: str | None,
    head: str | None,
    window_px: int | None,
    device: str,
    precision: Any,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure how well the windows of SCENE meet in each mode, and how good its map is."""
    from typing import get_args

    from sat2map.bench.seams import bench_seams
    from sat2map.translate import DEFAULT_CORE_PX, Mode, Settings, Translator

    wanted = modes.split(",")
    if not set(wanted) <= set(get_args(Mode)):
        raise click.BadParameter(f"modes are {', '.join(get_args(Mode))}", param_hint="--modes")
    settings = Settings(head, window_px or DEFAULT_CORE_PX, precision=precision)
    records = bench_seams(Translator.load(model, device), scene, truth, settings, wanted)  # type: ignore[arg-type]
    click.echo(json.dumps(records, indent=2) if as_json else "\n".join(map(_seam_line, records)))


def _seam_line(record: dict[str, Any]) -> str:
    if "not measured" in record:
        return f"{record['mode']:8} not measured: {record['not measured']}"
    shift = record["shift_difference"]
    parts = [
        f"{record['mode']:8} half a window further: largest {shift['largest']}, 99th percentile "
        f"{shift['percentile_99']:.0f} of 255, {shift['share']:.4%} differ",
        f"steps at borders {record['border_ratio']:.3f} of those elsewhere"
        + (f" ({record['border_ratio_of_exact']:.3f} without seams)" if "border_ratio_of_exact" in record else ""),
    ]
    if "from_exact" in record and record["mode"] != "exact":
        parts.append(f"{record['from_exact']['share']:.3%} differ from exact")
    parts += [f"{name} {value:.3f}" for name, value in record.get("quality", {}).items() if name != "n_blocks"]
    return "; ".join([*parts, f"{record['cpu_s']} CPU s"])


@bench.command(name="translate")
@click.argument("scene")
@model_option
@head_option
@window_option
@click.option("--versus", metavar="NAME|FILE", help="Another model, timed on the same scene: in tiles, and exactly.")
@device_option
@precision_option
@json_option
@log_options
def time_translation(
    scene: str, model: str | None, head: str | None, window_px: int | None, versus: str | None, device: str,
    precision: Any, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Time the translation of SCENE and its stages, and tell what share of the processor's peak the network reaches."""
    from sat2map.bench.translate import bench_translate, bench_versus
    from sat2map.translate import DEFAULT_CORE_PX, Settings, Translator

    translator = Translator.load(model, device)
    settings = Settings(head, window_px or DEFAULT_CORE_PX, precision=precision)
    report = bench_translate(translator, scene, settings)
    if versus:
        report["versus"] = bench_versus(translator, Translator.load(versus, device), scene, settings)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo("\n".join(_translation_lines(report)))
    if versus:
        rates = report["versus"]
        click.echo(
            f"{rates['model'] / 1e6:.2f} Mpx/s; {versus} in tiles of 256 px {rates['other_tiles'] / 1e6:.2f} "
            f"({rates['over_other_tiles']:.2f} times as fast), exactly {rates['other_exact'] / 1e6:.2f} "
            f"({rates['over_other_exact']:.2f} times)"
        )


def _translation_lines(report: dict[str, Any]) -> list[str]:
    whole, peak = report["whole"], report["peak"]
    lines = [
        f"{report['n_px'] / 1e6:.1f} Mpx in {whole['s']:.1f} s by the clock, {report['px_per_s'] / 1e6:.2f} Mpx/s; "
        f"{whole['cpu_s']:.1f} CPU s",
        *(f"{stage:9} {seconds:7.2f} CPU s" for stage, seconds in report["stages"].items()),
        f"by the clock {report['clock_over_cores']:.2f} times the CPU s of the stages over all cores; "
        f"{report['cpu_over_stages']:.2f} of their CPU s together",
    ]
    if "not measured" in peak:
        return [*lines, f"share of the processor's peak not measured: {peak['not measured']}"]
    for precision, of in peak.items():
        rates = f"{of['multiply_adds_per_s'] / 1e9:.0f} of {of['peak'] / 1e9:.0f} G multiply-adds a CPU s"
        lines.append(f"{precision:9} network reaches {of['share']:.0%} of the processor's peak: {rates}")
    return lines


def _train_lines(report: dict[str, Any]) -> list[str]:
    bound = report["lower_bound"]
    lines = [
        f"recipe {report['recipe']} on {report['device']}, {report['threads']} threads, torch {report['torch']}",
        f"{report['steps_per_s']:.2f} steps/s, {report['images_per_s']:.2f} images/s, "
        f"peak {report['peak_mib']:.0f} MiB",
        f"{'step':40} {_spread(report['step_s'])}",
        f"{'processor seconds of a step':40} {_spread(report['step_processor_s'])}",
    ]
    total = sum(report["parts_s"].values())
    lines += [f"  {part:38} {seconds:.3f} s  {seconds / total:4.0%}" for part, seconds in report["parts_s"].items()]
    lines += [
        f"{'lower bound':40} {bound['seconds']:.3f} s: {bound['multiply_adds'] / 1e9:.1f} G multiply-adds "
        f"at {bound['multiply_adds_per_s'] / 1e9:.0f} G/s, "
        f"{bound['optimiser_bytes'] / 1e9:.2f} GB of optimiser at {bound['bytes_per_s'] / 1e9:.1f} GB/s",
        f"{'share of the lower bound':40} {bound['share_reached']:.0%}",
        f"{'loader alone':40} {report['loader']['batches_a_step']:.1f} batches in the time of a step",
    ]
    if "plain_s" in report:
        lines += [
            f"{'plain rewrite':40} {_spread(report['plain_s'])}",
            f"{'ratio, by the clock':40} {_spread(report['ratio_s'], '')}",
            f"{'ratio, by processor seconds':40} {_spread(report['ratio_processor_s'], '')}",
        ]
    return lines


def _spread(value: dict[str, float], unit: str = " s") -> str:
    return f"{value['median']:.3f}{unit} ({value['least']:.3f} to {value['most']:.3f})"


@bench.command()
@click.argument("scene", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--tiles", "n_random", type=click.IntRange(min=50), default=1000, show_default=True, help="Random tiles.")
@click.option("--clients", "n_clients", type=click.IntRange(1, 256), default=64, show_default=True, help="At once.")
@model_option
@precision_option
@seed_option
@json_option
@log_options
def serve(
    scene: Path, n_random: int, n_clients: int, model: str | None, precision: Any, seed: int, as_json: bool, quiet: bool
) -> None:
    """Measure the tiles per second of a server of SCENE on this machine: cold, warm and under load."""
    import_extra("titiler.core", "serve")
    from sat2map.bench.serve import bench_serve

    report = bench_serve(scene, model, n_random=n_random, n_clients=n_clients, seed=seed, precision=precision)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    engine, cold, warm, load = (report[name] for name in ("engine", "cold", "warm", "load"))
    for line in (
        f"engine alone: {engine['mpx_per_s']} Mpx/s, {engine['cpu_s_per_window']} CPU s a window",
        f"reading and encoding alone: {report['read_and_encode_cpu_ms']} CPU ms a tile",
        f"cold, 4 clients: {cold['tiles_per_s']} tiles/s, {100 * cold['share_of_allowed']:.0f} % of what both allow",
        f"warm, 4 clients: {warm['tiles_per_s']} tiles/s, p50 {warm['p50_ms']} ms, p95 {warm['p95_ms']} ms",
        f"load, {load['n_clients']} clients: {load['tiles_per_s']} tiles/s, p95 {load['p95_ms']} ms, "
        f"{load['statuses']}, memory {load['rss_mib_early']} to {load['rss_mib_late']} MiB",
    ):
        click.echo(line)
