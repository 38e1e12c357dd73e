"""Lets a model go on when its gain over the baseline is sure by several standard errors.

A plain interval, looked at again and again: choose `deviations` with that in mind. Pointsman ships `eprocess-gate`,
whose error does not grow with the number of looks.
"""

import math

import wit_world
from wit_world.imports import types
from wit_world.imports.promotion_gate_types import (
    Decision,
    Stage,
    Verdict_Advance,
    Verdict_Hold,
    Verdict_NeedMore,
    Verdict_Reject,
    Verdict_RollBack,
)

# Requests that a guardrail must have seen before it may decide.
GUARDRAIL_REQUESTS_LEAST = 10


class WitWorld(wit_world.WitWorld):
    def describe(self):
        return types.Description(
            name="{{name}}",
            version="0.1.0",
            kind=types.Kind.PROMOTION_GATE,
            summary="Advances on a gain that is sure by several standard errors; a broken guardrail decides at once.",
            settings=[
                number("gain_least", 0.0, 0.0, 10.0, "Fall of the loss that a candidate must show, in bits per byte."),
                number("pairs_least", 16.0, 2.0, 10000.0, "Pairs before anything is decided."),
                number("deviations", 3.0, 1.0, 10.0, "Standard errors by which a gain must be sure."),
            ],
            limits=types.Limits(None, None, None),
            state_version=0,
        )

    def check_settings(self, settings):
        return []

    def decide(self, context):
        settings = context.frame.settings
        watch = context.stage == Stage.WATCH
        against = Verdict_RollBack() if watch else Verdict_Reject()

        for rail in context.guardrails:
            rise = rail.candidate_mean - rail.baseline_mean
            if rail.candidate_n >= GUARDRAIL_REQUESTS_LEAST and rise > rail.limit:
                text = f"{rail.name} rose by more than its limit."
                return decided(against, [reason("guardrail_broken", text, rail.name, rise, rail.limit, rise - rail.limit)])

        pairs = len(context.pairs)
        least = min(int(setting(settings, "pairs_least")), context.cap)
        if pairs < least:
            why = reason("too_few_pairs", "Too few pairs to tell anything.", "pairs", float(pairs), float(least))
            return decided(Verdict_NeedMore(least - pairs), [why])
        if pairs < 2:
            return decided(Verdict_Hold(), [reason("too_few_pairs", "The host allows fewer pairs than a spread needs.")])

        gains = [pair.baseline - pair.candidate for pair in context.pairs]
        mean = sum(gains) / pairs
        error = math.sqrt(sum((gain - mean) ** 2 for gain in gains) / (pairs - 1) / pairs)
        if not math.isfinite(error):
            return decided(against, [reason("not_a_number", "A loss is not a number.")])

        deviations = setting(settings, "deviations")
        gain_least = setting(settings, "gain_least")
        low, high = mean - deviations * error, mean + deviations * error
        room = context.cap - pairs
        more = Verdict_NeedMore(min(16, max(room, 0)))

        def because(verdict, code, bound, threshold, text):
            return decided(verdict, [reason(code, text, "gain", bound, threshold, abs(bound - threshold))])

        if watch:
            if high < 0.0:
                return because(against, "worse", high, 0.0, "The model is surely worse than the one before.")
            if room <= 0:
                return because(Verdict_Advance(), "no_harm", low, 0.0, "The watch ends, and no harm is proven.")
            return because(more, "undecided", low, 0.0, "No harm so far; the watch goes on.")
        if low > gain_least:
            return because(Verdict_Advance(), "better", low, gain_least, "The gain is sure.")
        if high < gain_least:
            return because(against, "worse", high, gain_least, "The gain asked for is surely not there.")
        if room <= 0:
            return because(against, "not_proven", low, gain_least, "All pairs are seen, and the gain is not sure.")
        return because(more, "undecided", low, gain_least, "Not sure yet, either way.")


# ---- Words of the contract ---------------------------------------------------------------------------------------


def number(name, default, minimum, maximum, help):
    return types.SettingSpec(name, help, types.Value_Number(default), minimum, maximum)


def setting(settings, name):
    for each in settings:
        if each.name == name and isinstance(each.value, types.Value_Number):
            return each.value.value
    raise KeyError(f"setting {name} is missing")


def decided(verdict, reasons, scores=None):
    return Decision(verdict, types.Advice(reasons, scores, [], None, [], []))


def reason(code, text, feature=None, value=None, threshold=None, margin=None):
    return types.Reason(code, feature, value, threshold, margin, text)
