-- Changes of settings are rare among the entries, and are asked for by people.
CREATE INDEX events_settings ON events (seq) WHERE kind = 'settings_changed';
