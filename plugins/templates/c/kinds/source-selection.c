// Picks by priority and waiting time, and spreads the work over hosts.
#include "pointsman.h"

// More than all other terms together: the queue goes before the curriculum.
#define QUEUE 1000.0
#define TERMS 4

typedef pointsman_policy_source_selection_types_candidate_t candidate_t;

void exports_policy_describe(policy_description_t *ret) {
  static setting_spec_t settings[3];
  settings[0] = number_setting("priority_weight", 1, 0, 10, "Points for each step of priority.");
  settings[1] = number_setting("waiting_weight", 1, 0, 10, "Points for each minute of waiting.");
  settings[2] = number_setting("recent_weight", 4, 0, 100, "Points taken off where the last pick was of the same host.");
  memset(ret, 0, sizeof *ret);
  ret->name = text("{{name}}");
  ret->version = text("0.1.0");
  ret->kind = POINTSMAN_POLICY_TYPES_KIND_SOURCE_SELECTION;
  ret->summary = text("Queue first, then priority and waiting time; the host of the last pick stands back.");
  ret->settings.ptr = settings;
  ret->settings.len = 3;
}

void exports_policy_check_settings(policy_list_setting_t *settings, policy_list_setting_error_t *ret) {
  ret->ptr = NULL;
  ret->len = 0;
}

static scores_t scores_of(const policy_context_t *context) {
  static policy_string_t names[TERMS];
  names[0] = text("queue");
  names[1] = text("priority");
  names[2] = text("waiting");
  names[3] = text("recent");
  const settings_t *settings = &context->frame.settings;
  const double priority_weight = number(settings, "priority_weight");
  const double waiting_weight = number(settings, "waiting_weight");
  const double recent_weight = number(settings, "recent_weight");
  const size_t count = context->candidates.len;
  scores_t scores;
  memset(&scores, 0, sizeof scores);
  scores.totals = (policy_list_f64_t){calloc(count, sizeof(double)), count};
  scores.terms = (policy_list_f64_t){calloc(count * TERMS, sizeof(double)), count * TERMS};
  scores.term_names = (policy_list_string_t){names, TERMS};
  for (size_t at = 0; at < count; at += 1) {
    const candidate_t *candidate = &context->candidates.ptr[at];
    const bool recent =
        candidate->host.is_some && context->recent_hosts.len > 0 && candidate->host.val == context->recent_hosts.ptr[0];
    double *row = &scores.terms.ptr[at * TERMS];
    row[0] = candidate->lane == POINTSMAN_POLICY_TYPES_LANE_QUEUE ? QUEUE : 0;
    row[1] = priority_weight * candidate->priority;
    row[2] = waiting_weight * candidate->age_s / 60;
    row[3] = recent ? -recent_weight : 0;
    scores.totals.ptr[at] = row[0] + row[1] + row[2] + row[3];
  }
  return scores;
}

bool exports_policy_decide(policy_context_t *context, policy_decision_t *ret, policy_policy_error_t *err) {
  memset(ret, 0, sizeof *ret);
  const size_t count = context->candidates.len;
  const scores_t scores = scores_of(context);
  ret->advice.scores = (pointsman_policy_types_option_scores_t){true, scores};

  int64_t *room = calloc(context->host_loads.len, sizeof(int64_t));
  for (size_t host = 0; host < context->host_loads.len; host += 1) {
    room[host] = (int64_t)context->same_host_cap - context->host_loads.ptr[host].running;
  }
  bool *taken = calloc(count, sizeof(bool));
  uint32_t *picks = calloc(count, sizeof(uint32_t));
  size_t picked = 0;
  while (picked < context->free) {
    size_t best = count;
    for (size_t at = 0; at < count; at += 1) {
      const candidate_t *candidate = &context->candidates.ptr[at];
      const bool has_room =
          !candidate->host.is_some || (candidate->host.val < context->host_loads.len && room[candidate->host.val] > 0);
      // Strictly better: of equals the first stays, which is the older.
      if (has_room && !taken[at] && (best == count || scores.totals.ptr[at] > scores.totals.ptr[best])) best = at;
    }
    if (best == count) break;
    const candidate_t *candidate = &context->candidates.ptr[best];
    if (candidate->host.is_some) room[candidate->host.val] -= 1;
    taken[best] = true;
    picks[picked] = (uint32_t)best;
    picked += 1;
  }

  if (picked == 0) {
    ret->verdict.tag = POINTSMAN_POLICY_SOURCE_SELECTION_TYPES_VERDICT_IDLE;
    add_reason(&ret->advice, "no_room", text("No candidate's host has room for another run."));
    return true;
  }
  words_t words = {.length = 0};
  add_text(&words, "Source ");
  add_number(&words, (double)context->candidates.ptr[picks[0]].id);
  add_text(&words, " scores best of ");
  add_number(&words, (double)count);
  add_text(&words, ".");
  looked_at(add_reason(&ret->advice, "best_score", finished(&words)), text("score"), scores.totals.ptr[picks[0]]);
  ret->verdict.tag = POINTSMAN_POLICY_SOURCE_SELECTION_TYPES_VERDICT_PICK;
  ret->verdict.val.pick = (policy_list_u32_t){picks, picked};
  return true;
}
