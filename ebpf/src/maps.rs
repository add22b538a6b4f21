//! The map symbols of the object. Their kinds and sizes here mean nothing: the loader puts maps made for the script
//! in their place. What is fixed is their names and that each has call sites of its own.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::bindings::bpf_map_def;
use aya_ebpf::helpers::generated::bpf_map_lookup_percpu_elem;
use aya_ebpf::helpers::{bpf_map_delete_elem, bpf_map_lookup_elem, bpf_map_update_elem};
use scope_common::arith::opaque;
use scope_common::plan::COUNTERS;

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

maps!(SCRATCH RING STACKS);
maps!(M0 M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M13 M14 M15);

/// Memory that programs reach by its address, with no look-up that could fail and so no branch for the verifier to walk.
/// The loader puts arrays made for the script in place of these sections; of their sizes only that of the counters counts.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.losses")]
static mut COUNTS: [u64; COUNTERS] = [0; COUNTERS];
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.epoch")]
static mut EPOCH: u64 = 0;
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.zeroes")]
static mut ZEROES: [u64; 4096] = [0; 4096];

/// The address of a static, put together where it is used: LLVM would compute it beforehand and keep it on the BPF stack,
/// which has no room for it.
macro_rules! address {
    ($name:ident) => {{
        let address: *mut u8;
        // SAFETY: one instruction that loads an address.
        unsafe { core::arch::asm!("{0} = {1} ll", out(reg) address, sym $name, options(nostack, nomem)) };
        address
    }};
}

/// The counter with this number, which is below [`COUNTERS`].
#[inline(always)]
pub fn counter(number: usize) -> *mut u64 {
    address!(COUNTS).cast::<u64>().wrapping_add(number)
}

/// Which half of the swapped maps is written.
#[inline(always)]
pub fn epoch() -> u64 {
    // SAFETY: a word of a static, which userspace writes in one step.
    unsafe { read_volatile(address!(EPOCH).cast()) }
}

/// A value of zeroes, as large as any of the script's.
#[inline(always)]
pub fn zeroes() -> *const c_void {
    address!(ZEROES).cast::<c_void>()
}

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
        !bpf_map_lookup_elem(STACKS.handle(), key).is_null()
            || bpf_map_update_elem(STACKS.handle(), key, stack, BPF_ANY) == 0
    }
}

/// Looks up an entry of an array.
#[inline(always)]
pub fn entry(map: &'static Map, index: u32) -> *mut u8 {
    // SAFETY: the key is a whole index.
    unsafe { bpf_map_lookup_elem(map.handle(), (&raw const index).cast()).cast() }
}
