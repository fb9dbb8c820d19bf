// Tiles for MapLibre: tries again while the server is busy, and remembers which tiles are not drawn yet.
import {addProtocol} from '/viewer/vendor/maplibre-gl.mjs';

const PROTOCOL = 'sat2map';
const MOST_TRIES = 20;
const pending = new Set();

const sleep = (ms, signal) => new Promise((resolve, reject) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); reject(new DOMException('aborted', 'AbortError')); });
});

/** Fetch, and try again when the server asks for it (503 with Retry-After). */
export async function patientFetch(url, options = {}) {
  for (let i = 0; ; i++) {
    const response = await fetch(url, options);
    if (response.status !== 503 || i === MOST_TRIES) return response;
    await sleep(1000 * Number(response.headers.get('Retry-After') ?? 1), options.signal);
  }
}

addProtocol(PROTOCOL, async ({url}, {signal}) => {
  const address = url.slice(PROTOCOL.length + 3);
  const response = await patientFetch(`/${address}`, {signal});
  pending.delete(address);
  if (response.headers.get('X-Sat2map-Pending')) pending.add(address);
  if (response.status === 404 || response.status === 204) return {data: null};  // nothing to see there, and no error
  if (!response.ok) throw new Error(`${response.status} ${address}`);
  return {data: await response.arrayBuffer()};
});

export const hasPending = () => pending.size > 0;
export const forgetPending = () => pending.clear();

/** The part of a query that hides classes. */
export const hideQuery = (hidden) => hidden.map((name) => `&hide=${encodeURIComponent(name)}`).join('');

/** Return the URL of the tiles of a layer, for a source; the server answers at once, drawn or not. */
export function tilesUrl(scene, layer, hidden = []) {
  return `${PROTOCOL}://scenes/${scene.id}/${layer}/tiles/WebMercatorQuad/{z}/{x}/{y}.png?tilesize=512&wait=false${hideQuery(hidden)}`;
}

/** Return the URL of the vector tiles of a scene, for a source. */
export const vectorsUrl = (scene) => `${PROTOCOL}://scenes/${scene.id}/vectors/tiles/WebMercatorQuad/{z}/{x}/{y}.mvt`;

/** Fetch what must be drawn first: ask again while the server answers 202, and tell how much of it is done. */
export async function drawnFetch(url, {onWait = () => {}, signal} = {}) {
  for (;;) {
    const response = await patientFetch(url, {signal});
    if (response.status !== 202) {
      if (!response.ok) throw new Error(errorText(await response.json()));
      return response;
    }
    onWait(await response.json());
    await sleep(1000 * Number(response.headers.get('Retry-After') ?? 1), signal);
  }
}

/** What the server says of an error, in one line. */
export const errorText = ({error, hint}) => [error, hint].filter(Boolean).join(': ');
