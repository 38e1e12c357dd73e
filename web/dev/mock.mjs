/**
 * A host to develop the dashboard against: `npm run mock`, then `npm run dev` (or open the mock itself, which serves
 * `dist` under the Content-Security-Policy of the real host).
 *
 * PORT (7979), MOCK_SCENE (busy, empty), MOCK_TICK_MS (200: one step of the story), MOCK_SEED.
 * Beside the host's interface it takes POST /mock/swap {kind, version}, /mock/refuse {kind}, /mock/drop (cut all
 * sockets), /mock/lose (leave out one patch), /mock/gap, /mock/deaf {on} (refuse WebSockets),
 * /mock/hold (a candidate waits for a person), /mock/lag {outcomes} (the learning memory is so far behind).
 */

import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { diff } from './diff.mjs';
import { Story } from './story.mjs';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain; charset=utf-8' };
const HISTORY_MAX = 500;

export function startMock({ port = 7979, scene = 'busy', tickMs = 200, seed = 7, host = '127.0.0.1' } = {}) {
  const story = new Story({ seed, scene, tickMs });
  let held = story.dashboard();
  const history = [];
  let loseNext = false;
  let deaf = false;
  /** Long answers that nobody waited for to the end. */
  let ended = 0;

  const sockets = new WebSocketServer({ noServer: true });
  const send = (socket, frame) => socket.send(JSON.stringify(frame));
  const all = (frame) => sockets.clients.forEach((socket) => send(socket, frame));
  const snapshot = (socket) => send(socket, { type: 'snapshot', model: 'dashboard', seq: held.seq, state: held });

  function publish() {
    const next = story.dashboard();
    if (next.seq === held.seq) {
      // What is not in the journal is sent as an aside: replacements only, and no step.
      const patch = diff(held, { ...next, at: held.at }).filter((operation) => operation.op === 'replace');
      held = next;
      if (patch.length > 0) all({ type: 'state.read.model.patch', model: 'dashboard', from: held.seq, seq: held.seq, patch });
    } else {
      const patch = { type: 'state.read.model.patch', model: 'dashboard', from: held.seq, seq: next.seq, patch: diff(held, next) };
      history.push(patch);
      if (history.length > HISTORY_MAX) history.shift();
      held = next;
      if (loseNext) loseNext = false;
      else all(patch);
    }
    for (const { run, points } of story.takeSamples()) all({ type: 'samples', run, points });
  }

  sockets.on('connection', (socket, request) => {
    const params = new URL(request.url, 'http://mock').searchParams;
    send(socket, { type: 'hello', epoch: story.epoch, version: held.version, seq: held.seq });
    const since = Number(params.get('since'));
    const missed = history.filter((patch) => patch.from >= since);
    const resumes = params.has('since') && params.get('epoch') === story.epoch && (since === held.seq || missed[0]?.from === since);
    if (resumes) missed.forEach((patch) => send(socket, patch));
    else snapshot(socket);
  });

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://mock');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const json = (status, body) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', 'cache-control': 'no-store', 'x-pointsman-epoch': story.epoch });
      response.end(JSON.stringify(body));
    };
    const problem = (status, code, title, detail, fix = null, errors = []) => json(status, { type: `https://pointsman.invalid/problems/${code}`, title, status, detail, code, errors, fix });
    const raw = Buffer.concat(chunks).toString();
    const type = request.headers['content-type'] ?? '';
    let body = {};
    try {
      // A file is no JSON: its reader takes it as it is.
      if (chunks.length > 0 && url.pathname !== '/api/v1/sources/import') body = JSON.parse(raw);
    } catch {
      return problem(400, 'bad-json', 'The body is no JSON', 'The body could not be read as JSON');
    }
    const [, id] = /^\/api\/v1\/(?:jobs|decisions)\/([0-9]+)/.exec(url.pathname) ?? [];
    const kind = /^\/api\/v1\/policies\/([a-z-]+)\/rollback$/.exec(url.pathname)?.[1];
    const done = () => {
      publish();
      json(200, { seq: held.seq });
    };
    const route = `${request.method} ${url.pathname}`;
    if (request.method === 'GET' && !url.pathname.startsWith('/api/')) return file(url.pathname, response);
    if (route === 'GET /api/v1/state') return json(200, held);
    if (route === 'GET /api/v1/jobs') return json(200, page('jobs', story.jobs.filter(ofJobs(url.searchParams)), url.searchParams));
    if (route === 'GET /api/v1/decisions') return json(200, page('decisions', story.decisions.filter(wanted(url.searchParams)), url.searchParams));
    if (request.method === 'GET' && /^\/api\/v1\/(?:jobs|decisions)\/[0-9]+(?:\/log)?$/.test(url.pathname)) {
      const found = url.pathname.startsWith('/api/v1/jobs/') ? story.detail(Number(id)) : story.details.get(Number(id));
      return found ? json(200, found) : problem(404, 'not-found', 'There is no such entry', `There is no entry ${id}`, 'List what there is: pointsman jobs');
    }
    if (request.method === 'POST' && /^\/api\/v1\/jobs\/[0-9]+\/cancel$/.test(url.pathname)) return story.cancel(Number(id), body.reason) ? done() : problem(409, 'PM1101', 'The run is over', `Run ${id} has ended already`);
    if (kind) return story.rollBack(kind, body.reason) ? done() : problem(409, 'PM2001', 'Nothing to go back to', `${kind} has had one version only`);
    if (route === 'POST /api/training/start' || route === 'POST /api/training/stop') {
      story.setTraining(url.pathname.endsWith('start'), body.reason);
      return done();
    }
    if (route === 'POST /api/v1/models/rollback') return story.rollBackModel() ? done() : problem(409, 'PM3001', 'Nothing to go back to', 'No model was live before');
    if (route === 'POST /v1/completions') {
      story.answered += 1;
      return json(200, { id: 'cmpl-1', object: 'text_completion', model: story.active?.tag ?? 'none', choices: [{ text: ' stormy night; the rain fell in torrents, except at occasional', index: 0, finish_reason: 'length' }] });
    }
    const answer = story.control.answer(request.method, url.pathname, url.searchParams, body, request.headers) ?? story.learning.answer(request.method, url.pathname, url.searchParams, body) ?? story.backlog.answer(request.method, url.pathname, url.searchParams, body, raw, type) ?? story.desk.answer(request.method, url.pathname, url.searchParams, body);
    if (answer?.problem) return problem(answer.status, ...answer.problem);
    if (answer?.lines !== undefined) {
      let open = true;
      response.on('close', () => (open = false));
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
      for await (const line of answer.lines) {
        if (!open) {
          ended += 1;
          return;
        }
        response.write(JSON.stringify(line) + '\n');
      }
      return response.end();
    }
    if (answer?.bytes !== undefined) {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' });
      return response.end(answer.bytes);
    }
    if (answer) {
      publish();
      return json(answer.status, answer.body);
    }
    if (route === 'POST /mock/swap') story.swap(body.kind ?? 'retry', body.version ?? '2.0.0', 'swapped by a test');
    else if (route === 'POST /mock/refuse') story.refuse(body.kind ?? 'retry');
    else if (route === 'POST /mock/drop') sockets.clients.forEach((socket) => socket.terminate());
    else if (route === 'POST /mock/lose') loseNext = true;
    else if (route === 'POST /mock/gap') {
      all({ type: 'gap', from: held.seq, to: held.seq + 5 });
      sockets.clients.forEach(snapshot);
    } else if (route === 'POST /mock/deaf') {
      deaf = body.on;
      sockets.clients.forEach((socket) => socket.terminate());
    } else return problem(404, 'no-route', 'There is no such path', `${route} is not served`);
    return done();
  });

  server.on('upgrade', (request, socket, head) => {
    if (deaf || new URL(request.url, 'http://mock').pathname !== '/ws') return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
  });

  const timer = setInterval(() => {
    story.tick();
    publish();
  }, tickMs);

  return new Promise((resolve) => {
    server.listen(port, host, () => {
      const url = `http://${host}:${server.address().port}`;
      resolve({
        url,
        story,
        ended: () => ended,
        close: () => {
          clearInterval(timer);
          sockets.clients.forEach((socket) => socket.terminate());
          server.close();
        },
      });
    });
  });
}

