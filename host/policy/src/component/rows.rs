//! Lists of scalar records as one block. The generated code stores each field by itself, and looks up the guest's memory
//! for each: seven microseconds for 64 candidates. Here a record is laid out once, as the canonical ABI has it (fields in
//! their order, each aligned to its size), and the list is copied.

use super::bindings::{curriculum, gate, selection};
use super::convert;
use curriculum::pointsman::policy::curriculum_types as curriculum_wit;
use gate::pointsman::policy::promotion_gate_types as gate_wit;
use pointsman_model::context::{GatePair, HostLoad, Skill, SourceCandidate};
use pointsman_model::run::FailureCounts;
use selection::pointsman::policy::source_selection_types as selection_wit;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

pub(super) type CandidateRow = Row<selection_wit::Candidate, 88>;
pub(super) type HostLoadRow = Row<selection_wit::HostLoad, 32>;
pub(super) type PairRow = Row<gate_wit::Pair, 24>;
pub(super) type SkillRow = Row<curriculum_wit::Skill, 96>;

/// `Record` in the guest's memory: nothing in it points anywhere.
#[repr(transparent)]
pub(super) struct Row<Record, const BYTES: usize> {
    bytes: [u8; BYTES],
    record: PhantomData<Record>,
}

impl<Record: ComponentType, const BYTES: usize> Row<Record, BYTES> {
    const FITS: () = assert!(BYTES == Record::SIZE32, "a row is as long as its record");

    fn laid_out(fields: impl FnOnce(&mut Layout<'_>)) -> Row<Record, BYTES> {
        const { Self::FITS };
        let mut bytes = [0; BYTES];
        fields(&mut Layout { bytes: &mut bytes, at: 0 });
        Row {
            bytes,
            record: PhantomData,
        }
    }
}

// SAFETY: a row says of itself what its record says, and is checked against a component's types as its record is.
unsafe impl<Record: ComponentType, const BYTES: usize> ComponentType for Row<Record, BYTES> {
    type Lower = Record::Lower;
    const ABI: CanonicalAbiInfo = Record::ABI;

    fn typecheck(of: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        Record::typecheck(of, types)
    }
}

// SAFETY: as many bytes as the record has are stored, where the caller asked for them.
unsafe impl<Record: ComponentType, const BYTES: usize> Lower for Row<Record, BYTES> {
    fn linear_lower_to_flat<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        Err(wasmtime::Error::msg("a row is handed over in a list"))
    }

    fn linear_lower_to_memory<T>(&self, into: &mut LowerContext<'_, T>, _: InterfaceType, offset: usize) -> wasmtime::Result<()> {
        *into.get::<BYTES>(offset) = self.bytes;
        Ok(())
    }

    fn linear_store_list_to_memory<T>(
        into: &mut LowerContext<'_, T>,
        _: InterfaceType,
        offset: usize,
        rows: &[Self],
    ) -> wasmtime::Result<()> {
        let block = &mut into.as_slice_mut()[offset..][..rows.len() * BYTES];
        for (place, row) in block.as_chunks_mut::<BYTES>().0.iter_mut().zip(rows) {
            *place = row.bytes;
        }
        Ok(())
    }
}

/// Fields one after the other.
struct Layout<'row> {
    bytes: &'row mut [u8],
    at: usize,
}

impl Layout<'_> {
    fn put<const BYTES: usize>(&mut self, field: [u8; BYTES]) -> &mut Self {
        let start = self.at.next_multiple_of(BYTES);
        self.at = start + BYTES;
        self.bytes[start..self.at].copy_from_slice(&field);
        self
    }

    fn byte(&mut self, field: u8) -> &mut Self {
        self.put([field])
    }

    fn u32(&mut self, field: u32) -> &mut Self {
        self.put(field.to_le_bytes())
    }

    fn u64(&mut self, field: u64) -> &mut Self {
        self.put(field.to_le_bytes())
    }

    fn f64(&mut self, field: f64) -> &mut Self {
        self.put(field.to_le_bytes())
    }

    /// Whether there is one, and where it is; both aligned to what is there.
    fn some<const BYTES: usize>(&mut self, field: Option<[u8; BYTES]>) -> &mut Self {
        self.at = self.at.next_multiple_of(BYTES);
        self.byte(u8::from(field.is_some())).put(field.unwrap_or([0; BYTES]))
    }

    fn some_u32(&mut self, field: Option<u32>) -> &mut Self {
        self.some(field.map(u32::to_le_bytes))
    }

    fn some_f64(&mut self, field: Option<f64>) -> &mut Self {
        self.some(field.map(f64::to_le_bytes))
    }

    fn failures(&mut self, counts: FailureCounts) -> &mut Self {
        let FailureCounts {
            infra,
            preempted,
            timeout,
            transient,
            deterministic,
            crash,
            policy,
        } = counts;
        for count in [infra, preempted, timeout, transient, deterministic, crash, policy] {
            self.u32(count);
        }
        self
    }
}

pub(super) fn candidate(candidate: &SourceCandidate) -> CandidateRow {
    let SourceCandidate {
        id,
        lane,
        origin,
        host,
        campaign,
        row,
        age_s,
        attempts,
        failures,
        difficulty,
        priority,
    } = *candidate;
    Row::laid_out(|fields| {
        fields
            .u64(id)
            .byte(convert::lane_to_wit(lane) as u8)
            .byte(convert::origin_to_wit(origin) as u8)
            .some_u32(host)
            .some_u32(campaign)
            .u32(row)
            .f64(age_s)
            .u32(attempts)
            .failures(failures)
            .f64(difficulty)
            .u32(priority.cast_unsigned());
    })
}

pub(super) fn host_load(load: &HostLoad) -> HostLoadRow {
    let HostLoad {
        running,
        pending,
        successes,
        failures,
        since_picked_s,
    } = *load;
    Row::laid_out(|fields| {
        fields
            .u32(running)
            .u32(pending)
            .u32(successes)
            .u32(failures)
            .some_f64(since_picked_s);
    })
}

pub(super) fn pair(pair: &GatePair) -> PairRow {
    let GatePair { host, baseline, candidate } = *pair;
    Row::laid_out(|fields| {
        fields.u32(host).f64(baseline).f64(candidate);
    })
}

pub(super) fn skill(skill: &Skill) -> SkillRow {
    let Skill {
        tries,
        successes,
        failures,
        pending,
        loss,
        loss_before,
        loss_after,
        progress,
        stale_s,
        parked,
    } = *skill;
    Row::laid_out(|fields| {
        fields
            .u32(tries)
            .u32(successes)
            .u32(failures)
            .u32(pending)
            .some_f64(loss)
            .some_f64(loss_before)
            .some_f64(loss_after)
            .f64(progress)
            .some_f64(stale_s)
            .byte(u8::from(parked));
    })
}
