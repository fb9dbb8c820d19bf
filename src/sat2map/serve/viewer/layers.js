// Layers of one MapLibre map: base map, tiles, edge, vectors and drawings, always in this order.
import {tilesUrl, vectorsUrl} from '/viewer/tiles.js';
import {colour} from '/viewer/theme.js';

const ORDER = ['basemap', 'tiles', 'outside', 'edge', 'vector-areas', 'vector-roads', 'drawn-area', 'drawn-line', 'drawn-points'];
// Where a screen has more than one pixel to a point, tiles are shown at half their size.
const TILE_SIZE = window.devicePixelRatio > 1 ? 256 : 512;
const NOTHING = {type: 'FeatureCollection', features: []};

function put(map, layer) {
  if (map.getLayer(layer.id)) map.removeLayer(layer.id);
  map.addLayer(layer, ORDER.slice(ORDER.indexOf(layer.id) + 1).find((id) => map.getLayer(id)));
}

function drop(map, source, ...layers) {
  for (const id of layers) if (map.getLayer(id)) map.removeLayer(id);
  if (map.getSource(source)) map.removeSource(source);
}

/** Show the tiles of a layer of a scene, in place of those of another scene; null: of none. */
export function setTiles(map, scene, layer, hidden = []) {
  drop(map, 'tiles', 'tiles');
  if (!scene) return;
  const shift = TILE_SIZE === 512 ? 1 : 0;  // of the levels, when a tile of 512 px is one of 512 points
  map.addSource('tiles', {
    type: 'raster', tiles: [tilesUrl(scene, layer, hidden)], tileSize: TILE_SIZE, bounds: scene.bounds,
    minzoom: Math.max(scene.minzoom - 2, 0), maxzoom: Math.max(scene.maxzoom - shift, 0),
  });
  put(map, {id: 'tiles', type: 'raster', source: 'tiles', paint: {'raster-fade-duration': 120}});
}

/** Load the tiles again, of another layer or with other classes, without a moment of nothing. */
export function changeTiles(map, scene, layer, hidden = []) {
  map.getSource('tiles')?.setTiles([tilesUrl(scene, layer, hidden)]);
}

/**
 * Smooth the edge of a scene, where whole pixels of tiles make a staircase: what lies outside is covered, or where a base
 * map is seen there, the edge alone.
 */
export function setEdge(map, scene, overBasemap) {
  drop(map, 'edge', 'edge');
  drop(map, 'outside', 'outside');
  if (!scene) return;
  const ring = [...scene.outline, scene.outline[0]];
  const world = [[-180, -85], [180, -85], [180, 85], [-180, 85], [-180, -85]];
  map.addSource('edge', {type: 'geojson', data: {type: 'LineString', coordinates: ring}});
  // Of three pixels of a tile, which grow where tiles are shown larger than they are.
  const grown = scene.maxzoom + 6;
  put(map, {
    id: 'edge', type: 'line', source: 'edge', layout: {'line-join': 'miter'},
    paint: {
      'line-color': overBasemap ? colour('surface-solid') : colour('paper'),
      'line-width': ['interpolate', ['exponential', 2], ['zoom'], scene.maxzoom - 1, 2.5, grown - 1, 2.5 * 64],
    },
  });
  if (overBasemap) return;
  map.addSource('outside', {type: 'geojson', data: {type: 'Polygon', coordinates: [world, ring]}});
  put(map, {id: 'outside', type: 'fill', source: 'outside', paint: {'fill-color': colour('paper')}});
}

/** Show a base map below everything, or none (`null`). Nothing of it is fetched before. */
export function setBasemap(map, basemap) {
  drop(map, 'basemap', 'basemap');
  if (!basemap) return;
  map.addSource('basemap', {type: 'raster', tiles: [basemap.url], tileSize: 256, maxzoom: basemap.maxzoom});
  put(map, {id: 'basemap', type: 'raster', source: 'basemap'});
}

/** Show areas and roads as lines, from the TileJSON of their tiles; `null`: none. */
export function setVectors(map, scene, about, classes) {
  drop(map, 'vectors', 'vector-areas', 'vector-roads');
  if (!about) return;
  const {minzoom, maxzoom, bounds} = about;
  map.addSource('vectors', {type: 'vector', tiles: [vectorsUrl(scene)], minzoom, maxzoom, bounds});
  const byClass = ['match', ['get', 'class'], ...classes.flatMap(({name, colour: shown}) => [name, shown]), '#888'];
  put(map, {
    id: 'vector-areas', type: 'fill', source: 'vectors', 'source-layer': 'areas',
    paint: {'fill-color': byClass, 'fill-opacity': 0.25, 'fill-outline-color': '#17202a'},
  });
  put(map, {
    id: 'vector-roads', type: 'line', source: 'vectors', 'source-layer': 'roads', layout: {'line-cap': 'round', 'line-join': 'round'},
    paint: {'line-color': '#c2185b', 'line-width': ['interpolate', ['linear'], ['zoom'], 13, 1, 18, 4]},
  });
}

/** Show what is being measured: points, the line through them, and the area within. */
export function setDrawing(map, points, isArea) {
  const data = {type: 'FeatureCollection', features: []};
  const add = (type, coordinates) => data.features.push({type: 'Feature', properties: {}, geometry: {type, coordinates}});
  for (const point of points) add('Point', point);
  if (points.length > 1) add('LineString', isArea ? [...points, points[0]] : points);
  if (isArea && points.length > 2) add('Polygon', [[...points, points[0]]]);
  if (map.getSource('drawing')) { map.getSource('drawing').setData(points.length ? data : NOTHING); return; }
  if (!points.length) return;
  map.addSource('drawing', {type: 'geojson', data});
  const of = (type) => ['==', ['geometry-type'], type];
  put(map, {id: 'drawn-area', type: 'fill', source: 'drawing', filter: of('Polygon'), paint: {'fill-color': '#d81b60', 'fill-opacity': 0.22}});
  put(map, {id: 'drawn-line', type: 'line', source: 'drawing', filter: of('LineString'), paint: {'line-color': '#d81b60', 'line-width': 3}});
  put(map, {
    id: 'drawn-points', type: 'circle', source: 'drawing', filter: of('Point'),
    paint: {'circle-color': '#fff', 'circle-radius': 5, 'circle-stroke-color': '#d81b60', 'circle-stroke-width': 2.5},
  });
}
