// Waits longer with each failure of the same source, and gives up what would fail the same way again.
#include "pointsman.h"

void exports_policy_describe(policy_description_t *ret) {
  static setting_spec_t settings[2];
  settings[0] = number_setting("wait_s", 30, 1, 3600, "Seconds before the first new try.");
  settings[1] = number_setting("longest_s", 600, 1, 86400, "Longest wait in seconds.");
  memset(ret, 0, sizeof *ret);
  ret->name = text("{{name}}");
  ret->version = text("0.1.0");
  ret->kind = POINTSMAN_POLICY_TYPES_KIND_RETRY;
  ret->summary = text("Waits twice as long after each failure; gives up what fails the same way each time.");
  ret->settings.ptr = settings;
  ret->settings.len = 2;
}

void exports_policy_check_settings(policy_list_setting_t *given, policy_list_setting_error_t *ret) {
  static policy_setting_error_t error;
  const settings_t settings = {given->ptr, given->len};
  ret->ptr = &error;
  ret->len = 0;
  if (number(&settings, "longest_s") < number(&settings, "wait_s")) {
    error.name = text("longest_s");
    error.problem = text("is below wait_s");
    ret->len = 1;
  }
}

static bool decided(policy_decision_t *ret, uint8_t verdict, const char *code, const char *words) {
  ret->verdict.tag = verdict;
  add_reason(&ret->advice, code, text(words));
  return true;
}

bool exports_policy_decide(policy_context_t *context, policy_decision_t *ret, policy_policy_error_t *err) {
  memset(ret, 0, sizeof *ret);
  if (context->budget_left == 0) {
    decided(ret, POINTSMAN_POLICY_RETRY_TYPES_VERDICT_GIVE_UP, "budget_spent", "No failed attempt is left in the budget.");
    looked_at(&ret->advice.reasons.ptr[0], text("attempt"), context->attempt);
    compared_with(&ret->advice.reasons.ptr[0], context->budget, 0);
    return true;
  }
  if (context->class_ == POINTSMAN_POLICY_TYPES_FAILURE_CLASS_POLICY) {
    return decided(ret, POINTSMAN_POLICY_RETRY_TYPES_VERDICT_DISABLE, "refused_by_trainer",
                   "The trainer refused the work; a person has to look at it.");
  }
  if (context->class_ == POINTSMAN_POLICY_TYPES_FAILURE_CLASS_DETERMINISTIC) {
    return decided(ret, POINTSMAN_POLICY_RETRY_TYPES_VERDICT_GIVE_UP, "fails_the_same_way", "The same input would fail again.");
  }
  const double longest = number(&context->frame.settings, "longest_s");
  double wait = least_of(number(&context->frame.settings, "wait_s"), longest);
  for (uint32_t attempt = 1; attempt < context->attempt && wait < longest; attempt += 1) wait = least_of(wait * 2, longest);

  words_t words = {.length = 0};
  add_text(&words, "Attempt ");
  add_number(&words, context->attempt);
  add_text(&words, " failed; again in ");
  add_number(&words, wait);
  add_text(&words, " s.");
  ret->verdict.tag = POINTSMAN_POLICY_RETRY_TYPES_VERDICT_RETRY;
  ret->verdict.val.retry = (uint64_t)(wait * 1000 + 0.5);
  reason_t *reason = add_reason(&ret->advice, "wait", finished(&words));
  looked_at(reason, text("wait_s"), wait);
  compared_with(reason, longest, longest - wait);
  return true;
}
