//! Memory for an interpreter, which asks for many small blocks and gives them back at once.
//!
//! Blocks of up to 512 bytes are kept in lists by size and taken from there; a new one is cut off a chunk. Chunks are
//! never given back: an instance that has grown is dropped whole by the host. Larger blocks are the standard allocator's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Sizes are rounded up to a multiple of this, which is also their alignment.
const STEP: usize = 16;
const SMALL_MAX: usize = 512;
const CHUNK_BYTES: usize = 64 << 10;

struct Pools(UnsafeCell<State>);

struct State {
    /// First free block of each size; each holds the address of the next.
    free: [*mut u8; SMALL_MAX / STEP],
    /// What is left of the chunk that is being cut.
    next: *mut u8,
    left: usize,
}

#[global_allocator]
static POOLS: Pools = Pools(UnsafeCell::new(State {
    free: [null_mut(); SMALL_MAX / STEP],
    next: null_mut(),
    left: 0,
}));

#[cfg(target_feature = "atomics")]
compile_error!("the interpreter's allocator is for a machine with one thread");

// SAFETY: a component has one thread, and nothing below calls back.
unsafe impl Sync for Pools {}

/// None for blocks that are too large, or aligned to more than a step.
fn class(layout: &Layout) -> Option<usize> {
    let small = layout.size() <= SMALL_MAX && layout.align() <= STEP;
    small.then(|| layout.size().saturating_sub(1) / STEP)
}

// SAFETY: a block is in exactly one place: with its owner, in the list of its size, or in what is left of the chunk. Its
// size is that of its class, which `dealloc` finds from the same layout.
unsafe impl GlobalAlloc for Pools {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(&layout) else {
            // SAFETY: promised by the caller.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: there is one thread, and the reference ends before anything else is called.
        let state = unsafe { &mut *self.0.get() };
        let block = state.free[class];
        if !block.is_null() {
            // SAFETY: a free block is at least a step long and holds the address of the next one.
            state.free[class] = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        state.cut((class + 1) * STEP)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(&layout) else {
            // SAFETY: promised by the caller; a block of this layout came from there.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: as in `alloc`.
        let state = unsafe { &mut *self.0.get() };
        // SAFETY: the block is at least a step long, aligned to one, and nobody's any more.
        unsafe { block.cast::<*mut u8>().write(state.free[class]) };
        state.free[class] = block;
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size does not overflow when it is rounded up to the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class(&layout), class(&wanted)) {
            (Some(before), Some(after)) if before == after => block,
            // SAFETY: promised by the caller; both layouts are the standard allocator's.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(_) | None, Some(_) | None) => {
                // SAFETY: the new block is as long as the copy, and the old one is given back with its own layout.
                unsafe {
                    let moved = self.alloc(wanted);
                    if !moved.is_null() {
                        moved.copy_from_nonoverlapping(block, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}

impl State {
    #[cold]
    fn cut(&mut self, bytes: usize) -> *mut u8 {
        if self.left < bytes {
            // What is left is less than the largest small block; it is forgotten.
            let chunk = Layout::from_size_align(CHUNK_BYTES, STEP).expect("a chunk has a layout");
            // SAFETY: the layout is not empty.
            let next = unsafe { System.alloc(chunk) };
            if next.is_null() {
                return null_mut();
            }
            (self.next, self.left) = (next, CHUNK_BYTES);
        }
        let block = self.next;
        // SAFETY: as many bytes are left in the chunk.
        self.next = unsafe { block.add(bytes) };
        self.left -= bytes;
        block
    }
}
