//! Every operation of the API with its description: the router and the document are both made of this list.

use super::routes::{Routes, about};
use super::*;
use crate::wire::{self, Done};

/// Every route with its description, in the order of the document's reader.
pub(super) fn all() -> Routes {
    let routes = Routes::new();
    let routes = of_runs(routes);
    let routes = of_the_queue(routes);
    let routes = of_decisions(routes);
    let routes = of_policies(routes);
    let routes = of_operation(routes);
    of_the_host(routes)
}

fn of_runs(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/state",
            state,
            about("The read model of the first screen")
                .detail("With the epoch (header x-pointsman-epoch) and the position to resume the live stream from.")
                .answers::<wire::Dashboard>(),
        )
        .get(
            "/api/v1/jobs",
            jobs::list,
            about("Runs, newest first").query::<jobs::Filter>().answers::<wire::JobList>(),
        )
        .get(
            "/api/v1/jobs/{id}",
            jobs::show,
            about("One run: its curve, and the end of its output").answers::<wire::JobDetail>(),
        )
        .get(
            "/api/v1/jobs/{id}/log",
            jobs::log,
            about("A run's output, byte for byte").answers_with("text/plain", "The output."),
        )
        .post(
            "/api/v1/jobs/{id}/cancel",
            jobs::cancel,
            about("End a run").changes().optional_body::<ReasonBody>().answers::<Done>(),
        )
}

fn of_the_queue(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/sources",
            sources::list,
            about("What waits to be trained on, newest first")
                .query::<sources::Filter>()
                .answers::<wire::SourceList>(),
        )
        .post(
            "/api/v1/sources",
            sources::submit,
            about("Put a source into the queue")
                .changes()
                .body::<SourceBody>()
                .answers_at::<Done>(201, "It is queued; source is its number."),
        )
        .post(
            "/api/v1/sources/import",
            import::import,
            about("Queue the sources of a file, as it is read")
                .detail("The body is the file: JSON lines (application/x-ndjson) or CSV (text/csv). A line that is not taken is told, and the others are queued. A nonce makes a repeat double nothing.")
                .query::<import::Asked>()
                .answers_in_lines::<wire::ImportLine>("Progress and refused lines, then the report."),
        )
        .get(
            "/api/v1/sources/next",
            queue::next,
            about("What would be picked now, and why not another")
                .query::<queue::About>()
                .answers::<wire::NextPick>(),
        )
        .get(
            "/api/v1/sources/{id}",
            sources::show,
            about("One source: its runs, and what became of it").answers::<wire::SourceDetail>(),
        )
        .patch(
            "/api/v1/sources/{id}",
            sources::edit,
            about("Change a source that does not run").changes().body::<EditBody>().answers::<Done>(),
        )
        .post(
            "/api/v1/sources/{id}/move",
            sources::move_lane,
            about("Put a source into the other lane")
                .changes()
                .body::<sources::MoveBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/sources/{id}/cancel",
            sources::cancel,
            about("Take a source out for good")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/sources/{id}/run",
            sources::run,
            about("Run a source by hand, whatever the policy would pick")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/sources/{id}/enable",
            sources::enable,
            about("Bring a disabled source back").changes().answers::<Done>(),
        )
        .post(
            "/api/v1/sources/{id}/disable",
            sources::disable,
            about("Take a source out, until it is enabled")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .get(
            "/api/v1/campaigns",
            campaigns::list,
            about("Campaigns, newest first")
                .query::<campaigns::Filter>()
                .answers::<wire::CampaignList>(),
        )
        .post(
            "/api/v1/campaigns",
            campaigns::submit,
            about("Queue many sources of one definition")
                .changes()
                .body::<CampaignBody>()
                .answers_at::<Done>(201, "It is queued."),
        )
        .get(
            "/api/v1/campaigns/{id}",
            campaigns::show,
            about("One campaign, counted").answers::<wire::CampaignRow>(),
        )
        .post(
            "/api/v1/campaigns/{id}/cancel",
            campaigns::cancel,
            about("Take out what is left of a campaign")
                .changes()
                .optional_body::<campaigns::CancelBody>()
                .answers::<Done>(),
        )
        .get(
            "/api/v1/queue",
            queue::summary,
            about("Queue, lanes and capacity").answers::<wire::QueueSummary>(),
        )
        .post(
            "/api/v1/queue/lock",
            queue::lock,
            about("Hold selection to one host or campaign")
                .changes()
                .body::<queue::LockBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/queue/unlock",
            queue::unlock,
            about("Let selection go on with all")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
}

fn of_decisions(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/decisions",
            decisions::list,
            about("Decisions, newest first")
                .query::<decisions::Filter>()
                .answers::<wire::DecisionList>(),
        )
        .get(
            "/api/v1/decisions/window",
            replays::window,
            about("Recorded decisions of a kind, to take along")
                .query::<replays::WindowQuery>()
                .answers_with("application/x-ndjson", "A window file, for dry runs elsewhere."),
        )
        .post(
            "/api/v1/decisions/verify",
            replays::verify_many,
            about("Make recorded decisions again, each by the version that made it")
                .body::<VerifyBody>()
                .answers_in_lines::<wire::ReplayLine>("Progress, then the report."),
        )
        .get(
            "/api/v1/decisions/{id}",
            decisions::show,
            about("One decision with everything that it was made from").answers::<wire::DecisionDetail>(),
        )
        .post(
            "/api/v1/decisions/{id}/verify",
            replays::verify_one,
            about("Make one recorded decision again").answers::<wire::VerificationRow>(),
        )
        .get(
            "/api/v1/decisions/{id}/case",
            explain::case,
            about("A recorded decision as a test case").answers_with("application/json", "A case as it stands in cases/*.json."),
        )
        .get(
            "/api/v1/decisions/{id}/flips",
            explain::flips,
            about("What would have made it another decision").answers::<wire::FlipReport>(),
        )
}

