// Friendly words over the generated bindings in `policy.h`. Lists and texts that are returned may be static or come from
// `malloc`: nothing is ever freed (see `runtime.c`).
#pragma once
#include "policy.h"
#include <stdlib.h>
#include <string.h>

typedef pointsman_policy_types_reason_t reason_t;
typedef pointsman_policy_types_advice_t advice_t;
typedef pointsman_policy_types_scores_t scores_t;
typedef pointsman_policy_types_setting_spec_t setting_spec_t;
typedef pointsman_policy_types_list_setting_t settings_t;

#define REASONS_MAX 8

static inline policy_string_t text(const char *words) {
  return (policy_string_t){(uint8_t *)words, strlen(words)};
}

static inline bool same(policy_string_t a, const char *b) {
  return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

static inline policy_option_f64_t some(double number) { return (policy_option_f64_t){true, number}; }

static inline bool is_finite(double number) { return number - number == 0.0; }

static inline double least_of(double a, double b) { return a < b ? a : b; }

// ---- A text that is put together of parts ----------------------------------------------------------------------------

typedef struct {
  char letters[512];
  size_t length;
} words_t;

static inline void add_letters(words_t *words, const uint8_t *letters, size_t count) {
  size_t room = sizeof words->letters - words->length;
  if (count > room) {
    count = room;
    // Not in the middle of a letter: bytes 10xxxxxx go on with one.
    while (count > 0 && (letters[count] & 0xc0) == 0x80) count -= 1;
  }
  memcpy(words->letters + words->length, letters, count);
  words->length += count;
}

static inline void add_text(words_t *words, const char *more) { add_letters(words, (const uint8_t *)more, strlen(more)); }

static inline void add_name(words_t *words, policy_string_t name) { add_letters(words, name.ptr, name.len); }

static inline void add_number(words_t *words, double number) {
  if (number < 0) {
    add_text(words, "-");
    number = -number;
  }
  // Whole numbers only, as far as they are exact.
  uint64_t whole = number < 9007199254740992.0 ? (uint64_t)(number + 0.5) : 9007199254740992u;
  uint8_t digits[24];
  size_t at = sizeof digits;
  do {
    digits[--at] = (uint8_t)('0' + whole % 10);
    whole /= 10;
  } while (whole > 0);
  add_letters(words, digits + at, sizeof digits - at);
}

static inline policy_string_t finished(const words_t *words) {
  uint8_t *letters = malloc(words->length + 1);
  memcpy(letters, words->letters, words->length);
  return (policy_string_t){letters, words->length};
}

// ---- Settings --------------------------------------------------------------------------------------------------------

static inline setting_spec_t number_setting(const char *name, double fallback, double minimum, double maximum, const char *help) {
  setting_spec_t spec;
  memset(&spec, 0, sizeof spec);
  spec.name = text(name);
  spec.help = text(help);
  spec.default_.tag = POINTSMAN_POLICY_TYPES_VALUE_NUMBER;
  spec.default_.val.number = fallback;
  spec.minimum = some(minimum);
  spec.maximum = some(maximum);
  return spec;
}

// The host fills in every declared setting, so a name that is not there is a slip of the pen: the policy ends.
static inline double number(const settings_t *settings, const char *name) {
  for (size_t at = 0; at < settings->len; at += 1) {
    const pointsman_policy_types_setting_t *setting = &settings->ptr[at];
    if (same(setting->name, name) && setting->value.tag == POINTSMAN_POLICY_TYPES_VALUE_NUMBER) return setting->value.val.number;
  }
  abort();
}

// ---- What a decision carries -----------------------------------------------------------------------------------------

static inline reason_t *add_reason(advice_t *advice, const char *code, policy_string_t words) {
  if (advice->reasons.ptr == NULL) advice->reasons.ptr = calloc(REASONS_MAX, sizeof(reason_t));
  if (advice->reasons.len == REASONS_MAX) return &advice->reasons.ptr[REASONS_MAX - 1];
  reason_t *reason = &advice->reasons.ptr[advice->reasons.len];
  advice->reasons.len += 1;
  reason->code = text(code);
  reason->text = words;
  return reason;
}

static inline void looked_at(reason_t *reason, policy_string_t feature, double value) {
  reason->feature = (policy_option_string_t){true, feature};
  reason->value = some(value);
}

static inline void compared_with(reason_t *reason, double threshold, double margin) {
  reason->threshold = some(threshold);
  reason->margin = some(margin);
}
