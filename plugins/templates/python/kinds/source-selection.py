"""Picks by priority and waiting time, and spreads the work over hosts."""

import wit_world
from wit_world.imports import types
from wit_world.imports.source_selection_types import Decision, Verdict_Idle, Verdict_Pick

# More than all other terms together: the queue goes before the curriculum.
QUEUE = 1000.0


class WitWorld(wit_world.WitWorld):
    def describe(self):
        return types.Description(
            name="{{name}}",
            version="0.1.0",
            kind=types.Kind.SOURCE_SELECTION,
            summary="Queue first, then priority and waiting time; the host of the last pick stands back.",
            settings=[
                number("priority_weight", 1.0, 0.0, 10.0, "Points for each step of priority."),
                number("waiting_weight", 1.0, 0.0, 10.0, "Points for each minute of waiting."),
                number("recent_weight", 4.0, 0.0, 100.0, "Points taken off where the last pick was of the same host."),
            ],
            limits=types.Limits(None, None, None),
            state_version=0,
        )

    def check_settings(self, settings):
        return []

    def decide(self, context):
        settings = context.frame.settings
        priority_weight = setting(settings, "priority_weight")
        waiting_weight = setting(settings, "waiting_weight")
        recent_weight = setting(settings, "recent_weight")
        last_host = context.recent_hosts[0] if context.recent_hosts else None
        totals, terms = [], []
        for candidate in context.candidates:
            row = [
                QUEUE if candidate.lane == types.Lane.QUEUE else 0.0,
                priority_weight * candidate.priority,
                waiting_weight * candidate.age_s / 60.0,
                -recent_weight if candidate.host is not None and candidate.host == last_host else 0.0,
            ]
            terms.extend(row)
            totals.append(row[0] + row[1] + row[2] + row[3])
        scores = types.Scores(totals, ["queue", "priority", "waiting", "recent"], terms, [], [])

        room = [context.same_host_cap - load.running for load in context.host_loads]
        picks = []
        while len(picks) < context.free:
            best = None
            for index, candidate in enumerate(context.candidates):
                has_room = candidate.host is None or room[candidate.host] > 0
                # Strictly better: of equals the first stays, which is the older.
                if has_room and index not in picks and (best is None or totals[index] > totals[best]):
                    best = index
            if best is None:
                break
            host = context.candidates[best].host
            if host is not None:
                room[host] -= 1
            picks.append(best)

        if not picks:
            return decided(Verdict_Idle(), [reason("no_room", "No candidate's host has room for another run.")], scores)
        text = f"Source {context.candidates[picks[0]].id} scores best of {len(context.candidates)}."
        return decided(Verdict_Pick(picks), [reason("best_score", text, "score", totals[picks[0]])], scores)


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
