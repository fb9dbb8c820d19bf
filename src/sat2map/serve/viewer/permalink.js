// The URL holds the whole view, so that a link shows the same to someone else.

/** Write what is shown as the part of a URL after `#`. */
export function writeLink({scene, layer, hidden, vectors, basemap}, {center: {lng, lat}, zoom}, compare) {
  const parts = new URLSearchParams({
    scene: scene.id, at: `${zoom.toFixed(2)}/${lat.toFixed(6)}/${lng.toFixed(6)}`, [compare.mode]: Math.round(compare.amount),
  });
  if (layer !== 'map') parts.set('layer', layer);
  if (hidden.length) parts.set('hide', hidden.join(','));
  if (vectors) parts.set('vectors', 'yes');
  if (basemap) parts.set('basemap', 'yes');
  return `#${parts}`.replaceAll('%2F', '/').replaceAll('%2C', ',');
}

/** Read the part of a URL after `#`; what it does not say, or says wrongly, is null. */
export function readLink(hash) {
  const parts = new URLSearchParams(hash.slice(1));
  const [zoom, lat, lng] = (parts.get('at') ?? '').split('/').map(Number);
  const hasPosition = Number.isFinite(zoom + lat + lng) && Math.abs(lat) <= 90;
  const mode = ['side', 'fade', 'swipe'].find((name) => parts.has(name)) ?? null;
  const amount = mode && parts.get(mode) !== '' ? Number(parts.get(mode)) : NaN;
  return {
    scene: parts.get('scene'), position: hasPosition ? {zoom, center: [lng, lat]} : null,
    mode, amount: Number.isFinite(amount) ? amount : null, layer: parts.get('layer') ?? 'map',
    hidden: (parts.get('hide') ?? '').split(',').filter(Boolean),
    vectors: parts.has('vectors'), basemap: parts.has('basemap'),
  };
}
