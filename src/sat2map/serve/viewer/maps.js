// Two maps that move together: the satellite image, and a layer that the model draws, over it or beside it.
import {LngLatBounds, Map as View, NavigationControl, ScaleControl} from '/viewer/vendor/maplibre-gl.mjs';
import {meets} from '/viewer/coordinates.js';
import {by, make} from '/viewer/dom.js';
import {changeTiles, setBasemap, setDrawing, setEdge, setTiles, setVectors} from '/viewer/layers.js';
import {forgetPending} from '/viewer/tiles.js';

const PADDING = {top: 72, bottom: 44, left: 40, right: 64};
const FIT_ICON = '<svg viewBox="0 0 24 24"><path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/></svg>';

class FitControl {
  constructor(fit) { this.fit = fit; }

  onAdd() {
    const button = make('button', {
      type: 'button', className: 'fit-icon', title: 'Whole scene (0)', 'aria-label': 'Show the whole scene', onclick: this.fit, innerHTML: FIT_ICON,
    });
    this.element = make('div', {className: 'maplibregl-ctrl maplibregl-ctrl-group'}, button);
    return this.element;
  }

  onRemove() { this.element.remove(); }
}

const view = (container) => new View({
  container, attributionControl: false, dragRotate: false, pitchWithRotate: false, touchPitch: false,
  maxZoom: 22, style: {version: 8, sources: {}, layers: []},
});

export class Maps {
  constructor() {
    this.below = view('below');
    this.above = view('above');
    this.both = [this.below, this.above];
    this.isSide = false;
    this.basemap = null;
    for (const map of this.both) {
      map.touchZoomRotate.disableRotation();
      map.keyboard.disableRotation();
    }
    this.above.addControl(new NavigationControl({showCompass: false}), 'top-right');
    this.above.addControl(new FitControl(() => this.fit()), 'top-right');
    this.scale = new ScaleControl({maxWidth: 120});
    this.#keepTogether();
    this.above.getCanvas().setAttribute('aria-label', 'Map; arrows move it, plus and minus zoom, Enter tells what is in the middle');
    this.setSide(false);
    this.ready = Promise.all(this.both.map((map) => map.loaded() ? null : map.once('load')));
  }

  #keepTogether() {
    let following = false;
    for (const [map, other] of [this.both, this.both.toReversed()]) {
      map.on('move', () => {
        if (following) return;
        following = true;
        other.jumpTo({center: map.getCenter(), zoom: map.getZoom()});
        following = false;
      });
    }
  }

  /** Put the maps side by side, or one over the other. */
  setSide(isSide) {
    this.isSide = isSide;
    by('stage').classList.toggle('side', isSide);
    const canvas = this.below.getCanvas();
    canvas.tabIndex = isSide ? 0 : -1;
    if (isSide) { canvas.removeAttribute('aria-hidden'); canvas.setAttribute('aria-label', 'Satellite image; it moves with the map'); }
    else { canvas.removeAttribute('aria-label'); canvas.setAttribute('aria-hidden', 'true'); }
    for (const map of this.both) map.resize();
    if (this.scene) this.setBasemap(this.basemap);
  }

  /** Show a scene, at a position (`{zoom, center}`) or whole. */
  show(scene, layer, hidden, position) {
    this.scene = scene;
    forgetPending();
    setTiles(this.below, scene, 'satellite');
    setTiles(this.above, scene, layer, hidden);
    this.setVectors(null);
    this.setBasemap(this.basemap);
    const hasScale = this.above.hasControl(this.scale);
    if (scene.has_georeference && !hasScale) this.above.addControl(this.scale, 'bottom-right');
    if (!scene.has_georeference && hasScale) this.above.removeControl(this.scale);
    if (position) this.above.jumpTo(position);
    else this.fit({animate: false});
  }

  /** Show no scene at all. */
  clear() {
    this.scene = null;
    for (const map of this.both) {
      setEdge(map, null);
      setVectors(map, null);
      setBasemap(map, null);
      setTiles(map, null);
    }
  }

  /** Show another layer, or other classes of it. */
  change(layer, hidden) {
    forgetPending();
    changeTiles(this.above, this.scene, layer, hidden);
  }

  /** Load all tiles again; those that were drawn before come from the browser's cache. */
  refresh(layer, hidden) {
    changeTiles(this.above, this.scene, layer, hidden);
    if (this.scene.layers_drawn.includes('satellite')) changeTiles(this.below, this.scene, 'satellite');
  }

  /** Show a base map below everything, or none (`null`); a scene without georeference has none. */
  setBasemap(basemap) {
    this.basemap = basemap;
    const shown = this.scene?.has_georeference ? basemap : null;
    setBasemap(this.below, shown);
    // Over the satellite image, classes that are hidden show that and no base map.
    setBasemap(this.above, this.isSide ? shown : null);
    this.recolour();
  }

  /** Draw what has the colours of the theme again. */
  recolour() {
    if (!this.scene) return;
    const isOverBasemap = Boolean(this.basemap && this.scene.has_georeference);
    for (const map of this.both) setEdge(map, this.scene, isOverBasemap);
  }

  /** Show areas and roads as lines, from their TileJSON; `null`: none. */
  setVectors(about, classes = []) {
    for (const map of this.both) setVectors(map, this.scene, about, classes);
  }

  /** Show what is being measured. */
  setDrawing(points, isArea) {
    for (const map of this.both) setDrawing(map, points, isArea);
  }

  /** Move the focus to the map, for the keys that belong to it. */
  focus() { this.above.getCanvas().focus(); }

  fit(options = {}) {
    if (!this.scene) return;
    this.above.fitBounds(new LngLatBounds(this.scene.bounds), {padding: this.#padding(), duration: 600, ...options});
  }

  #padding() {
    if (this.isSide) return {top: 64, bottom: 44, left: 24, right: 24};
    const panel = by('panel').getBoundingClientRect();
    if (panel.width > innerWidth - 2) return {top: 108, left: 16, right: 16, bottom: panel.height + 24};
    return innerWidth - panel.right < 260 ? PADDING : {...PADDING, left: panel.right + 24};
  }

  /** Return the middle of the area beside the panel, in percent of the width. */
  middle() {
    const {right, width} = by('panel').getBoundingClientRect();
    return width > innerWidth - 2 ? 50 : 50 * (right / innerWidth + 1);
  }

  /** Return west, south, east, north of the part of the scene that is in view; null where none is. */
  inView() {
    if (!this.scene) return null;
    const visible = this.above.getBounds();
    const [west, south, east, north] = this.scene.bounds;
    const box = [Math.max(west, visible.getWest()), Math.max(south, visible.getSouth()),
      Math.min(east, visible.getEast()), Math.min(north, visible.getNorth())];
    return box[0] < box[2] && box[1] < box[3] && meets(this.scene, box) ? box : null;
  }
}
