//! The map symbols of the object. Their kinds and sizes here mean nothing: the loader puts maps made for the script
//! in their place. What is fixed is their names and that each has call sites of its own.

use core::cell::UnsafeCell;
use core::ffi::c_void;

use aya_ebpf::bindings::bpf_map_def;
use aya_ebpf::helpers::generated::bpf_map_lookup_percpu_elem;
use aya_ebpf::helpers::{bpf_map_delete_elem, bpf_map_lookup_elem, bpf_map_update_elem};
use scope_common::arith::opaque;

/// A map definition in the form that the loader's ELF parser knows.
#[repr(transparent)]
pub struct Map(UnsafeCell<bpf_map_def>);

// SAFETY: only the kernel looks behind the symbol.
unsafe impl Sync for Map {}

impl Map {
    const fn new() -> Map {
        Map(UnsafeCell::new(bpf_map_def {
            type_: 2,
            key_size: 4,
            value_size: 8,
            max_entries: 1,
            map_flags: 0,
            id: 0,
            pinning: 0,
        }))
    }

    pub fn handle(&'static self) -> *mut c_void {
        self.0.get().cast()
    }
}

macro_rules! maps {
    ($($name:ident)*) => { $( #[unsafe(no_mangle)] #[unsafe(link_section = "maps")] pub static $name: Map = Map::new(); )* };
}

maps!(SCRATCH ZEROES RING LOSSES EPOCH STACKS);
maps!(M0 M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 M15);

/// Calls a helper on the map in a slot, from a call site that only this slot has: a site that sees two maps loses
/// the lookup that the verifier inlines. `opaque` keeps LLVM from making one site of them.
macro_rules! at_slot {
    ($slot:expr, |$map:ident| $call:expr; $($index:literal $name:ident)*) => {
        match $slot {
            $( $index => {
                let $map = $name.handle();
                opaque(unsafe { $call } as u64)
            } )*
            _ => 0,
        }
    };
    ($slot:expr, |$map:ident| $call:expr) => {
        at_slot!($slot, |$map| $call; 0 M0 1 M1 2 M2 3 M3 4 M4 5 M5 6 M6 7 M7 8 M8 9 M9 10 M10 11 M11 12 M12 13 M13
            14 M14 15 M15)
    };
}

/// Looks a key up; gives null where there is none.
#[inline(always)]
pub fn lookup(slot: u8, key: *const c_void) -> *mut u8 {
    at_slot!(slot, |map| bpf_map_lookup_elem(map, key)) as *mut u8
}

/// Inserts an entry unless there is one; gives whether that worked.
#[inline(always)]
pub fn insert(slot: u8, key: *const c_void, value: *const c_void) -> bool {
    const BPF_NOEXIST: u64 = 1;
    at_slot!(slot, |map| bpf_map_update_elem(map, key, value, BPF_NOEXIST)) == 0
}

/// Deletes an entry; gives whether there was one.
#[inline(always)]
pub fn delete(slot: u8, key: *const c_void) -> bool {
    at_slot!(slot, |map| bpf_map_delete_elem(map, key)) == 0
}

/// Looks up the value that a CPU has under a key; gives null where there is none.
#[inline(always)]
pub fn lookup_of_cpu(slot: u8, key: *const c_void, cpu: u32) -> *mut u8 {
    at_slot!(slot, |map| bpf_map_lookup_percpu_elem(map, key, cpu)) as *mut u8
}

/// Keeps a stack under its number; gives whether it is kept.
#[inline(always)]
pub fn keep_stack(key: *const c_void, stack: *const c_void) -> bool {
    const BPF_ANY: u64 = 0;
    // SAFETY: the key is a word, the stack as long as the map's values; the verifier checks both.
    unsafe {
        !bpf_map_lookup_elem(STACKS.handle(), key).is_null() || bpf_map_update_elem(STACKS.handle(), key, stack, BPF_ANY) == 0
    }
}

/// Looks up the entry of a one-entry array.
#[inline(always)]
pub fn only(map: &'static Map) -> *mut u8 {
    let index = 0u32;
    // SAFETY: the key is a whole index.
    unsafe { bpf_map_lookup_elem(map.handle(), (&raw const index).cast()).cast() }
}
