// Practises hosts never tried first, then those where practice changes most.

export function describe() {
  return {
    name: "{{name}}",
    version: "0.1.0",
    kind: "curriculum",
    summary: "Practises hosts never tried first, then those where practice changes most.",
    settings: [
      number("steps", 400, 1, 1000000, "Steps of a run."),
      number("learning_rate", 0.001, 0.0000001, 100, "Learning rate of a run."),
      number("replay_share", 0.5, 0, 0.95, "Share of each batch from hosts learnt before."),
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
  if (context.budget === 0) {
    return decided({ tag: "nothing" }, [reason("budget_spent", "No more sources may be seeded now.")]);
  }
  const open = context.skills
    .map((skill, host) => ({ skill, host, promise: skill.tries === 0 ? Infinity : Math.abs(skill.progress) }))
    .filter(({ skill }) => !skill.parked && skill.pending === 0);
  if (open.length === 0) {
    return decided({ tag: "nothing" }, [reason("none_open", "Every host is parked or has a source waiting.")]);
  }
  // Of equals the first stays first.
  open.sort((a, b) => (a.promise === b.promise ? a.host - b.host : b.promise > a.promise ? 1 : -1));
  const chosen = open.slice(0, context.budget);

  const seeds = chosen.map(({ host }) => ({
    host,
    steps: Math.floor(setting(settings, "steps")),
    learningRate: setting(settings, "learning_rate"),
    replayShare: setting(settings, "replay_share"),
  }));
  const reasons = chosen.slice(0, 8).map(({ skill, host }) =>
    skill.tries === 0
      ? reason("never_tried", `${context.hosts[host]} was never practised.`)
      : reason("learning_progress", `Practice changes ${context.hosts[host]} after ${skill.tries} tries.`, {
          feature: "progress",
          value: skill.progress,
        }),
  );
  return decided({ tag: "plant", val: seeds }, reasons);
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
