// The page of the API's document: no library, no network but the host itself. Text goes in as text, never as markup.
'use strict';

const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

const referred = (schema) => schema?.$ref?.split('/').pop();

/** A schema's kind in words, with a link where it is a type of its own. */
function kind(schema) {
  if (!schema || Object.keys(schema).length === 0) return ['anything'];
  const name = referred(schema);
  if (name) return [make('a', { href: `#schema-${name}`, textContent: name })];
  const several = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (several) return several.flatMap((one, at) => (at === 0 ? kind(one) : [' or ', ...kind(one)]));
  const kinds = Array.isArray(schema.type) ? schema.type : [schema.type ?? 'object'];
  const words = kinds.map((one) => (one === 'null' ? 'none' : one)).join(' or ');
  if (schema.type === 'array' || kinds.includes('array')) return [words, ' of ', ...kind(schema.items)];
  const bounds = schema.minimum === undefined ? '' : ` from ${schema.minimum}${schema.maximum === undefined ? '' : ` to ${schema.maximum}`}`;
  const choices = schema.enum ? `: ${schema.enum.join(', ')}` : '';
  return [words + bounds + choices];
}

function table(head, rows) {
  if (rows.length === 0) return null;
  const line = (cells, name) => make('tr', {}, ...cells.map((cell) => make(name, {}, ...[cell].flat())));
  return make('table', {}, make('thead', {}, line(head, 'th')), make('tbody', {}, ...rows.map((row) => line(row, 'td'))));
}

const code = (text) => make('code', { textContent: text });

/** A value that a reader may start from. */
function example(schema, schemas, depth = 0) {
  const name = referred(schema);
  if (name) return depth > 2 ? {} : example(schemas[name], schemas, depth + 1);
  if (!schema) return {};
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.properties) {
    const wanted = Object.entries(schema.properties).filter(([field]) => (schema.required ?? []).includes(field));
    const shown = wanted.length > 0 ? wanted : Object.entries(schema.properties).slice(0, 1);
    return Object.fromEntries(shown.map(([field, value]) => [field, example(value, schemas, depth + 1)]));
  }
  const first = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  return { string: 'text', integer: 1, number: 0.5, boolean: true, array: [] }[first] ?? {};
}

function curl(method, path, operation, schemas) {
  const of = (place, required) => (operation.parameters ?? []).filter((one) => one.in === place && (one.required || !required));
  let url = path;
  for (const one of of('path')) url = url.replace(`{${one.name}}`, one.schema?.type === 'integer' ? '1' : one.name.toUpperCase());
  const query = of('query', true).map((one) => `${one.name}=${one.schema?.type === 'integer' ? 1 : 'VALUE'}`);
  if (query.length > 0) url += `?${query.join('&')}`;
  const parts = ['curl'];
  if (method !== 'get') parts.push(`-X ${method.toUpperCase()}`);
  for (const one of of('header', true)) parts.push(`-H '${one.name}: ${one.name === 'If-Match' ? '*' : 'VALUE'}'`);
  if (of('header').some((one) => one.name === 'Idempotency-Key')) parts.push(`-H "Idempotency-Key: $(uuidgen)"`);
  const body = operation.requestBody?.content?.['application/json'];
  if (body) parts.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(example(body.schema, schemas)).replaceAll("'", "'\\''")}'`);
  parts.push(`'${location.origin}${url}'`);
  return parts.join(' ');
}

function operationView(method, path, operation, schemas) {
  const parameters = (operation.parameters ?? []).map((one) => [
    code(one.name),
    `${one.in}${one.required ? ', required' : ''}`,
    kind(one.schema),
    one.description ?? '',
  ]);
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => {
    const [type, content] = Object.entries(answer.content ?? {})[0] ?? [];
    return [code(status), type ? [`${type}: `, ...kind(content.schema)] : '', answer.description ?? ''];
  });
  const body = operation.requestBody?.content?.['application/json']?.schema;
  const summary = make(
    'summary',
    {},
    make('span', { className: 'method', textContent: method.toUpperCase() }),
    make('span', { className: 'path', textContent: path }),
    make('span', { className: 'muted', textContent: ` ${operation.summary}` }),
  );
  const details = make(
    'details',
    { id: operation.operationId },
    summary,
    operation.description ? make('p', { textContent: operation.description }) : null,
    make('pre', { textContent: curl(method, path, operation, schemas), tabIndex: 0 }),
    parameters.length > 0 ? make('h3', { textContent: 'Parameters' }) : null,
    table(['name', 'in', 'kind', 'meaning'], parameters),
    body ? make('h3', { textContent: 'Body' }) : null,
    body ? make('p', {}, ...kind(body), operation.requestBody.required ? '' : ' (may be left out)') : null,
    make('h3', { textContent: 'Answers' }),
    table(['status', 'content', 'meaning'], answers),
  );
  const article = make('article', {}, details);
  article.dataset.text = `${method} ${path} ${operation.summary} ${operation.description ?? ''}`.toLowerCase();
  return article;
}

function schemaView(name, schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([field, value]) => [
    code(field),
    [...kind(value), required.has(field) ? '' : ' (may be missing)'],
    value.description ?? '',
  ]);
  const view = make(
    'div',
    { className: 'schema', id: `schema-${name}` },
    make('h3', {}, code(name)),
    schema.description ? make('p', { textContent: schema.description }) : null,
    table(['field', 'kind', 'meaning'], rows),
    schema.properties ? null : make('pre', { textContent: JSON.stringify(schema, null, 2) }),
  );
  view.dataset.text = `${name} ${JSON.stringify(schema)}`.toLowerCase();
  return view;
}

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
}

async function show() {
  const answer = await fetch('/api/openapi.json');
  if (!answer.ok) throw new Error(`the host answered ${answer.status}`);
  const api = await answer.json();
  const schemas = api.components.schemas;
  document.getElementById('about').textContent = api.info.description;
  const byTag = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      byTag.set(tag, [...(byTag.get(tag) ?? []), operationView(method, path, operation, schemas)]);
    }
  }
  const contents = make('ul');
  for (const [tag, views] of [...byTag].sort(([one], [other]) => one.localeCompare(other))) {
    contents.append(make('li', {}, make('a', { href: `#tag-${tag}`, textContent: `${tag} (${views.length})` })));
    document.getElementById('operations').append(make('section', { id: `tag-${tag}` }, make('h2', { textContent: tag }), ...views));
  }
  document.getElementById('contents').append(contents);
  const types = Object.entries(schemas).map(([name, schema]) => schemaView(name, schema));
  document.getElementById('schemas').append(...types);

  const filter = document.getElementById('filter');
  const narrow = () => {
    const wanted = filter.value.trim().toLowerCase();
    let count = 0;
    for (const view of document.querySelectorAll('[data-text]')) {
      view.hidden = !view.dataset.text.includes(wanted);
      if (!view.hidden) count += 1;
    }
    for (const section of document.querySelectorAll('main > section')) section.hidden = !section.querySelector('article:not([hidden])');
    document.getElementById('found').textContent = wanted ? (count === 0 ? 'Nothing is called so.' : `${count} found`) : '';
  };
  filter.value = new URLSearchParams(location.search).get('q') ?? '';
  filter.addEventListener('input', () => {
    narrow();
    history.replaceState(null, '', filter.value ? `?q=${encodeURIComponent(filter.value)}${location.hash}` : location.pathname + location.hash);
  });
  narrow();
  addEventListener('hashchange', open);
  open();
}

show().catch((error) => {
  document.getElementById('about').textContent = `The document could not be read: ${error.message}. Reload to try again.`;
});
