"""Waits longer with each failure of the same source, and gives up what would fail the same way again."""

import wit_world
from wit_world.imports import types
from wit_world.imports.retry_types import Decision, Verdict_Disable, Verdict_GiveUp, Verdict_Retry


class WitWorld(wit_world.WitWorld):
    def describe(self):
        return types.Description(
            name="{{name}}",
            version="0.1.0",
            kind=types.Kind.RETRY,
            summary="Waits twice as long after each failure; gives up what fails the same way each time.",
            settings=[
                number("wait_s", 30.0, 1.0, 3600.0, "Seconds before the first new try."),
                number("longest_s", 600.0, 1.0, 86400.0, "Longest wait in seconds."),
            ],
            limits=types.Limits(None, None, None),
            state_version=0,
        )

    def check_settings(self, settings):
        if setting(settings, "longest_s") < setting(settings, "wait_s"):
            return [types.SettingError("longest_s", "is below wait_s")]
        return []

    def decide(self, context):
        if context.budget_left == 0:
            text = "No failed attempt is left in the budget."
            why = reason("budget_spent", text, "attempt", float(context.attempt), float(context.budget))
            return decided(Verdict_GiveUp(), [why])
        if context.class_ == types.FailureClass.POLICY:
            why = reason("refused_by_trainer", "The trainer refused the work; a person has to look at it.")
            return decided(Verdict_Disable(), [why])
        if context.class_ == types.FailureClass.DETERMINISTIC:
            return decided(Verdict_GiveUp(), [reason("fails_the_same_way", "The same input would fail again.")])
        longest = setting(context.frame.settings, "longest_s")
        wait = min(setting(context.frame.settings, "wait_s"), longest)
        attempt = 1
        while attempt < context.attempt and wait < longest:
            wait = min(wait * 2.0, longest)
            attempt += 1
        text = f"Attempt {context.attempt} failed; again in {wait:.0f} s."
        why = reason("wait", text, "wait_s", wait, longest, longest - wait)
        return decided(Verdict_Retry(round(wait * 1000.0)), [why])


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
