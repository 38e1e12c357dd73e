/** RFC 6902 operations from one JSON value to another. Lists of things with an id are told apart by it. */

export function diff(before, after, path = '') {
  if (before === after) return [];
  const lists = Array.isArray(before) && Array.isArray(after);
  if (lists && after.every((item) => typeof item?.id === 'number')) return diffById(before, after, path);
  if (lists && before.length === after.length) return after.flatMap((item, at) => diff(before[at], item, `${path}/${at}`));
  if (lists || !plain(before) || !plain(after)) return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ op: 'replace', path, value: after }];
  const operations = [];
  for (const key of Object.keys(before)) if (!(key in after)) operations.push({ op: 'remove', path: `${path}/${escaped(key)}` });
  for (const key of Object.keys(after)) {
    const below = `${path}/${escaped(key)}`;
    if (key in before) operations.push(...diff(before[key], after[key], below));
    else operations.push({ op: 'add', path: below, value: after[key] });
  }
  return operations;
}

/** New ones come in at the front, old ones leave at the end; what stays is compared in place. */
function diffById(before, after, path) {
  const operations = [];
  const list = [...before];
  const stays = new Set(after.map((item) => item.id));
  for (let at = list.length - 1; at >= 0; at--) {
    if (stays.has(list[at].id)) continue;
    operations.push({ op: 'remove', path: `${path}/${at}` });
    list.splice(at, 1);
  }
  after.forEach((item, at) => {
    if (list[at]?.id === item.id) operations.push(...diff(list[at], item, `${path}/${at}`));
    else {
      operations.push({ op: 'add', path: `${path}/${at}`, value: item });
      list.splice(at, 0, item);
    }
  });
  for (let at = list.length - 1; at >= after.length; at--) operations.push({ op: 'remove', path: `${path}/${at}` });
  return operations;
}

function plain(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function escaped(key) {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
