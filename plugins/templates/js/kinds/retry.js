// Waits longer with each failure of the same source, and gives up what would fail the same way again.

export function describe() {
  return {
    name: "{{name}}",
    version: "0.1.0",
    kind: "retry",
    summary: "Waits twice as long after each failure; gives up what fails the same way each time.",
    settings: [
      number("wait_s", 30, 1, 3600, "Seconds before the first new try."),
      number("longest_s", 600, 1, 86400, "Longest wait in seconds."),
    ],
    limits: {},
    stateVersion: 0,
  };
}

export function checkSettings(settings) {
  if (setting(settings, "longest_s") < setting(settings, "wait_s")) {
    return [{ name: "longest_s", problem: "is below wait_s" }];
  }
  return [];
}

export function decide(context) {
  if (context.budgetLeft === 0) {
    const numbers = { feature: "attempt", value: context.attempt, threshold: context.budget };
    return decided({ tag: "give-up" }, [reason("budget_spent", "No failed attempt is left in the budget.", numbers)]);
  }
  if (context.class === "policy") {
    const why = reason("refused_by_trainer", "The trainer refused the work; a person has to look at it.");
    return decided({ tag: "disable" }, [why]);
  }
  if (context.class === "deterministic") {
    return decided({ tag: "give-up" }, [reason("fails_the_same_way", "The same input would fail again.")]);
  }
  const longest = setting(context.frame.settings, "longest_s");
  let wait = Math.min(setting(context.frame.settings, "wait_s"), longest);
  for (let attempt = 1; attempt < context.attempt && wait < longest; attempt += 1) wait = Math.min(wait * 2, longest);
  const numbers = { feature: "wait_s", value: wait, threshold: longest, margin: longest - wait };
  const why = reason("wait", `Attempt ${context.attempt} failed; again in ${wait.toFixed(0)} s.`, numbers);
  // Whole numbers of 64 bits are BigInt.
  return decided({ tag: "retry", val: BigInt(Math.round(wait * 1000)) }, [why]);
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
