"""Practises hosts never tried first, then those where practice changes most."""

import math

import wit_world
from wit_world.imports import types
from wit_world.imports.curriculum_types import Decision, Seed, Verdict_Nothing, Verdict_Plant


class WitWorld(wit_world.WitWorld):
    def describe(self):
        return types.Description(
            name="{{name}}",
            version="0.1.0",
            kind=types.Kind.CURRICULUM,
            summary="Practises hosts never tried first, then those where practice changes most.",
            settings=[
                number("steps", 400.0, 1.0, 1000000.0, "Steps of a run."),
                number("learning_rate", 0.001, 0.0000001, 100.0, "Learning rate of a run."),
                number("replay_share", 0.5, 0.0, 0.95, "Share of each batch from hosts learnt before."),
            ],
            limits=types.Limits(None, None, None),
            state_version=0,
        )

    def check_settings(self, settings):
        return []

    def decide(self, context):
        if context.budget == 0:
            return decided(Verdict_Nothing(), [reason("budget_spent", "No more sources may be seeded now.")])
        skills = context.skills
        hosts = [host for host, skill in enumerate(skills) if not skill.parked and skill.pending == 0]
        if not hosts:
            return decided(Verdict_Nothing(), [reason("none_open", "Every host is parked or has a source waiting.")])
        # Of equals the first stays first: the sort is stable.
        hosts.sort(key=lambda host: -math.inf if skills[host].tries == 0 else -abs(skills[host].progress))
        chosen = hosts[: context.budget]

        settings = context.frame.settings
        steps = int(setting(settings, "steps"))
        learning_rate = setting(settings, "learning_rate")
        replay_share = setting(settings, "replay_share")
        seeds = [Seed(host, steps, learning_rate, replay_share) for host in chosen]
        reasons = []
        for host in chosen[:8]:
            skill, name = skills[host], context.hosts[host]
            if skill.tries == 0:
                reasons.append(reason("never_tried", f"{name} was never practised."))
            else:
                text = f"Practice changes {name} after {skill.tries} tries."
                reasons.append(reason("learning_progress", text, "progress", skill.progress))
        return decided(Verdict_Plant(seeds), reasons)


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
