// Lets a model go on when its gain over the baseline is sure by several standard errors.
//
// A plain interval, looked at again and again: choose `deviations` with that in mind. Pointsman ships `eprocess-gate`,
// whose error does not grow with the number of looks.

export function describe() {
  return {
    name: "{{name}}",
    version: "0.1.0",
    kind: "promotion-gate",
    summary: "Advances on a gain that is sure by several standard errors; a broken guardrail decides at once.",
    settings: [
      number("gain_least", 0, 0, 10, "Fall of the loss that a candidate must show, in bits per byte."),
      number("pairs_least", 16, 2, 10000, "Pairs before anything is decided."),
      number("deviations", 3, 1, 10, "Standard errors by which a gain must be sure."),
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
  const watch = context.stage === "watch";
  const against = { tag: watch ? "roll-back" : "reject" };

  for (const rail of context.guardrails) {
    const rise = rail.candidateMean - rail.baselineMean;
    // Ten requests at least, before a guardrail may decide.
    if (rail.candidateN >= 10 && rise > rail.limit) {
      const numbers = { feature: rail.name, value: rise, threshold: rail.limit, margin: rise - rail.limit };
      return decided(against, [reason("guardrail_broken", `${rail.name} rose by more than its limit.`, numbers)]);
    }
  }

  const pairs = context.pairs.length;
  const least = Math.min(Math.floor(setting(settings, "pairs_least")), context.cap);
  if (pairs < least) {
    const numbers = { feature: "pairs", value: pairs, threshold: least };
    return decided({ tag: "need-more", val: least - pairs }, [reason("too_few_pairs", "Too few pairs to tell anything.", numbers)]);
  }
  if (pairs < 2) {
    return decided({ tag: "hold" }, [reason("too_few_pairs", "The host allows fewer pairs than a spread needs.")]);
  }

  const gains = context.pairs.map((pair) => pair.baseline - pair.candidate);
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / pairs;
  const spread = gains.reduce((sum, gain) => sum + (gain - mean) * (gain - mean), 0);
  const error = Math.sqrt(spread / (pairs - 1) / pairs);
  if (!Number.isFinite(error)) return decided(against, [reason("not_a_number", "A loss is not a number.")]);

  const deviations = setting(settings, "deviations");
  const gainLeast = setting(settings, "gain_least");
  const low = mean - deviations * error;
  const high = mean + deviations * error;
  const room = context.cap - pairs;
  const more = { tag: "need-more", val: Math.min(16, Math.max(room, 0)) };
  const because = (verdict, code, bound, threshold, text) =>
    decided(verdict, [reason(code, text, { feature: "gain", value: bound, threshold, margin: Math.abs(bound - threshold) })]);

  if (watch) {
    if (high < 0) return because(against, "worse", high, 0, "The model is surely worse than the one before.");
    if (room <= 0) return because({ tag: "advance" }, "no_harm", low, 0, "The watch ends, and no harm is proven.");
    return because(more, "undecided", low, 0, "No harm so far; the watch goes on.");
  }
  if (low > gainLeast) return because({ tag: "advance" }, "better", low, gainLeast, "The gain is sure.");
  if (high < gainLeast) return because(against, "worse", high, gainLeast, "The gain asked for is surely not there.");
  if (room <= 0) return because(against, "not_proven", low, gainLeast, "All pairs are seen, and the gain is not sure.");
  return because(more, "undecided", low, gainLeast, "Not sure yet, either way.");
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