function wanted(params) {
  const [kind, run] = [params.get('kind'), params.get('run')];
  return (decision) => (kind === null || decision.kind === kind) && (run === null || decision.subject === `run ${run}`);
}

function ofJobs(params) {
  return (job) => [['source', 'source'], ['status', 'status_slug'], ['class', 'class']].every(([name, field]) => !params.get(name) || String(job[field]) === params.get(name));
}

function page(name, rows, params) {
  const limit = Number(params.get('limit') ?? 50);
  const before = params.has('cursor') ? Number(params.get('cursor')) : Infinity;
  const items = rows.filter((row) => row.id < before).slice(0, limit);
  const last = items.at(-1)?.id ?? 0;
  return { [name]: items, next_cursor: rows.some((row) => row.id < last) ? String(last) : null };
}

function file(path, response) {
  const dist = fileURLToPath(new URL('../dist', import.meta.url));
  const wanted = path === '/' || path.includes('..') ? '/index.html' : path;
  const found = statSync(dist + wanted, { throwIfNoEntry: false })?.isFile();
  if (!found) {
    response.writeHead(404, { 'content-type': 'text/plain' });
    response.end('Not there. Is the page built? npm run build');
    return;
  }
  response.writeHead(200, { 'content-type': TYPES[extname(wanted)] ?? 'application/octet-stream', 'content-security-policy': "default-src 'self'", 'cache-control': 'no-cache' });
  response.end(readFileSync(dist + wanted));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const number = (name, fallback) => Number(process.env[name] ?? fallback);
  const mock = await startMock({ port: number('PORT', 7979), scene: process.env.MOCK_SCENE ?? 'busy', tickMs: number('MOCK_TICK_MS', 200), seed: number('MOCK_SEED', 7) });
  console.log(`mock host at ${mock.url}`);
}
