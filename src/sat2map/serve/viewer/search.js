// A search by coordinates: goes there, and marks the place.
import {Marker} from '/viewer/vendor/maplibre-gl.mjs';
import {isInside, positionText, readPosition} from '/viewer/coordinates.js';
import {by} from '/viewer/dom.js';
import {note} from '/viewer/notes.js';

export function startSearch(maps) {
  const marker = new Marker({color: '#d81b60'});
  by('search').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = by('place').value;
    marker.remove();
    if (!text.trim() || !maps.scene) return;
    const found = readPosition(text, maps.scene);
    const wanted = maps.scene.has_georeference ? 'latitude, longitude (40.7, -74.05 or 40°42\'N 74°3\'W)' : 'x, y in pixels';
    if (!found) { note(`This is no position: write ${wanted}`, {error: true}); return; }
    marker.setLngLat(found).addTo(maps.above);
    maps.above.jumpTo({center: found});
    const isThere = isInside(maps.scene, found);
    note(isThere ? positionText(maps.scene, found) : `${positionText(maps.scene, found)} lies outside this scene`, {error: !isThere});
  });
  by('place').addEventListener('input', () => { if (!by('place').value) marker.remove(); });
  return {clear: () => marker.remove()};
}
