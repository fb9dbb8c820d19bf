// The description of the routes, made of /openapi.json: nothing is loaded from elsewhere.
import {by, make} from '/viewer/dom.js';
import {startTheme} from '/viewer/theme.js';

startTheme(() => {});
const {paths} = await (await fetch('/openapi.json')).json();
const groups = new Map();
for (const [path, methods] of Object.entries(paths)) {
  for (const [method, about] of Object.entries(methods)) {
    const group = about.tags?.[0] ?? 'layers';
    groups.set(group, [...groups.get(group) ?? [], {path, method, about}]);
  }
}
by('routes').append(...[...groups].flatMap(([group, routes]) => [
  make('h2', {textContent: group}), ...routes.map(({path, method, about}) => make(
    'details', {},
    make('summary', {}, make('b', {textContent: method.toUpperCase()}), make('code', {textContent: path})),
    make('p', {textContent: about.description ?? about.summary ?? ''}), parameters(about.parameters ?? []),
  )),
]));
document.documentElement.dataset.ready = 'yes';

function parameters(all) {
  if (!all.length) return null;
  const row = ({name, in: where, required, description, schema}) => make(
    'tr', {}, make('td', {}, make('code', {textContent: name})), make('td', {textContent: required ? where : 'may be left out'}),
    make('td', {textContent: description ?? ''}), make('td', {textContent: schema?.default === undefined ? '' : `default ${schema.default}`}),
  );
  return make('table', {}, make('tbody', {}, ...all.map(row)));
}
