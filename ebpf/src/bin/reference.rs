//! What one would write by hand for the scripts that the benchmark measures: scope is held to these.
#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::macros::{map, raw_tracepoint, tracepoint};
use aya_ebpf::maps::PerCpuHashMap;
use aya_ebpf::programs::{RawTracePointContext, TracePointContext};

#[map]
static COUNTS: PerCpuHashMap<[u8; 16], u64> = PerCpuHashMap::with_max_entries(4096, 0);

#[inline(always)]
fn count_comm() {
    let Ok(comm) = bpf_get_current_comm() else { return };
    match COUNTS.get_ptr_mut(&comm) {
        // SAFETY: the entry is this CPU's own.
        Some(count) => unsafe { *count += 1 },
        None => drop(COUNTS.insert(&comm, &1, 1)),
    }
}

/// `@[comm] = count()` at a raw tracepoint.
#[raw_tracepoint]
pub fn raw_count(_: RawTracePointContext) -> i32 {
    count_comm();
    0
}

/// A program that returns at once, at a raw tracepoint.
#[raw_tracepoint]
pub fn raw_empty(_: RawTracePointContext) -> i32 {
    0
}

/// `@[comm] = count()` at a tracepoint.
#[tracepoint]
pub fn tracepoint_count(_: TracePointContext) -> u32 {
    count_comm();
    0
}

/// A program that returns at once, at a tracepoint.
#[tracepoint]
pub fn tracepoint_empty(_: TracePointContext) -> u32 {
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