fn of_policies(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/policies",
            policies::list,
            about("What decides, by kind, with the history of each").answers::<wire::PolicyList>(),
        )
        .get(
            "/api/v1/policies/definitions/{kind}",
            explain::definitions,
            about("What a script of a kind may name").answers::<wire::Definitions>(),
        )
        .post(
            "/api/v1/policies/check",
            policies::check,
            about("Check a policy; nothing is changed")
                .body::<PolicyUpload>()
                .answers::<wire::PolicyCheck>(),
        )
        .post(
            "/api/v1/policies/activate",
            swaps::activate,
            about("Make policies the active ones of their kinds")
                .detail("Each goes through the stages of a swap; several are one set. With background the answer comes at once.")
                .changes()
                .body::<ActivateBody>()
                .answers::<Done>()
                .answers_at::<Done>(202, "The swap goes on in the background."),
        )
        .post(
            "/api/v1/policies/dry-run",
            replays::dry_run,
            about("What a policy would have decided on recorded decisions")
                .body::<DryRunBody>()
                .answers_in_lines::<wire::ReplayLine>("Progress, then the report."),
        )
        .post(
            "/api/v1/policies/value",
            replays::value,
            about("What a policy of source selection would have been worth")
                .body::<ValueBody>()
                .answers_in_lines::<wire::ReplayLine>("Progress, then the report."),
        )
        .post(
            "/api/v1/policies/shadow",
            swaps::start_shadow,
            about("Let a policy see what is decided, and decide nothing")
                .changes()
                .body::<PolicyUpload>()
                .answers::<wire::ShadowCard>(),
        )
        .post(
            "/api/v1/policies/canary",
            swaps::start_canary,
            about("Let a policy decide a share of its kind's questions")
                .changes()
                .body::<CanaryBody>()
                .answers::<Done>()
                .answers_at::<Done>(202, "The swap goes on in the background."),
        )
        .get(
            "/api/v1/policies/swaps",
            swaps::list,
            about("Swaps of this host process with their stages, newest first")
                .query::<swaps::Filter>()
                .answers::<wire::SwapList>(),
        )
        .get(
            "/api/v1/policies/swaps/{id}",
            swaps::show,
            about("One swap").answers::<wire::Swap>(),
        )
        .post(
            "/api/v1/policies/swaps/{id}/cancel",
            swaps::cancel,
            about("End a swap before it activates").changes().answers::<Done>(),
        )
        .get(
            "/api/v1/policies/versions",
            versions::list,
            about("Versions that have been active, newest first")
                .query::<versions::ListFilter>()
                .answers::<wire::VersionList>(),
        )
        .get(
            "/api/v1/policies/versions/{version}",
            versions::show,
            about("One version whole").answers::<wire::VersionDetail>(),
        )
        .get(
            "/api/v1/policies/versions/{version}/code",
            versions::code,
            about("A version's code, byte for byte").answers_with("application/octet-stream", "The code."),
        )
        .get(
            "/api/v1/policies/diff",
            versions::diff,
            about("What differs between two versions")
                .query::<versions::Pair>()
                .answers::<wire::VersionDiff>(),
        )
        .get(
            "/api/v1/policies/decided-by",
            versions::decided_by,
            about("Which policy decided what, when")
                .query::<versions::By>()
                .answers::<wire::DecidedBy>(),
        )
        .post(
            "/api/v1/policies/{kind}/rollback",
            swaps::roll_back,
            about("Back to the version before, with the state it had")
                .changes()
                .optional_body::<swaps::RollBackBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/policies/{kind}/confirm",
            swaps::confirm,
            about("Keep what was activated on trial").changes().answers::<Done>(),
        )
        .post(
            "/api/v1/policies/{kind}/pin",
            swaps::pin,
            about("Hold a kind at its active version")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/policies/{kind}/unpin",
            swaps::unpin,
            about("Let a kind be changed again")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/policies/{kind}/shadow/stop",
            swaps::stop_shadow,
            about("End a shadow")
                .changes()
                .optional_body::<swaps::StopShadow>()
                .answers::<wire::ShadowCard>(),
        )
        .post(
            "/api/v1/policies/{kind}/canary/promote",
            swaps::promote_canary,
            about("Make the canary the active version, with the state it has")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/policies/{kind}/canary/stop",
            swaps::stop_canary,
            about("End a canary").changes().optional_body::<ReasonBody>().answers::<Done>(),
        )
        .post(
            "/api/v1/policies/{kind}/quarantine/{key}/release",
            swaps::release,
            about("Ask policies again about an input that was set aside")
                .changes()
                .answers::<Done>(),
        )
}

