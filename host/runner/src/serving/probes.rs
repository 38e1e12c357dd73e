//! Requests that the host makes itself, so that a candidate is tried even where nobody asks anything.

use pointsman_trainer::corpora;

/// `n` prompts with their hosts, from the texts that are never trained on. They rotate over the hosts first and
/// over each host's texts then; `offset` says where to go on, so a caller that counts up repeats none before all have been used.
pub fn probe_prompts(n: usize, offset: u64) -> Vec<(String, Vec<u8>)> {
    let hosts = corpora::hosts();
    let probe = |at: u64| {
        let host = hosts[(at % hosts.len() as u64) as usize];
        let blocks = corpora::held_out(host);
        let block = blocks[(at / hosts.len() as u64 % blocks.len() as u64) as usize];
        (host.to_string(), block.to_vec())
    };
    (0..n as u64).map(|at| probe(offset.wrapping_add(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn probes_take_all_hosts_in_turn_and_repeat_late() {
        let hosts = corpora::hosts().len();
        let first: Vec<String> = probe_prompts(hosts, 0).into_iter().map(|(host, _)| host).collect();
        assert_eq!(first, corpora::hosts());
        let all: BTreeSet<Vec<u8>> = probe_prompts(hosts * corpora::HELD_OUT_BLOCKS, 7)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(all.len(), hosts * corpora::HELD_OUT_BLOCKS);
    }
}
