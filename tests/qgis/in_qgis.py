"""What the tests of the plugin do inside QGIS: a program for Debian's Python, which has QGIS, and prints JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from qgis.core import (
    QgsApplication,
    QgsLayerTreeModel,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QSettings, QSize

sys.path += ["/usr/share/qgis/python/plugins", os.environ["QGIS_PLUGINPATH"]]


@contextmanager
def qgis() -> Iterator[Any]:
    """QGIS without a window, with the plugin."""
    # The settings of the profile, as QGIS itself finds them.
    profile = os.environ["QGIS_CUSTOM_CONFIG_PATH"] + "/profiles/default"
    QCoreApplication.setOrganizationName("QGIS")
    QCoreApplication.setApplicationName("QGIS3")
    QSettings.setDefaultFormat(QSettings.IniFormat)
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, profile)
    QgsApplication.setPrefixPath("/usr", True)
    app = QgsApplication([], True, profile)
    app.initQgis()
    from processing.core.Processing import Processing
    from sat2map_qgis.plugin import Plugin

    Processing.initialize()
    plugin = Plugin(None)
    plugin.initProcessing()
    yield plugin
    plugin.unload()


def legend(layer: Any) -> list[str]:
    """What a layer's legend says."""
    node = QgsProject.instance().layerTreeRoot().findLayer(layer)
    model = QgsLayerTreeModel(QgsProject.instance().layerTreeRoot())
    return [item.data(0) for item in model.layerLegendNodes(node)]


def render(layers: list[Any], path: str, width: int, height: int) -> None:
    """Write what layers show of the extent of the last one."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setExtent(layers[-1].extent())
    settings.setOutputSize(QSize(width, height))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(path)


def project(scene: str, folder: str) -> object:
    """Translate a scene and vectorize its map in a project; show what is there then."""
    import processing

    home = QgsProject.instance()
    image = QgsRasterLayer(scene, "image")
    home.addMapLayer(image)
    classes = processing.runAndLoadResults("sat2map:translate", {"INPUT": image, "OUTPUT": f"{folder}/classes.tif"})
    map_layer = home.mapLayersByName("Map")[0]
    processing.runAndLoadResults("sat2map:vectorize", {"INPUT": map_layer, "OUTPUT": f"{folder}/map.gpkg"})
    home.write(f"{folder}/project.qgz")
    layers = home.layerTreeRoot().layerOrder()
    for i, shown in enumerate((layers[-1:], [map_layer], layers)):
        render(shown, f"{folder}/shown_{i}.png", image.width() * 3, image.height() * 3)
    return {
        "results": sorted(classes), "layers": [layer.name() for layer in layers],
        "legends": {layer.name(): legend(layer) for layer in layers if layer is not image},
    }  # fmt: skip


def serve(scene: str, folder: str) -> object:
    """Serve a scene, look at the layer of its live map, and end."""
    import processing
    from sat2map_qgis.process import stop_servers

    image = QgsRasterLayer(scene, "image")
    url = processing.runAndLoadResults("sat2map:serve", {"INPUT": [image], "BROWSER": False})["URL"]
    (live,) = QgsProject.instance().mapLayers().values()
    render([live, image], f"{folder}/live.png", image.width() * 3, image.height() * 3)
    with urlopen(f"{url}/health") as answer:
        status = answer.status
    stop_servers()
    try:
        urlopen(f"{url}/health")
    except OSError:
        return {"status": status, "name": live.name(), "ended": True}
    return {"status": status, "name": live.name(), "ended": False}


def cancel(scene: str, folder: str) -> object:
    """Cancel at the first progress."""
    import processing

    seen: list[float] = []
    feedback = QgsProcessingFeedback()
    feedback.progressChanged.connect(lambda percent: (seen.append(percent), feedback.cancel()))
    begun = time.monotonic()
    found = processing.run("sat2map:translate", {"INPUT": scene, "OUTPUT": f"{folder}/a.tif"}, feedback=feedback)
    return {"progress": seen, "found": found, "seconds": time.monotonic() - begun}


def fail(scene: str, folder: str) -> object:
    """Run what fails; return what the user is told."""
    import processing
    from qgis.core import QgsProcessingException

    try:
        processing.run("sat2map:translate", {"INPUT": scene, "OUTPUT": f"{folder}/a.tif"})
    except QgsProcessingException as error:
        return str(error)
    return None


def adapt(scene: str, folder: str) -> object:
    """Adapt to layers of a file, of memory, and of a file with a filter."""
    import processing

    town = QgsVectorLayer(f"{folder}/town.geojson", "town")
    part = QgsVectorLayer(f"{folder}/town.geojson", "part")
    part.setSubsetString("highway = 'primary'")
    memory = QgsVectorLayer("LineString?crs=EPSG:4326", "memory", "memory")
    parameters = {"INPUT": [scene], "VECTORS": [town, part, memory, town], "OUTPUT": f"{folder}/town.onnx"}
    processing.run("sat2map:adapt", parameters)
    words = json.loads(Path(f"{folder}/arguments.json").read_text("utf-8"))
    vectors = [words[i + 1] for i, word in enumerate(words) if word == "--vectors"]
    counts = [QgsVectorLayer(file, "read").featureCount() for file in vectors]
    return {"words": words, "vectors": vectors, "counts": counts}


def install(wheel: str, folder: str) -> object:
    """Press the button of the page of options."""
    from sat2map_qgis.options_page import OptionsPage
    from sat2map_qgis.settings import program

    page = OptionsPage()
    page._package.setText(wheel)
    shown = page._will_run.text()
    page.resize(700, 480)
    page.grab().save(f"{folder}/options.png")
    page._install.click()
    while not page._install.isEnabled():
        QCoreApplication.processEvents()
        time.sleep(0.05)
    page.apply()
    return {"shown": shown, "output": page._output.toPlainText(), "program": program()}


if __name__ == "__main__":
    with qgis():
        print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
