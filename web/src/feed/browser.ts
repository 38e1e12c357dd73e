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
      const result = await read<Dashboard>('/api/v1/state');
      if (!result.ok) throw new Error(result.problem.detail);
      return result.value;
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
