/** The stream's outside world in a browser. */

import type { Dashboard } from '../wire';
import type { Deps, Socket } from './stream';
import { read } from '../api';

export function browserDeps(): Deps {
  return {
    connect: (query): Socket => {
      const address = new URL(`ws${query}`, location.origin + '/');
      address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
      const websocket = new WebSocket(address);
      const socket: Socket = { onmessage: null, onclose: null, close: () => websocket.close() };
      websocket.onmessage = (event) => socket.onmessage?.({ data: event.data });
      websocket.onclose = ({ code, reason }) => socket.onclose?.({ code, reason });
      return socket;
    },
    fetchState: async () => {
      let epoch: string | null = null;
      const result = await read<Dashboard>('/api/v1/state', (headers) => (epoch = headers.get('x-pointsman-epoch')));
      if (!result.ok) throw new Error(result.problem.detail);
      return { state: result.value, epoch };
    },
    now: Date.now,
    random: Math.random,
    schedule: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    animationFrame: (run) => {
      requestAnimationFrame(run);
    },
    hidden: () => document.hidden,
  };
}
