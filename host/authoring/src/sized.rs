//! Contexts small and large: what a decision costs grows with its question.

use pointsman_model::context::*;

/// The question of a kind in several sizes, smallest first, each made of the plain one's entries.
pub fn sized_contexts(plain: &Context) -> Vec<(usize, Context)> {
    let sizes: &[usize] = match plain {
        Context::Selection(_) => &[1, 8, 64, 512],
        Context::Gate(_) => &[8, 64, 512, 4_096],
        Context::Curriculum(_) => &[2, 16, 128],
        // A run is one run.
        Context::Retry(_) => &[1],
    };
    sizes.iter().map(|size| (*size, sized(plain, *size))).collect()
}

fn sized(plain: &Context, size: usize) -> Context {
    let mut context = plain.clone();
    match &mut context {
        Context::Selection(context) => {
            let hosts = size.div_ceil(4);
            spread_hosts(&mut context.hosts, hosts);
            repeat(&mut context.host_loads, hosts);
            context.recent_hosts.truncate(hosts);
            context.free = u32::try_from(size.min(4)).unwrap_or(1);
            repeat(&mut context.candidates, size);
            for (at, candidate) in (0_u32..).zip(&mut context.candidates) {
                candidate.id = u64::from(at) + 1;
                candidate.host = Some(at % hosts as u32);
                candidate.age_s = f64::from(at * 7 % 97) * 30.0;
                candidate.attempts = at % 3;
                candidate.difficulty = f64::from(at % 10) / 10.0;
            }
        }
        Context::Gate(context) => {
            repeat(&mut context.pairs, size);
            context.cap = context.cap.max(u32::try_from(size).unwrap_or(u32::MAX));
        }
        Context::Curriculum(context) => {
            spread_hosts(&mut context.hosts, size);
            repeat(&mut context.skills, size);
        }
        Context::Retry(_) => {}
    }
    context
}

fn spread_hosts(hosts: &mut Vec<String>, count: usize) {
    *hosts = (0..count).map(|number| format!("host-{number}.example")).collect();
}

fn repeat<T: Clone>(list: &mut Vec<T>, count: usize) {
    *list = list.iter().cycle().take(count).cloned().collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_coordinator::plausible;
    use pointsman_model::settings::LaneMode;
    use pointsman_model::source::{Lane, Origin};

    #[test]
    fn every_size_is_one_that_a_host_could_ask() {
        let plain = Context::Selection(SelectionContext {
            frame: Frame::default(),
            free: 1,
            lane_mode: LaneMode::Hybrid,
            curriculum_fallback: true,
            lock: None,
            same_host_cap: 1,
            hosts: vec!["alpha".into()],
            campaigns: Vec::new(),
            host_loads: vec![HostLoad::default()],
            recent_hosts: vec![0],
            candidates: vec![SourceCandidate {
                id: 1,
                lane: Lane::Queue,
                origin: Origin::Api,
                host: Some(0),
                campaign: None,
                row: 0,
                age_s: 1.0,
                attempts: 0,
                failures: Default::default(),
                difficulty: 0.5,
                priority: 0,
            }],
            left_out: 0,
        });
        for (size, context) in sized_contexts(&plain) {
            assert!(plausible(&context), "{size}");
            let Context::Selection(context) = context else {
                panic!("a selection")
            };
            assert_eq!(context.candidates.len(), size);
        }
    }
}
