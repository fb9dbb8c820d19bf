"""The report: one HTML file with all metrics, charts and example images of an evaluation."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from sat2map.arrays import Float64, UInt8
from sat2map.data.pairs import Direction, PairFile
from sat2map.errors import import_extra
from sat2map.evaluate.metrics import ImageScore, metric_values, resize, score_rows
from sat2map.evaluate.predictions import predicted_from
from sat2map.evaluate.predictor import Predictor
from sat2map.evaluate.protocol import decode_pairs

N_EXAMPLES = 3
"""Images of each kind."""
RANKED_BY = "road_f1"
LEADING = ("road_f1", "cldice", "miou", "rmse")
"""Metrics that stand at the top."""
DECIMALS = {"rmse": 2, "acc5": 1, "acc10": 1, "psnr": 2}
SIGN_OF_BETTER = {"rmse": -1, "sharpness": 0}
"""1 unless it stands here; 0 where neither more nor less is better."""


class Ranking(NamedTuple):
    """Images to show.

    Attributes:
        metric: name of the metric by which they were chosen.
        values: this metric of every image, one array for each model.
        chosen: indices of images, by heading.
    """

    metric: str
    values: list[Float64]
    chosen: dict[str, list[int]]


class Example(NamedTuple):
    """An image and its maps, by the label of each (uint8, shape (s, s, 3), RGB)."""

    caption: str
    images: Mapping[str, UInt8]


def labels(metrics: Mapping[str, Any]) -> list[str]:
    """Names of the model and, in a comparison, of its baseline, as the report shows them."""
    parts = [metrics["protocol"], *([metrics["versus"]] if "versus" in metrics else [])]
    names = [
        f"{part['model']}, {part['head']}" if part["model"] else f"colour {part['constant_rgb']}" for part in parts
    ]
    return names if len(names) == 1 else [f"{letter}: {name}" for letter, name in zip("AB", names, strict=True)]


def choose(scores: Sequence[Sequence[ImageScore]], groups: Sequence[str]) -> Ranking:
    """Choose images to show: best, median and worst of the first model, and where two models differ most.

    Args:
        scores: those of each model on the same images; one model, or two.
        groups: the overlap group of each image.
    """
    metric = RANKED_BY if np.isfinite(_of_each(scores[0], RANKED_BY)).any() else "rmse"
    sign = SIGN_OF_BETTER.get(metric, 1)
    values = [_of_each(of_model, metric) for of_model in scores]
    good = sign * values[0]
    orders = {"Best": -good, "Median": np.abs(good - np.nanmedian(good)), "Worst": good}
    if len(values) > 1:
        gain = good - sign * values[1]
        orders |= {"Where A gains most": -gain, "Where B gains most": gain}
    return Ranking(metric, values, {heading: _first(order, groups) for heading, order in orders.items()})


def _of_each(scores: Sequence[ImageScore], metric: str) -> Float64:
    return metric_values(score_rows(scores))[metric]


def _first(order: Float64, groups: Sequence[str]) -> list[int]:
    """The first few by `order`, each of another group; images whose metric is undefined are left out."""
    chosen: dict[str, int] = {}
    for i in np.argsort(order, kind="stable").tolist():
        if np.isfinite(order[i]):
            chosen.setdefault(groups[i], i)
    return list(chosen.values())[:N_EXAMPLES]


def draw_examples(
    ranking: Ranking,
    paths: Sequence[PairFile],
    predictions: Mapping[str, Predictor],
    *,
    direction: Direction,
    size_px: int,
) -> dict[str, list[Example]]:
    """Draw the chosen images again, under the label of each prediction, in the order of the ranking's values."""
    by_heading = {}
    for heading, indices in ranking.chosen.items():
        examples = []
        for i, (name, source, target) in zip(
            indices, decode_pairs([paths[i] for i in indices], direction), strict=True
        ):
            sat = resize(source, size_px)
            maps = {
                f"{label} · {values[i]:.3f}": one.predict(resize(predicted_from(one, name, source), size_px))
                for (label, one), values in zip(predictions.items(), ranking.values, strict=True)
            }
            examples.append(Example(name, {"image": sat, **maps, "true map": resize(target, size_px)}))
        by_heading[heading] = examples
    return by_heading


