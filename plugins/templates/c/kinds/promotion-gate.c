// Lets a model go on when its gain over the baseline is sure by several standard errors.
//
// A plain interval, looked at again and again: choose `deviations` with that in mind. Pointsman ships `eprocess-gate`,
// whose error does not grow with the number of looks.
#include "pointsman.h"

// Requests that a guardrail must have seen before it may decide.
#define GUARDRAIL_REQUESTS_LEAST 10
// Pairs asked for at a time.
#define PAIRS_AT_A_TIME 16

#define VERDICT(name) POINTSMAN_POLICY_PROMOTION_GATE_TYPES_VERDICT_##name

void exports_policy_describe(policy_description_t *ret) {
  static setting_spec_t settings[3];
  settings[0] = number_setting("gain_least", 0, 0, 10, "Fall of the loss that a candidate must show, in bits per byte.");
  settings[1] = number_setting("pairs_least", 16, 2, 10000, "Pairs before anything is decided.");
  settings[2] = number_setting("deviations", 3, 1, 10, "Standard errors by which a gain must be sure.");
  memset(ret, 0, sizeof *ret);
  ret->name = text("{{name}}");
  ret->version = text("0.1.0");
  ret->kind = POINTSMAN_POLICY_TYPES_KIND_PROMOTION_GATE;
  ret->summary = text("Advances on a gain that is sure by several standard errors; a broken guardrail decides at once.");
  ret->settings.ptr = settings;
  ret->settings.len = 3;
}

void exports_policy_check_settings(policy_list_setting_t *settings, policy_list_setting_error_t *ret) {
  ret->ptr = NULL;
  ret->len = 0;
}

static bool because(policy_decision_t *ret, uint8_t verdict, const char *code, double bound, double threshold, const char *words) {
  ret->verdict.tag = verdict;
  reason_t *reason = add_reason(&ret->advice, code, text(words));
  looked_at(reason, text("gain"), bound);
  compared_with(reason, threshold, bound > threshold ? bound - threshold : threshold - bound);
  return true;
}

bool exports_policy_decide(policy_context_t *context, policy_decision_t *ret, policy_policy_error_t *err) {
  memset(ret, 0, sizeof *ret);
  const settings_t *settings = &context->frame.settings;
  const bool watch = context->stage == POINTSMAN_POLICY_PROMOTION_GATE_TYPES_STAGE_WATCH;
  const uint8_t against = watch ? VERDICT(ROLL_BACK) : VERDICT(REJECT);

  for (size_t at = 0; at < context->guardrails.len; at += 1) {
    const pointsman_policy_promotion_gate_types_guardrail_t *rail = &context->guardrails.ptr[at];
    const double rise = rail->candidate_mean - rail->baseline_mean;
    if (rail->candidate_n >= GUARDRAIL_REQUESTS_LEAST && rise > rail->limit) {
      words_t words = {.length = 0};
      add_name(&words, rail->name);
      add_text(&words, " rose by more than its limit.");
      ret->verdict.tag = against;
      reason_t *reason = add_reason(&ret->advice, "guardrail_broken", finished(&words));
      looked_at(reason, rail->name, rise);
      compared_with(reason, rail->limit, rise - rail->limit);
      return true;
    }
  }

  const uint32_t pairs = (uint32_t)context->pairs.len;
  uint32_t least = (uint32_t)number(settings, "pairs_least");
  if (least > context->cap) least = context->cap;
  if (pairs < least) {
    ret->verdict.tag = VERDICT(NEED_MORE);
    ret->verdict.val.need_more = least - pairs;
    reason_t *reason = add_reason(&ret->advice, "too_few_pairs", text("Too few pairs to tell anything."));
    looked_at(reason, text("pairs"), pairs);
    compared_with(reason, least, 0);
    return true;
  }
  if (pairs < 2) {
    ret->verdict.tag = VERDICT(HOLD);
    add_reason(&ret->advice, "too_few_pairs", text("The host allows fewer pairs than a spread needs."));
    return true;
  }

  double sum = 0;
  for (uint32_t at = 0; at < pairs; at += 1) sum += context->pairs.ptr[at].baseline - context->pairs.ptr[at].candidate;
  const double mean = sum / pairs;
  double spread = 0;
  for (uint32_t at = 0; at < pairs; at += 1) {
    const double off = context->pairs.ptr[at].baseline - context->pairs.ptr[at].candidate - mean;
    spread += off * off;
  }
  const double error = __builtin_sqrt(spread / (pairs - 1) / pairs);
  if (!is_finite(error)) {
    ret->verdict.tag = against;
    add_reason(&ret->advice, "not_a_number", text("A loss is not a number."));
    return true;
  }
  const double deviations = number(settings, "deviations");
  const double gain_least = number(settings, "gain_least");
  const double low = mean - deviations * error, high = mean + deviations * error;
  const uint32_t room = context->cap > pairs ? context->cap - pairs : 0;
  // Read only where the verdict is to collect more.
  ret->verdict.val.need_more = room < PAIRS_AT_A_TIME ? room : PAIRS_AT_A_TIME;

  if (watch) {
    if (high < 0) return because(ret, against, "worse", high, 0, "The model is surely worse than the one before.");
    if (room == 0) return because(ret, VERDICT(ADVANCE), "no_harm", low, 0, "The watch ends, and no harm is proven.");
    return because(ret, VERDICT(NEED_MORE), "undecided", low, 0, "No harm so far; the watch goes on.");
  }
  if (low > gain_least) return because(ret, VERDICT(ADVANCE), "better", low, gain_least, "The gain is sure.");
  if (high < gain_least) return because(ret, against, "worse", high, gain_least, "The gain asked for is surely not there.");
  if (room == 0) return because(ret, against, "not_proven", low, gain_least, "All pairs are seen, and the gain is not sure.");
  return because(ret, VERDICT(NEED_MORE), "undecided", low, gain_least, "Not sure yet, either way.");
}
