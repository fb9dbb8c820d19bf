// Coordinates as people write them: read and written; knows no page and no map.

const degrees = (value, positive, negative) => `${Math.abs(value).toFixed(5)}° ${value < 0 ? negative : positive}`;

/** Longitude and latitude as text; pixels where a scene has no georeference. */
export function positionText(scene, {lng, lat}) {
  if (scene.has_georeference) return `${degrees(lat, 'N', 'S')}  ${degrees(lng, 'E', 'W')}`;
  const {x, y} = pixel(scene, {lng, lat});
  return `x ${Math.round(x)}  y ${Math.round(y)} px`;
}

/** Where a position lies in a scene without georeference, in pixels from the upper left corner. */
export function pixel({bounds: [west, south, east, north], width, height}, {lng, lat}) {
  return {x: (lng - west) / (east - west) * width, y: (north - lat) / (north - south) * height};
}

/** Whether a position lies in a scene, which may be turned against north. */
export function isInside({outline}, {lng, lat}) {
  let inside = false;
  outline.forEach(([x, y], i) => {
    const [nextX, nextY] = outline[(i + 1) % outline.length];
    if ((y > lat) !== (nextY > lat) && lng < x + (lat - y) / (nextY - y) * (nextX - x)) inside = !inside;
  });
  return inside;
}

/** Whether a box (west, south, east, north) has a part of a scene. */
export function meets(scene, [west, south, east, north]) {
  if (scene.outline.some(([x, y]) => x > west && x < east && y > south && y < north)) return true;
  const [xs, ys] = [[west, (west + east) / 2, east], [south, (south + north) / 2, north]];
  return xs.some((lng) => ys.some((lat) => isInside(scene, {lng, lat})));
}

/**
 * Read a position: latitude and longitude in degrees (`40.7, -74.05`), with letters (`40°42'46"N 74°3'W`), or the x and y
 * of a pixel where the scene has no georeference. Returns {lng, lat}, or null where it is none.
 */
export function readPosition(text, scene) {
  const written = text.trim().replace(/^geo:/i, '').replace(/[−–]/g, '-');
  const [a, b] = lettered(written) ?? plain(written) ?? [];
  if (!Number.isFinite(a) || !Number.isFinite(b)) return null;
  if (scene && !scene.has_georeference) {
    const [west, south, east, north] = scene.bounds;
    return {lng: west + a / scene.width * (east - west), lat: north - b / scene.height * (north - south)};
  }
  return Math.abs(a) <= 90 && Math.abs(b) <= 180 ? {lat: a, lng: b} : null;
}

function plain(text) {
  // A semicolon leaves the comma to decimals, as in many languages.
  const parts = text.includes(';') ? text.replaceAll(',', '.').split(';') : text.split(/[,\s]+/);
  return parts.length === 2 ? parts.map((part) => part.trim() === '' ? NaN : Number(part.replace('°', ''))) : null;
}

// Degrees, minutes and seconds, each with the letter of its hemisphere before or behind it.
function lettered(text) {
  const upper = text.toUpperCase();
  const behind = [...upper.matchAll(/([\d.\s°º'’′"”″:]+)([NSEW])/g)].map(([, numbers, letter]) => [letter, numbers]);
  const before = [...upper.matchAll(/([NSEW])([\d.\s°º'’′"”″:]+)/g)].map(([, letter, numbers]) => [letter, numbers]);
  const found = /^\s*[NSEW]/.test(upper) ? before : behind;
  if (found.length !== 2 || upper.replace(/[\d.\s°º'’′"”″:,;NSEW]/g, '')) return null;
  const value = {};
  for (const [letter, numbers] of found) {
    const [whole = NaN, minutes = 0, seconds = 0, ...more] = (numbers.match(/\d+(\.\d+)?/g) ?? []).map(Number);
    if (more.length || minutes >= 60 || seconds >= 60) return null;
    value['NS'.includes(letter) ? 'lat' : 'lng'] = ('SW'.includes(letter) ? -1 : 1) * (whole + minutes / 60 + seconds / 3600);
  }
  return 'lat' in value && 'lng' in value ? [value.lat, value.lng] : null;
}