def render(
    metrics: Mapping[str, Any], ranked_by: str, examples: Mapping[str, Sequence[Example]], verdict: str = ""
) -> str:
    """Render the report as HTML.

    Args:
        metrics: what `metrics.json` holds, and under `frontier` the metrics of each point of a palette head.
        ranked_by: the metric by which the examples were chosen.
        examples: by heading.
        verdict: what it comes to, in a sentence.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    import_extra("matplotlib", "report")
    names = labels(metrics)
    parts = {
        "title": escape(f"{' against '.join(names)} on {metrics['protocol']['data']}"),
        "subtitle": _subtitle(metrics["protocol"]),
        "verdict": f"<p><strong>{escape(verdict)}</strong></p>" if verdict else "",
        "cards": "".join(_card(name, metrics) for name in LEADING),
        "reading": "Differences are paired; in the colour of the better one where their interval leaves out 0."
        if len(names) > 1
        else "",
        "head": _head(names),
        "metrics_rows": _rows("metrics", metrics),
        "iou_rows": _rows("iou", metrics),
        **_charts(metrics, names),
        "frontier": _frontier(metrics),
        "ranked_by": ranked_by,
        "images": "".join(_examples(heading, of_it) for heading, of_it in examples.items()),
        "json": escape(json.dumps({k: v for k, v in metrics.items() if k != "frontier"}, indent=1)),
    }
    return Template((files("sat2map.evaluate") / "report.html").read_text("utf-8")).substitute(parts)


def _subtitle(protocol: Mapping[str, Any]) -> str:
    return (
        f"{protocol['n_images']} images in {protocol['n_groups']} overlap groups, scored at {protocol['size_px']} px. "
        f"Intervals: 95 %, {protocol['n_draws']} draws. Constant baseline: one colour everywhere. "
        f"sat2map {escape(protocol['sat2map_version'])}."
    )


def _charts(metrics: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """The charts of all models: metrics, with the constant baseline; IoU of the classes; and what is confused."""
    from sat2map.evaluate import charts

    models = dict(zip(names, [metrics, *([metrics["versus"]] if "versus" in metrics else [])], strict=True))
    beside_baseline = models | {"constant baseline": metrics["constant_baseline"]}
    classes = metrics["protocol"]["classes"]
    confusions = [
        _chart(
            charts.confusion_chart(model["confusion"], list(classes)),
            f"confusion of {name}",
            name if len(names) > 1 else "",
        )
        for name, model in models.items()
    ]
    return {
        "metrics_chart": _chart_image(
            charts.metrics_chart({name: model["metrics"] for name, model in beside_baseline.items()}), "metrics"
        ),
        "classes_chart": _chart_image(
            charts.classes_chart({n: model["iou"] for n, model in models.items()}, classes), "IoU"
        ),
        "confusion_charts": "".join(confusions),
    }


def _card(metric: str, metrics: Mapping[str, Any]) -> str:
    cell = metrics["metrics"][metric]
    value, interval = _formatted(cell, metric)
    baseline, _ = _formatted(metrics["constant_baseline"]["metrics"][metric], metric)
    return f'<div class="card">{metric}<b>{value}</b><span>{interval}; constant baseline {baseline}</span></div>'


def _head(names: Sequence[str]) -> str:
    columns = ["", *names, *(["A − B"] if len(names) > 1 else []), "constant baseline"]
    return "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in columns) + "</tr>"


def _rows(part: str, metrics: Mapping[str, Any]) -> str:
    rows = []
    for name, cell in metrics[part].items():
        cells = [_cell(cell, name)]
        if "versus" in metrics:
            cells += [_cell(metrics["versus"][part][name], name), _difference(metrics["difference"][part][name], name)]
        cells.append(_cell(metrics["constant_baseline"][part][name], name))
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return "".join(rows)


def _cell(cell: Mapping[str, float | None], name: str) -> str:
    value, interval = _formatted(cell, name)
    return f"<td>{value}<small>{interval}</small></td>"


def _difference(cell: Mapping[str, float | None], name: str) -> str:
    low, high = cell["low"], cell["high"]
    winner = ""
    if low is not None and high is not None and low * high > 0:
        winner = {1: "a", -1: "b", 0: ""}[int(np.sign(low)) * SIGN_OF_BETTER.get(name, 1)]
    value, interval = _formatted(cell, name, "+")
    return f'<td class="{winner}">{value}<small>{interval}</small></td>'


def _formatted(cell: Mapping[str, float | None], name: str, sign: str = "") -> tuple[str, str]:
    """Value and interval as text; an undefined value is a dash, and its interval is empty."""
    n = DECIMALS.get(name, 3)
    value, low, high = ("-" if cell[k] is None else f"{cell[k]:{sign}.{n}f}" for k in ("value", "low", "high"))
    return value, "" if low == high == "-" else f"{low} to {high}"


def _frontier(metrics: Mapping[str, Any]) -> str:
    from sat2map.evaluate import charts

    points = metrics.get("frontier")
    if not points:
        return ""
    chart = charts.frontier_chart({k: v["metrics"] for k, v in points.items()}, metrics["constant_baseline"]["metrics"])
    head = "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in ("", *points)) + "</tr>"
    rows = (
        f"<tr><td>{name}</td>" + "".join(f"<td>{_formatted(p['metrics'][name], name)[0]}</td>" for p in points.values())
        for name in metrics["metrics"]
    )
    return (
        "<h2>Frontier of the palette head</h2><p>One network, drawn as the mean colour under a softmax of sharpness γ, "
        "or as the likeliest colour. Soft colours are nearer to the truth on average; crisp ones keep streets.</p>"
        f'<figure class="chart">{_chart_image(chart, "frontier")}</figure>'
        f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _examples(heading: str, examples: Sequence[Example]) -> str:
    return f"<h3>{escape(heading)}</h3>" + "".join(
        f"<figure><figcaption>{escape(example.caption)}</figcaption><div class='row'>"
        + "".join(
            f"<div>{_image(pixels, label, lossy=label == 'image')}{escape(label)}</div>"
            for label, pixels in example.images.items()
        )
        + "</div></figure>"
        for example in examples
    )


def _image(rgb_hwc: UInt8, label: str, *, lossy: bool) -> str:
    kind = "jpeg" if lossy else "png"
    data = io.BytesIO()
    Image.fromarray(rgb_hwc).save(data, kind, **({"quality": 90} if lossy else {"optimize": True}))
    return _embedded(data.getvalue(), kind, label)


def _chart(svg: str, alternative: str, caption: str) -> str:
    return f'<figure class="chart"><figcaption>{escape(caption)}</figcaption>{_chart_image(svg, alternative)}</figure>'


def _chart_image(svg: str, alternative: str) -> str:
    # Not in the page itself: names inside one SVG would be those of another.
    return _embedded(svg.encode(), "svg+xml", alternative)


def _embedded(data: bytes, kind: str, alternative: str) -> str:
    text = base64.b64encode(data).decode()
    return f'<img alt="{escape(alternative)}" src="data:image/{kind};base64,{text}">'