fn of_operation(routes: Routes) -> Routes {
    let start = || {
        about("Let the automatic loop pick sources")
            .detail("Durable, with who and why; starting what is started changes nothing.")
            .changes()
            .optional_body::<training::StartBody>()
            .answers::<Done>()
    };
    let stop = || {
        about("No new picks; runs under way end by themselves")
            .detail("Durable, with who and why: only a start by somebody brings it back. Stopping what is stopped changes nothing.")
            .changes()
            .optional_body::<ReasonBody>()
            .answers::<Done>()
    };
    routes
        .get(
            "/api/v1/models",
            models::list,
            about("What was trained, and which model was live when")
                .query::<models::Filter>()
                .answers::<wire::ModelList>(),
        )
        .post(
            "/api/v1/models/rollback",
            models::roll_back,
            about("Back to the model live before")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/models/{tag}/approve",
            promotion::approve_tag,
            about("Let a held candidate go on: as /api/v1/promotion/approve")
                .changes()
                .optional_body::<promotion::TagWordBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/models/{tag}/reject",
            promotion::reject_tag,
            about("Turn a held candidate down: as /api/v1/promotion/reject")
                .changes()
                .optional_body::<promotion::TagWordBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/models/{tag}/pin",
            models::pin,
            about("Keep a model, whatever its age")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/models/{tag}/unpin",
            models::unpin,
            about("Let retention have a model again")
                .changes()
                .optional_body::<ReasonBody>()
                .answers::<Done>(),
        )
        .get(
            "/api/v1/models/prune",
            models::prune_plan,
            about("What a prune would retire now, and why everything else stays")
                .detail("A dry run: nothing is changed. Models in use, rollback targets and pinned ones always stay.")
                .query::<models::Keep>()
                .answers::<wire::PrunePlan>(),
        )
        .post(
            "/api/v1/models/prune",
            models::prune,
            about("Retire what retention lets go")
                .detail("One entry of the journal; the files go after it. With the plan of a dry run it retires exactly that or nothing.")
                .changes()
                .optional_body::<models::PruneBody>()
                .answers::<wire::Pruned>(),
        )
        .get(
            "/api/v1/models/live-at",
            models::live_at,
            about("Which model was live in each role at a time, and why")
                .query::<models::At>()
                .answers::<wire::LiveAt>(),
        )
        .get(
            "/api/v1/promotion",
            promotion::show,
            about("The proof that successes reach live models").answers::<wire::Promotion>(),
        )
        .post(
            "/api/v1/promotion/approve",
            promotion::approve,
            about("Let the held candidate go on")
                .detail("Names what was seen: where another candidate or another decision is held by now, nothing happens. Guards are checked again.")
                .changes()
                .body::<promotion::WordBody>()
                .answers::<Done>(),
        )
        .post(
            "/api/v1/promotion/reject",
            promotion::reject,
            about("Turn the held candidate down, for good")
                .detail("Names what was seen, as an approval does. The candidate is never raised again.")
                .changes()
                .body::<promotion::WordBody>()
                .answers::<Done>(),
        )
        .get(
            "/api/v1/settings",
            settings::show,
            about("Live settings").answers::<settings::SettingsShape>(),
        )
        .patch(
            "/api/v1/settings",
            settings::patch,
            about("Change live settings, all at once or not at all")
                .detail("A merge patch (RFC 7396): what is not named stays. Every wrong field is named, and then nothing is changed.")
                .changes()
                .if_match(true)
                .query::<settings::ChangeQuery>()
                .body::<settings::SettingsShape>()
                .answers::<wire::SettingsAnswer>(),
        )
        .put(
            "/api/v1/settings",
            settings::replace,
            about("Replace the live settings whole")
                .changes()
                .if_match(true)
                .query::<settings::ChangeQuery>()
                .body::<settings::SettingsShape>()
                .answers::<settings::SettingsShape>(),
        )
        .get(
            "/api/v1/settings/form",
            settings::form,
            about("Live settings with their words, bounds and derived ceilings").answers::<wire::SettingsForm>(),
        )
        .get(
            "/api/v1/settings/history",
            settings::history,
            about("Changes of settings, newest first")
                .query::<settings::Filter>()
                .answers::<wire::SettingsHistory>(),
        )
        .post(
            "/api/v1/settings/history/{seq}/undo",
            settings::undo,
            about("Take a change of settings back, as a change of its own")
                .changes()
                .if_match(false)
                .query::<settings::UndoQuery>()
                .optional_body::<ReasonBody>()
                .answers::<wire::SettingsAnswer>(),
        )
        .get(
            "/api/v1/settings/presets",
            settings::presets,
            about("Named values of settings, at most 100").answers::<wire::PresetList>(),
        )
        .get(
            "/api/v1/settings/presets/{name}",
            settings::show_preset,
            about("One preset").answers::<wire::PresetRow>(),
        )
        .put(
            "/api/v1/settings/presets/{name}",
            settings::save_preset,
            about("Keep values of settings under a name; one of that name is replaced")
                .changes()
                .optional_body::<wire::PresetBody>()
                .answers::<wire::PresetRow>(),
        )
        .delete(
            "/api/v1/settings/presets/{name}",
            settings::delete_preset,
            about("Delete a preset").changes().answers_nothing("It is gone."),
        )
        .post(
            "/api/v1/settings/presets/{name}/apply",
            settings::apply_preset,
            about("Make a preset's values the live ones")
                .changes()
                .if_match(false)
                .query::<settings::ChangeQuery>()
                .answers::<wire::SettingsAnswer>(),
        )
        .get(
            "/api/v1/training",
            training::show,
            about("What is wanted of the automatic loop and what is, and what is in which slot").answers::<wire::Capacity>(),
        )
        .post("/api/v1/training/start", training::start, start())
        .post("/api/v1/training/stop", training::stop, stop())
        .post("/api/training/start", training::start, start())
        .post("/api/training/stop", training::stop, stop())
}

