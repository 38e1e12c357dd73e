//! The guest's heap: an arena first, then what the standard library has.
//!
//! A decision allocates a little, and all of it is free again when it ends. So the arena hands out what comes next, and
//! begins anew as soon as nothing of it is in use; that takes a tenth of what a general allocator does. It is part of the
//! memory that a component has from its start: to grow that, the host would have to change the protection of pages, and
//! to change it back after the decision, on every processor. What does not fit is the standard library's.

use core::cell::UnsafeCell;
use std::alloc::{GlobalAlloc, Layout, System};

/// Enough for a decision about the 512 candidates that a shortlist holds at most.
const ARENA_BYTES: usize = 192 << 10;

#[global_allocator]
static HEAP: Heap = Heap {
    books: UnsafeCell::new(Books { used: 0, in_use: 0 }),
    arena: Arena(UnsafeCell::new([0; ARENA_BYTES])),
};

struct Heap {
    books: UnsafeCell<Books>,
    arena: Arena,
}

#[repr(align(16))]
struct Arena(UnsafeCell<[u8; ARENA_BYTES]>);

struct Books {
    /// Bytes of the arena that were handed out.
    used: usize,
    /// Pieces that were not given back.
    in_use: usize,
}

// SAFETY: this file is compiled for a target without threads only.
unsafe impl Sync for Heap {}

impl Heap {
    fn arena(&self) -> *mut u8 {
        self.arena.0.get().cast()
    }

    /// Where in the arena a piece begins, if it is one of the arena's.
    fn offset_of(&self, piece: *mut u8) -> Option<usize> {
        let offset = (piece as usize).wrapping_sub(self.arena() as usize);
        (offset < ARENA_BYTES).then_some(offset)
    }

    /// SAFETY: the caller keeps no other reference to the books.
    #[allow(clippy::mut_from_ref)]
    unsafe fn books(&self) -> &mut Books {
        // SAFETY: one thread, and no reference outlives a method of this file.
        unsafe { &mut *self.books.get() }
    }
}

// SAFETY: pieces of the arena lie between `used` before and `used` after, so that no two overlap; `used` goes back only
// over the last piece, when that is given back, or over all of them, when none is in use. All else is the system's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as `books` asks.
        let books = unsafe { self.books() };
        let base = self.arena() as usize;
        let start = (base + books.used).next_multiple_of(layout.align()) - base;
        // A layout's size is at most half of all memory, so this does not overflow.
        let end = start + layout.size();
        if end > ARENA_BYTES {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.alloc(layout) };
        }
        books.used = end;
        books.in_use += 1;
        // SAFETY: `start` lies in the arena.
        unsafe { self.arena().add(start) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        let Some(offset) = self.offset_of(piece) else {
            // SAFETY: what is not the arena's came from the system.
            return unsafe { System.dealloc(piece, layout) };
        };
        // SAFETY: as `books` asks.
        let books = unsafe { self.books() };
        books.in_use -= 1;
        if books.in_use == 0 {
            books.used = 0;
        } else if offset + layout.size() == books.used {
            books.used = offset;
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset_of(piece) else {
            // SAFETY: as in `dealloc`.
            return unsafe { System.realloc(piece, layout, size) };
        };
        // SAFETY: as `books` asks; the reference ends before `alloc`.
        let books = unsafe { self.books() };
        if offset + layout.size() == books.used && offset + size <= ARENA_BYTES {
            books.used = offset + size;
            return piece;
        }
        if size <= layout.size() {
            return piece;
        }
        // SAFETY: `size` is not zero and fits the alignment, by the caller's promise; the pieces do not overlap.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(piece, layout.size());
                self.dealloc(piece, layout);
            }
            new
        }
    }
}
