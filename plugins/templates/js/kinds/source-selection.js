// Picks by priority and waiting time, and spreads the work over hosts.

export function describe() {
  return {
    name: "{{name}}",
    version: "0.1.0",
    kind: "source-selection",
    summary: "Queue first, then priority and waiting time; the host of the last pick stands back.",
    settings: [
      number("priority_weight", 1, 0, 10, "Points for each step of priority."),
      number("waiting_weight", 1, 0, 10, "Points for each minute of waiting."),
      number("recent_weight", 4, 0, 100, "Points taken off where the last pick was of the same host."),
    ],
    limits: {},
    stateVersion: 0,
  };
}

export function checkSettings(settings) {
  return [];
}

export function decide(context) {
  const { settings } = context.frame;
  const priorityWeight = setting(settings, "priority_weight");
  const waitingWeight = setting(settings, "waiting_weight");
  const recentWeight = setting(settings, "recent_weight");
  const lastHost = context.recentHosts[0];
  const totals = [];
  const terms = [];
  for (const candidate of context.candidates) {
    const row = [
      // More than all other terms together: the queue goes before the curriculum.
      candidate.lane === "queue" ? 1000 : 0,
      priorityWeight * candidate.priority,
      (waitingWeight * candidate.ageS) / 60,
      candidate.host !== undefined && candidate.host === lastHost ? -recentWeight : 0,
    ];
    terms.push(...row);
    totals.push(row[0] + row[1] + row[2] + row[3]);
  }
  const scores = { totals, termNames: ["queue", "priority", "waiting", "recent"], terms, rules: [], blocked: [] };

  const room = context.hostLoads.map((load) => context.sameHostCap - load.running);
  const picks = [];
  while (picks.length < context.free) {
    let best = -1;
    context.candidates.forEach((candidate, index) => {
      const hasRoom = candidate.host === undefined || room[candidate.host] > 0;
      // Strictly better: of equals the first stays, which is the older.
      if (hasRoom && !picks.includes(index) && (best < 0 || totals[index] > totals[best])) best = index;
    });
    if (best < 0) break;
    const { host } = context.candidates[best];
    if (host !== undefined) room[host] -= 1;
    picks.push(best);
  }

  if (picks.length === 0) {
    return decided({ tag: "idle" }, [reason("no_room", "No candidate's host has room for another run.")], scores);
  }
  const text = `Source ${context.candidates[picks[0]].id} scores best of ${context.candidates.length}.`;
  const why = reason("best_score", text, { feature: "score", value: totals[picks[0]] });
  return decided({ tag: "pick", val: picks }, [why], scores);
}

// ---- Words of the contract -----------------------------------------------------------------------------------------

function number(name, fallback, minimum, maximum, help) {
  return { name, help, default: { tag: "number", val: fallback }, minimum, maximum };
}

function setting(settings, name) {
  const found = settings.find((each) => each.name === name);
  if (found === undefined || found.value.tag !== "number") throw new Error(`setting ${name} is missing`);
  return found.value.val;
}

function decided(verdict, reasons, scores) {
  const advice = { reasons, scores, distribution: [], state: undefined, suggestions: [], extras: [] };
  return { verdict, advice };
}

function reason(code, text, numbers = {}) {
  return { code, feature: numbers.feature, value: numbers.value, threshold: numbers.threshold, margin: numbers.margin, text };
}
