// Practises hosts never tried first, then those where practice changes most.
#include "pointsman.h"

typedef pointsman_policy_curriculum_types_skill_t skill_t;
typedef pointsman_policy_curriculum_types_seed_t seed_t;

void exports_policy_describe(policy_description_t *ret) {
  static setting_spec_t settings[3];
  settings[0] = number_setting("steps", 400, 1, 1000000, "Steps of a run.");
  settings[1] = number_setting("learning_rate", 0.001, 0.0000001, 100, "Learning rate of a run.");
  settings[2] = number_setting("replay_share", 0.5, 0, 0.95, "Share of each batch from hosts learnt before.");
  memset(ret, 0, sizeof *ret);
  ret->name = text("{{name}}");
  ret->version = text("0.1.0");
  ret->kind = POINTSMAN_POLICY_TYPES_KIND_CURRICULUM;
  ret->summary = text("Practises hosts never tried first, then those where practice changes most.");
  ret->settings.ptr = settings;
  ret->settings.len = 3;
}

void exports_policy_check_settings(policy_list_setting_t *settings, policy_list_setting_error_t *ret) {
  ret->ptr = NULL;
  ret->len = 0;
}

// How much practising a host promises; a host never tried more than any that was.
static double promise(const skill_t *skill) {
  if (skill->tries == 0) return __builtin_inf();
  return __builtin_fabs(skill->progress);
}

static void explain(advice_t *advice, const policy_context_t *context, uint32_t host) {
  const skill_t *skill = &context->skills.ptr[host];
  words_t words = {.length = 0};
  if (skill->tries == 0) {
    add_name(&words, context->hosts.ptr[host]);
    add_text(&words, " was never practised.");
    add_reason(advice, "never_tried", finished(&words));
    return;
  }
  add_text(&words, "Practice changes ");
  add_name(&words, context->hosts.ptr[host]);
  add_text(&words, " after ");
  add_number(&words, skill->tries);
  add_text(&words, " tries.");
  looked_at(add_reason(advice, "learning_progress", finished(&words)), text("progress"), skill->progress);
}

bool exports_policy_decide(policy_context_t *context, policy_decision_t *ret, policy_policy_error_t *err) {
  memset(ret, 0, sizeof *ret);
  ret->verdict.tag = POINTSMAN_POLICY_CURRICULUM_TYPES_VERDICT_NOTHING;
  if (context->budget == 0) {
    add_reason(&ret->advice, "budget_spent", text("No more sources may be seeded now."));
    return true;
  }
  const settings_t *settings = &context->frame.settings;
  const size_t count = context->skills.len;
  bool *taken = calloc(count, sizeof(bool));
  seed_t *seeds = calloc(count, sizeof(seed_t));
  size_t planted = 0;
  while (planted < context->budget) {
    size_t best = count;
    for (size_t at = 0; at < count; at += 1) {
      const skill_t *skill = &context->skills.ptr[at];
      if (skill->parked || skill->pending > 0 || taken[at]) continue;
      // Strictly more: of equals the first stays.
      if (best == count || promise(skill) > promise(&context->skills.ptr[best])) best = at;
    }
    if (best == count) break;
    taken[best] = true;
    seeds[planted].host = (uint32_t)best;
    seeds[planted].steps = (uint32_t)number(settings, "steps");
    seeds[planted].learning_rate = number(settings, "learning_rate");
    seeds[planted].replay_share = number(settings, "replay_share");
    planted += 1;
    if (planted <= REASONS_MAX) explain(&ret->advice, context, (uint32_t)best);
  }
  if (planted == 0) {
    add_reason(&ret->advice, "none_open", text("Every host is parked or has a source waiting."));
    return true;
  }
  ret->verdict.tag = POINTSMAN_POLICY_CURRICULUM_TYPES_VERDICT_PLANT;
  ret->verdict.val.plant.ptr = seeds;
  ret->verdict.val.plant.len = planted;
  return true;
}
