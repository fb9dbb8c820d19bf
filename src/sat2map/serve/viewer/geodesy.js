// Lengths and areas on the ellipsoid WGS 84, of points [longitude, latitude] in degrees.
const A_M = 6378137;
const E2 = 0.00669437999014;
const E = Math.sqrt(E2);
const RADIANS = Math.PI / 180;

/** Length of a line in metres, by the radii of curvature at the middle of each part: right for parts of some kilometres. */
export function lengthM(points) {
  let total = 0;
  for (let i = 1; i < points.length; i++) {
    const [[lng0, lat0], [lng1, lat1]] = [points[i - 1], points[i]];
    const lat = (lat0 + lat1) / 2 * RADIANS;
    const w2 = 1 - E2 * Math.sin(lat) ** 2;
    const east = (lng1 - lng0) * RADIANS * Math.cos(lat) * A_M / Math.sqrt(w2);
    const north = (lat1 - lat0) * RADIANS * A_M * (1 - E2) / w2 ** 1.5;
    total += Math.hypot(east, north);
  }
  return total;
}

/** Area of a polygon in square metres; its ring need not be closed. */
export function areaM2(points) {
  let total = 0;
  points.forEach(([lng, lat], i) => {
    const [next, nextLat] = points[(i + 1) % points.length];
    total += (next - lng) * RADIANS * (zone(lat) + zone(nextLat)) / 2;
  });
  return Math.abs(total);
}

// Area between the equator and a latitude, for each radian of longitude.
function zone(lat) {
  const s = Math.sin(lat * RADIANS);
  return A_M ** 2 * (1 - E2) / 2 * (s / (1 - E2 * s ** 2) + Math.atanh(E * s) / E);
}

const number = (value, digits) => value.toLocaleString('en', {maximumFractionDigits: digits});

export function lengthText(metres) {
  return metres < 1000 ? `${number(metres, metres < 100 ? 1 : 0)} m` : `${number(metres / 1000, 2)} km`;
}

export function areaText(squareMetres) {
  if (squareMetres < 1000) return `${number(squareMetres, squareMetres < 100 ? 1 : 0)} m²`;
  if (squareMetres < 1e7) return `${number(squareMetres / 1e4, squareMetres < 1e5 ? 2 : 1)} ha`;
  return `${number(squareMetres / 1e6, 2)} km²`;
}