fn of_the_host(routes: Routes) -> Routes {
    routes
        .post(
            "/v1/completions",
            completions::complete,
            about("Ask the model in service to go on with a text")
                .detail("In the shape that OpenAI's clients expect. The answer names the model that gave it.")
                .body::<shapes::CompletionRequest>()
                .answers_with("application/json", "A completion; with stream, server-sent events."),
        )
        .get(
            "/v1/models",
            completions::models,
            about("The model in service, as OpenAI's clients ask for it").answers_with("application/json", "A list of one model at most."),
        )
        .get(
            "/ws",
            live::connect,
            about("The live stream, over WebSocket")
                .detail("Frames as in the schema Frame. With since and epoch it goes on where the viewer was, without a gap.")
                .query::<live::Resume>()
                .answers_with("text/plain", "101: the connection is a WebSocket from here on."),
        )
        .get(
            "/api/v1/health",
            overview::health,
            about("Whether the host works, part by part").answers::<wire::HealthReport>(),
        )
        .get(
            "/api/v1/snapshot",
            overview::snapshot,
            about("Whether settings took effect and training goes on").answers::<wire::LiveSnapshot>(),
        )
        .get(
            "/api/v1/pipeline",
            overview::pipeline,
            about("Queued, executing, success rate, live applies").answers::<wire::PipelineStrip>(),
        )
        .get(
            "/api/v1/evidence",
            overview::evidence,
            about("What has become better since a position of the journal")
                .query::<overview::Since>()
                .answers::<wire::Evidence>(),
        )
        .get(
            "/metrics",
            metrics::show,
            about("Figures for Prometheus").answers_with("text/plain", "Prometheus' text format, or OpenMetrics where it is accepted."),
        )
        .get(
            "/livez",
            || async { Json(json!({ "status": "ok" })) },
            about("Whether the process answers").answers::<shapes::Status>(),
        )
        .get(
            "/readyz",
            ready,
            about("Whether the host can take changes").answers::<shapes::Status>(),
        )
        .get(
            "/api/openapi.json",
            document::show,
            about("This document").answers_with("application/json", "OpenAPI 3.1."),
        )
        .get(
            "/api/v1/help",
            document::help,
            about("What each field of the API means")
                .detail("The descriptions of the schemas, by Type.field: the page, the command line and the document tell the same.")
                .query::<document::HelpQuery>()
                .answers::<wire::HelpList>(),
        )
        .get(
            "/api/docs",
            document::page,
            about("This document, for people").answers_with("text/html", "A page that needs no network."),
        )
        .get(
            "/api/docs.js",
            document::script,
            about("The page's script").answers_with("text/javascript", "A script."),
        )
        .get(
            "/api/docs.css",
            document::style,
            about("The page's style").answers_with("text/css", "A style sheet."),
        )
}
