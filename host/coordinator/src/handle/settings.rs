//! Live settings: a change is whole, and named sets of values are kept for later.

use super::operate::checked_reason;
use super::{Turn, conflict, invalid, not_found};
use crate::coordinator::{Refusal, Reply};
use pointsman_model::Actor;
use pointsman_model::event::Event;
use pointsman_model::settings::{PRESETS_MAX, Settings, SettingsCause, SettingsPreset};

const NAME_BYTES_MAX: usize = 64;

impl Turn<'_> {
    pub(super) fn change_settings(
        &mut self,
        settings: Settings,
        cause: SettingsCause,
        actor: Actor,
        reason: String,
    ) -> Result<Reply, Refusal> {
        let reason = checked_reason(reason)?;
        well_formed(&settings)?;
        if settings != self.state.settings {
            self.emit(Event::SettingsChanged {
                settings,
                actor,
                reason,
                cause,
            });
        }
        Ok(Reply::Done)
    }

    pub(super) fn revise_settings(
        &mut self,
        expected: &Settings,
        settings: Settings,
        cause: SettingsCause,
        actor: Actor,
        reason: String,
    ) -> Result<Reply, Refusal> {
        if *expected != self.state.settings {
            return Err(conflict("settings_changed", "the settings have been changed since they were read")
                .fix("read them again, and then change them"));
        }
        self.change_settings(settings, cause, actor, reason)
    }

    pub(super) fn save_preset(&mut self, name: String, preset: SettingsPreset, actor: Actor) -> Result<Reply, Refusal> {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !is_plain {
            return Err(invalid(
                "preset_name_invalid",
                format!("a preset's name is 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' or '.'"),
            ));
        }
        if preset.fields.is_empty() {
            return Err(invalid("preset_empty", "a preset sets at least one setting").fix("name the settings that it is to set"));
        }
        let note = checked_reason(preset.note)?;
        well_formed(&preset.settings)?;
        if !self.state.presets.contains_key(&name) && self.state.presets.len() >= PRESETS_MAX {
            return Err(conflict("too_many_presets", format!("{PRESETS_MAX} presets are kept")).fix("delete one that is not needed"));
        }
        let preset = SettingsPreset { note, ..preset };
        self.emit(Event::PresetSaved { name, preset, actor });
        Ok(Reply::Done)
    }

    pub(super) fn delete_preset(&mut self, name: String, actor: Actor) -> Result<Reply, Refusal> {
        if !self.state.presets.contains_key(&name) {
            return Err(not_found("no_such_preset", format!("there is no preset '{name}'")).fix("pointsman settings preset list"));
        }
        self.emit(Event::PresetDeleted { name, actor });
        Ok(Reply::Done)
    }
}

fn well_formed(settings: &Settings) -> Result<(), Refusal> {
    let problems = settings.problems();
    let Some(first) = problems.first() else { return Ok(()) };
    let mut refusal = invalid("settings_invalid", format!("{}: {}", first.field, first.problem));
    refusal.fields = problems;
    Err(refusal)
}
