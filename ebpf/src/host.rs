//! The kernel as a [`Host`]: registers and a small frame on the BPF stack, helpers for the rest.
//!
//! Everything is inlined into one function; what a plan does not use is gone after verification. Indices are masked
//! so that the verifier sees bounds on the paths that it has not pruned.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::read_volatile;

use aya_ebpf::helpers::generated as bpf;
use scope_common::arith::{Alu, alu, blind, less, ones_if, opaque};
use scope_common::machine::{Host, Room, Source};
use scope_common::plan::{
    Builtin, COUNTERS, Code, FAILED, FAULT, FORMAT, Image, LOSSES, Loss, MAX_DATA, MAX_FRAME, MAX_OPS, MAX_STRING, Op,
    REASONS, REGISTERS, SCRATCHES, STACK_FRAME, STACK_FRAMES, Space,
};

use crate::{context, maps};

/// The plan, written by the loader and frozen. Volatile reads keep the compiler from folding the zeroes that stand
/// here in the object.
#[unsafe(no_mangle)]
static PLAN: Image = Image::EMPTY;

/// The memory of one run, apart from [`Kernel`]: what is indexed has to lie in memory, and would keep all that lies
/// beside it there too.
pub struct Memory {
    // Not initialised: a plan writes a register before it reads it, and the verifier checks that.
    registers: MaybeUninit<[u64; REGISTERS]>,
    frame: MaybeUninit<[u64; STACK_FRAME / 8]>,
}

/// The machine's state for one run of a clause.
pub struct Kernel {
    context: *mut c_void,
    /// The current op: its address, so that no index has to be turned into one for each step.
    op: *const u64,
    registers: *mut u64,
    frame: *mut u8,
    scratch: *mut u8,
    /// The word that says which scratch memories are taken, if this run had to claim one, and the bit of that one.
    claimed: *mut u64,
    claim: u64,
    value: *mut u8,
    /// The rounds that the loops had, by their nesting. Apart, so that the verifier knows each as it knows a register.
    rounds: (u64, u64, u64),
}

impl Memory {
    #[inline(always)]
    pub const fn new() -> Memory {
        Memory { registers: MaybeUninit::uninit(), frame: MaybeUninit::uninit() }
    }
}

impl Kernel {
    /// Makes ready to run; `None` if the clause does not run: the plan is of another format, its first test ends it,
    /// or its scratch memory can't be had.
    #[inline(always)]
    pub fn new(context: *mut c_void, memory: &mut Memory) -> Option<Kernel> {
        // SAFETY: a word of a static.
        let (format, scratch, claims) = unsafe {
            (
                read_volatile(&raw const PLAN.format),
                read_volatile(&raw const PLAN.scratch),
                read_volatile(&raw const PLAN.claims),
            )
        };
        if format != FORMAT {
            return None;
        }
        let op = first_op(context)?;
        let mut host = Kernel {
            context,
            op,
            registers: memory.registers.as_mut_ptr().cast(),
            frame: memory.frame.as_mut_ptr().cast(),
            scratch: core::ptr::null_mut(),
            claimed: core::ptr::null_mut(),
            claim: 0,
            value: core::ptr::null_mut(),
            rounds: (0, 0, 0),
        };
        if scratch != 0 {
            host.scratch = maps::entry(&maps::SCRATCH, 0);
            if host.scratch.is_null() {
                return None;
            }
        }
        if claims != 0 && !host.claim(scratch as usize & (MAX_FRAME - 1)) {
            Self::count(Loss::Busy as u32, 1);
            return None;
        }
        Some(host)
    }

    /// Claims one of the scratch memories of this CPU, of `size` bytes each.
    #[inline(always)]
    fn claim(&mut self, size: usize) -> bool {
        let taken = self.scratch.wrapping_add(size).cast::<u64>();
        let Some(bit) = first_free(taken).or_else(|| first_free(taken)) else { return false };
        // 1, 2, 4, 8 to 0, 1, 2, 3.
        let index = (bit >> 1) - (bit >> 3);
        self.scratch = maps::entry(&maps::SCRATCH, index as u32);
        (self.claimed, self.claim) = (taken, bit);
        !self.scratch.is_null()
    }

    /// Gives back what the run had claimed.
    #[inline(always)]
    pub fn end(self) {
        if !self.claimed.is_null() {
            // SAFETY: the word that the bit was set in; no other bit changes.
            unsafe { atomic_add(self.claimed, self.claim.wrapping_neg()) };
        }
    }

    /// The address of a byte of the frame.
    #[inline(always)]
    fn at(&self, off: u32) -> *mut u8 {
        let off = off as usize & (MAX_FRAME - 1);
        let address = if off < STACK_FRAME {
            opaque(self.frame.wrapping_add(off) as u64)
        } else {
            opaque(self.scratch.wrapping_add(off - STACK_FRAME) as u64)
        };
        address as *mut u8
    }

    /// The address of a byte of a string area: scratch memory, at an offset that is known within bounds only.
    #[inline(always)]
    fn at_scratch(&self, off: u64) -> *mut u8 {
        self.scratch.wrapping_add((off as usize).wrapping_sub(STACK_FRAME))
    }

    /// Adds to a counter.
    #[inline(always)]
    fn count(counter: u32, number: u64) {
        if (counter as usize) < COUNTERS {
            // SAFETY: the number is checked.
            unsafe { atomic_add(maps::counter(counter as usize), number) };
        }
    }

    /// Counts a failure that is wanted to be counted, and keeps what the kernel said: 0, or a negative error number.
    #[inline(always)]
    fn note(failure: u32, reason: u64) {
        if failure != 0 && blind(reason) != 0 {
            Self::count(FAILED as u32 + failure - 1, 1);
            let place = REASONS + failure as usize - 1;
            if place < COUNTERS {
                // SAFETY: the number is checked.
                unsafe { maps::counter(place).write_volatile(reason) };
            }
        }
    }

    #[inline(always)]
    fn register(&self, index: u8) -> *mut u64 {
        self.registers.wrapping_add(index as usize & (REGISTERS - 1))
    }

    #[inline(always)]
    fn slot(slot: u8, swapped: bool) -> u8 {
        if swapped && maps::epoch() & 1 == 1 { slot + 1 } else { slot }
    }
}

/// Takes the first scratch memory that is free, by its bit in a word. It may be that another run takes it meanwhile, which
/// can happen only if it preempts this one just here.
#[inline(always)]
fn first_free(taken: *mut u64) -> Option<u64> {
    // SAFETY: the word behind the first scratch memory.
    unsafe {
        let free = !read_volatile(taken) & ((1 << SCRATCHES) - 1);
        let bit = free & free.wrapping_neg();
        (bit != 0 && atomic_fetch_or(taken, bit) & bit == 0).then_some(bit)
    }
}

/// Gives the op to begin with; `None` if the clause ends before.
///
/// A plan's first op is mostly the test of a builtin that most events fail, as `/pid == 1/` is. It is done here, before
/// anything is set up: that makes an event that fails it as cheap as can be.
#[inline(always)]
fn first_op(context: *mut c_void) -> Option<*const u64> {
    let first = (&raw const PLAN.ops).cast::<Op>();
    // SAFETY: the words of the first op.
    let (op, imm) =
        unsafe { (Op { word: read_volatile(first.cast()), imm: 0 }, read_volatile(first.cast::<u64>().add(1))) };
    let tests = op.code() == Code::JumpIf as u8 && op.off() == Op::TO_END;
    if tests && op.a() & Op::BUILTIN != 0 && op.b() == Op::IMM {
        if alu(op.dst(), builtin(context, op.a() & !Op::BUILTIN), imm) != 0 {
            return None;
        }
        return Some(first.wrapping_add(1).cast());
    }
    Some(first.cast())
}

/// Reads a builtin.
#[inline(always)]
fn builtin(context: *mut c_void, builtin: u8) -> u64 {
    macro_rules! builtins {
        ($($name:ident => $value:expr),* $(,)?) => {
            $( if builtin == Builtin::$name as u8 { return opaque($value); } )*
        };
    }
    if builtin & Op::ANCESTOR != 0 {
        // SAFETY: a helper that takes a number.
        return opaque(unsafe { bpf::bpf_get_current_ancestor_cgroup_id((builtin & !Op::ANCESTOR).into()) });
    }
    // SAFETY: helpers without arguments.
    unsafe {
        builtins! {
            Pid => bpf::bpf_get_current_pid_tgid() >> 32,
            Tid => bpf::bpf_get_current_pid_tgid() & 0xffff_ffff,
            Uid => bpf::bpf_get_current_uid_gid() & 0xffff_ffff,
            Gid => bpf::bpf_get_current_uid_gid() >> 32,
            Nsecs => bpf::bpf_ktime_get_boot_ns(),
            Cpu => u64::from(bpf::bpf_get_smp_processor_id()),
            ContextAddress => context as u64,
            Task => bpf::bpf_get_current_task(),
            Cgroup => bpf::bpf_get_current_cgroup_id(),
            Rand => u64::from(bpf::bpf_get_prandom_u32()),
            Jiffies => bpf::bpf_jiffies64(),
            Monotonic => bpf::bpf_ktime_get_ns(),
            Tai => bpf::bpf_ktime_get_tai_ns(),
            Node => bpf::bpf_get_numa_node_id() as u64,
            Cookie => bpf::bpf_get_attach_cookie(context),
        }
    }
    0
}

impl Host for Kernel {
    #[inline(always)]
    fn jump(&mut self, op: u32) {
        self.op = (&raw const PLAN.ops).cast::<Op>().wrapping_add(op as usize & (MAX_OPS - 1)).cast();
    }

    #[inline(always)]
    fn advance(&mut self) {
        self.op = self.op.wrapping_add(size_of::<Op>() / 8);
    }

    #[inline(always)]
    fn word(&self) -> u64 {
        // SAFETY: the plan's jumps stay inside, and its last op ends it; the verifier checks the bounds.
        unsafe { read_volatile(self.op) }
    }

    #[inline(always)]
    fn imm(&self) -> u64 {
        // SAFETY: as in `word`.
        unsafe { read_volatile(self.op.add(1)) }
    }

    #[inline(always)]
    fn table(&self, off: u32, entries: u64, index: u64) -> u64 {
        let index = opaque(index & entries.wrapping_sub(1) & (MAX_DATA as u64 / 4 - 1));
        let start = off as usize & (MAX_DATA - 1);
        // SAFETY: the verifier checks the bounds of the constant data.
        unsafe {
            read_volatile((&raw const PLAN.data).cast::<u8>().add(start).cast::<u32>().add(index as usize)) as u64
        }
    }

    #[inline(always)]
    fn reg(&self, index: u8) -> u64 {
        // SAFETY: the index is masked; the plan has written the register.
        unsafe { read_volatile(self.register(index)) }
    }

    #[inline(always)]
    fn set_reg(&mut self, index: u8, value: u64) {
        // SAFETY: the index is masked.
        unsafe { self.register(index).write_volatile(value) }
    }

    #[inline(always)]
    fn builtin(&mut self, builtin: u8) -> u64 {
        self::builtin(self.context, builtin)
    }

    #[inline(always)]
    fn context(&self, off: u32, bytes: u8, pointer: bool) -> u64 {
        let value = if bytes == 8 { context::word(self.context, off) } else { context::half(self.context, off) };
        if pointer { context::number(value) } else { value }
    }

    #[inline(always)]
    fn peek(&mut self, source: Source, bytes: u8) -> u64 {
        let mut value = 0u64;
        let (to, from) = ((&raw mut value).cast::<c_void>(), source.address as *const c_void);
        // SAFETY: `bytes` is at most 8.
        let failed = unsafe {
            if source.space == Space::User as u8 {
                opaque(bpf::bpf_probe_read_user(to, bytes as u32 & 15, from) as u64)
            } else {
                opaque(bpf::bpf_probe_read_kernel(to, bytes as u32 & 15, from) as u64)
            }
        };
        Self::note(source.failure, failed);
        if failed != 0 { 0 } else { value }
    }

    #[inline(always)]
    fn load(&self, off: u32) -> u64 {
        // SAFETY: the verifier checks that the offset lies inside the frame.
        unsafe { read_volatile(self.at(off).cast()) }
    }

    #[inline(always)]
    fn store(&mut self, off: u32, value: u64) {
        // SAFETY: as in `load`.
        unsafe { self.at(off).cast::<u64>().write_volatile(value) }
    }

    #[inline(always)]
    fn zero(&mut self, off: u32, len: u32) {
        let to = self.at(off);
        let mut at = 0;
        while at < len as usize {
            // SAFETY: the verifier checks that the words lie inside the frame.
            unsafe { to.add(at).cast::<u64>().write_volatile(0) };
            at += 8;
        }
    }

    #[inline(always)]
    fn copy(&mut self, to: u32, from: u32, len: u32) {
        copy_words(self.at(to), self.at(from), len);
    }

    #[inline(always)]
    fn constant(&mut self, to: u32, from: u32, len: u32) {
        let start = from as usize & (MAX_DATA - 8);
        copy_words(self.at(to), (&raw const PLAN.data).cast::<u8>().wrapping_add(start), len);
    }

    #[inline(always)]
    fn value_out(&mut self, to: u32, from: u32, len: u32) {
        copy_words(self.at(to), self.value.wrapping_add(from as usize), len);
    }

    #[inline(always)]
    fn value_in(&mut self, to: u32, from: u32, len: u32) {
        copy_words(self.value.wrapping_add(to as usize), self.at(from), len);
    }

    #[inline(always)]
    fn comm(&mut self, off: u32) {
        // Some kernels (6.1) leave what lay behind the name's NUL; a key must not differ by that.
        self.store(off, 0);
        self.store(off + 8, 0);
        // SAFETY: 16 bytes of the frame.
        unsafe { bpf::bpf_get_current_comm(self.at(off).cast(), 16) };
    }

    #[inline(always)]
    fn string(&mut self, off: u64, source: Source, room: Room) -> u64 {
        let Room { max, mask, limit } = room;
        let to = self.at_scratch(off);
        let from = source.address as *const c_void;
        // A byte more than the limit, to tell a string that just fits from one that was cut.
        let max = u64::from(max) & (2 * MAX_STRING as u64 - 1);
        let room = match limit {
            Some(limit) if limit < max => limit as u32 + 1,
            Some(_) => max as u32,
            None => max as u32 + 1,
        };
        // SAFETY: the verifier checks that the string's area lies inside the frame.
        let read = unsafe {
            if source.space == Space::User as u8 {
                opaque(bpf::bpf_probe_read_user_str(to.cast(), room, from) as u64)
            } else {
                opaque(bpf::bpf_probe_read_kernel_str(to.cast(), room, from) as u64)
            }
        } as i64;
        // Without branches but for the count: the verifier would walk all that follows once more for each, and differently,
        // as the lengths differ. All ones if the string could not be read; if it was cut.
        let read = read as u64;
        let fault = ones_if(opaque(read.wrapping_sub(1)) >> 63);
        let cut = ones_if(opaque(max.wrapping_sub(read)) >> 63) & !fault;
        // SAFETY: inside the string's area, which holds a word at least.
        unsafe {
            let start = to.cast::<u64>();
            start.write_unaligned(start.read_unaligned() & !fault | u64::from_ne_bytes(FAULT) & fault);
            // The string's NUL, if it was cut; what is behind its NUL, if not.
            to.add(max as usize - 1).write_volatile(0);
        }
        Self::note(source.failure, read & fault);
        if blind(cut) != 0 {
            self.lose(Loss::CutString as u32);
        }
        let len = read.wrapping_sub(1) & !cut | max.wrapping_sub(1) & cut;
        (len & !fault | (FAULT.len() as u64 - 1) & fault) & mask
    }

    #[inline(always)]
    fn find(&mut self, slot: u8, swapped: bool, key: u32) -> bool {
        let key = self.at(key).cast::<c_void>();
        let value = maps::lookup(Self::slot(slot, swapped), key);
        if value.is_null() {
            return false;
        }
        self.value = value;
        true
    }

    #[inline(always)]
    fn open(&mut self, slot: u8, swapped: bool, key: u32, counted: u8) -> bool {
        let key = self.at(key).cast::<c_void>();
        let slot = Self::slot(slot, swapped);
        let mut value = maps::lookup(slot, key);
        if value.is_null() {
            // A failure may also mean that another CPU was first: the lookup tells.
            if maps::insert(slot, key, maps::zeroes()) && counted != 0 {
                Self::count(LOSSES as u32 + u32::from(counted) - 1, 1);
            }
            value = maps::lookup(slot, key);
            if value.is_null() {
                return false;
            }
        }
        self.value = value;
        true
    }

    #[inline(always)]
    fn delete(&mut self, slot: u8, key: u32, counted: u8) -> bool {
        let deleted = maps::delete(slot, self.at(key).cast());
        if deleted && counted != 0 {
            Self::count(LOSSES as u32 + u32::from(counted) - 1, u64::MAX);
        }
        deleted
    }

    #[inline(always)]
    fn gather(&mut self, slot: u8, key: u32, off: u32, cpus: u32, join: u8) -> u64 {
        let key = self.at(key).cast::<c_void>();
        let (mut joined, mut any) = (0, 0);
        let mut cpu = 0;
        while cpu < cpus {
            let value = maps::lookup_of_cpu(slot, key, cpu);
            if !value.is_null() {
                // SAFETY: the verifier checks that the offset lies inside the value.
                let word = blind(unsafe { read_volatile(value.add(off as usize).cast()) });
                if join == Alu::Add as u8 {
                    joined = blind(joined + word);
                } else {
                    // SAFETY: as above; whether the word is set stands behind it.
                    let set = blind(unsafe { read_volatile(value.add(off as usize + 8).cast()) });
                    if set != 0 && (blind(any) == 0 || alu(join, word, blind(joined)) != 0) {
                        joined = word;
                        any = blind(1);
                    }
                }
            }
            cpu += 1;
        }
        joined
    }

    #[inline(always)]
    fn entries(&mut self, _slot: u8, map: u64) -> u64 {
        let index = LOSSES + map as usize;
        if index >= COUNTERS {
            return 0;
        }
        // SAFETY: the number is checked.
        unsafe { read_volatile(maps::counter(index)) }
    }

    #[inline(always)]
    fn value(&self, off: u64) -> u64 {
        // SAFETY: the verifier checks that the offset lies inside the value.
        unsafe { read_volatile(self.value.add(off as usize).cast()) }
    }

    #[inline(always)]
    fn set_value(&mut self, off: u64, value: u64) {
        // SAFETY: as in `value`.
        unsafe { self.value.add(off as usize).cast::<u64>().write_volatile(value) }
    }

    #[inline(always)]
    fn add_value(&mut self, off: u64, value: u64, atomic: bool) {
        let word = self.value.wrapping_add(off as usize).cast::<u64>();
        if atomic {
            // SAFETY: values are aligned to 8 bytes; the verifier checks the bounds.
            unsafe { atomic_add(word, value) };
        } else {
            // SAFETY: as in `value`.
            unsafe { word.write_volatile(read_volatile(word).wrapping_add(value)) }
        }
    }

    #[inline(always)]
    fn add_wide(&mut self, off: u64, low: u64, high: u64, atomic: bool) {
        let word = self.value.wrapping_add(off as usize).cast::<u64>();
        // SAFETY: as in `add_value`.
        unsafe {
            let before = if atomic { atomic_fetch_add(word, low) } else { read_volatile(word) };
            if !atomic {
                word.write_volatile(before.wrapping_add(low));
            }
            let carry = opaque((blind(before.wrapping_add(low)) < blind(before)) as u64);
            let high = high.wrapping_add(carry);
            let word = word.add(1);
            if atomic { atomic_add(word, high) } else { word.write_volatile(read_volatile(word).wrapping_add(high)) }
        }
    }

    #[inline(always)]
    fn read(&mut self, off: u32, source: Source, len: u64, max: u32) -> u64 {
        let to = self.at(off).cast::<c_void>();
        let from = source.address as *const c_void;
        let max = u64::from(max) & (MAX_FRAME as u64 - 1);
        let len = if len > max { max } else { len };
        // SAFETY: the verifier checks that the area lies inside the frame.
        let failed = unsafe {
            if source.space == Space::User as u8 {
                opaque(bpf::bpf_probe_read_user(to, len as u32, from) as u64)
            } else {
                opaque(bpf::bpf_probe_read_kernel(to, len as u32, from) as u64)
            }
        };
        Self::note(source.failure, failed);
        if failed != 0 { 0 } else { len }
    }

    #[inline(always)]
    fn search(&mut self, text: u32, size: u32, part: u32, part_size: u32) -> u64 {
        // The verifier walks what follows a branch once more: there is one for so many places.
        const AT_ONCE: u32 = 64;
        let wanted = scope_common::machine::length(self, part, part_size);
        let (text, part) = (self.at(text), self.at(part));
        // SAFETY: the verifier checks that the areas lie inside the frame; that of the text goes on behind it for as long as
        // the text to look for is.
        let word = |area: *mut u8, at: u32| unsafe { area.add(at as usize).cast::<u64>().read_unaligned() };
        // What counts of each word is kept behind the words.
        let mut at = 0;
        while at < part_size {
            let mask = counted(wanted.wrapping_sub(u64::from(at)));
            // SAFETY: as above.
            unsafe {
                part.add((part_size + at) as usize).cast::<u64>().write_volatile(mask);
                part.add(at as usize).cast::<u64>().write_volatile(word(part, at) & mask);
            }
            at += 8;
        }
        // All ones until it is found, then its place.
        let mut found = u64::MAX;
        let mut place = 0;
        while place < size {
            let (mut differ, mut at) = (0, 0);
            while at < part_size {
                differ |= (word(text, place + at) & word(part, part_size + at)) ^ word(part, at);
                at += 8;
            }
            // If it is here and was nowhere before, its place takes the place of the ones.
            let here = !ones_if(differ) & !ones_if(!found);
            found &= !here | u64::from(place);
            place += 1;
            if place % AT_ONCE == 0 && blind(found) != u64::MAX {
                return found;
            }
        }
        found
    }

    #[inline(always)]
    fn stack(&mut self, off: u32, frames: u32, user: bool, skipped: u8, own: u32) {
        const BPF_F_USER_STACK: u64 = 256;
        /// No `__bpf_trace_*` has more bytes: it loads arguments and calls.
        const TRACE_FUNCTION: u64 = 192;
        let work = off + 16;
        let buffer = self.at(work + 8).cast::<c_void>();
        let mut flags = u64::from(skipped) | if user { BPF_F_USER_STACK } else { 0 };
        if own != 0 {
            // SAFETY: as below; one frame.
            unsafe { bpf::bpf_get_stack(self.context, buffer, 8, flags) };
            let inside = (self.load(work + 8) as u32).wrapping_sub(own);
            // The number of frames to skip is one more if it is.
            flags += less(u64::from(inside), TRACE_FUNCTION);
        }
        // SAFETY: the verifier checks that the frames have room.
        let bytes = unsafe { bpf::bpf_get_stack(self.context, buffer, (frames & STACK_FRAMES as u32) * 8, flags) };
        let count = if blind(bytes as u64) >> 63 == 1 { 0 } else { blind(bytes as u64) / 8 };
        let mut hash = count;
        let mut at = 0;
        while at < frames {
            if blind(count) <= u64::from(at) {
                break;
            }
            // FNV-1a by words, with the high bits folded in.
            hash = (hash ^ self.load(work + 8 + at * 8)).wrapping_mul(0x0000_0100_0000_01b3);
            hash ^= hash >> 29;
            at += 1;
        }
        let process = if user { self::builtin(self.context, Builtin::Pid as u8) } else { 0 };
        self.store(work, count);
        self.store(off, hash);
        self.store(off + 8, process | count << 32);
        let key = self.at(off).cast::<c_void>();
        if !maps::keep_stack(key, self.at(work).cast()) {
            self.lose(Loss::Stack as u32);
        }
    }

    #[inline(always)]
    fn signal(&mut self, number: u64, thread: bool) {
        // SAFETY: helpers that take a number.
        unsafe {
            if thread {
                let _ = opaque(bpf::bpf_send_signal_thread(number as u32) as u64);
            } else {
                let _ = opaque(bpf::bpf_send_signal(number as u32) as u64);
            }
        }
    }

    #[inline(always)]
    fn write(&mut self, off: u32, address: u64, len: u32) {
        // SAFETY: the verifier checks that the bytes lie inside the frame; the kernel, that the address is the process's.
        let failed = unsafe { bpf::bpf_probe_write_user(address as *mut c_void, self.at(off).cast(), len) };
        if opaque(failed as u64) != 0 {
            self.lose(Loss::Write as u32);
        }
    }

    #[inline(always)]
    fn enter(&mut self, nesting: u8) {
        if nesting == 0 {
            self.rounds.0 = 0;
        } else if nesting == 1 {
            self.rounds.1 = 0;
        } else {
            self.rounds.2 = 0;
        }
    }

    #[inline(always)]
    fn again(&mut self, nesting: u8, rounds: u64) -> bool {
        if nesting == 0 {
            self.rounds.0 += 1;
            self.rounds.0 < rounds
        } else if nesting == 1 {
            self.rounds.1 += 1;
            self.rounds.1 < rounds
        } else {
            self.rounds.2 += 1;
            self.rounds.2 < rounds
        }
    }

    // Only userspace goes through maps.

    #[inline(always)]
    fn each(&mut self, _slot: u8, _nesting: u8) {}

    #[inline(always)]
    fn next(&mut self, _nesting: u8, _off: u32) -> bool {
        false
    }

    #[inline(always)]
    fn quantile(&mut self, _slot: u8, _key: u32, _of: u64) -> u64 {
        0
    }

    #[inline(always)]
    fn emit(&mut self, off: u32, len: u64) {
        const BPF_RB_NO_WAKEUP: u64 = 1;
        const BPF_RB_FORCE_WAKEUP: u64 = 2;
        const BPF_RB_AVAIL_DATA: u64 = 0;
        let ring = maps::RING.handle();
        // SAFETY: a word of a static; the verifier checks that the record lies inside the frame.
        let failed = unsafe {
            let watermark = read_volatile(&raw const PLAN.watermark);
            let waiting = bpf::bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
            // One wake-up for each watermark that the buffer's filling crosses, not one for each record above it.
            let crossed = (waiting ^ waiting.wrapping_add(len)) & !(watermark.wrapping_sub(1)) != 0;
            let flags = if crossed { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
            bpf::bpf_ringbuf_output(ring, self.at(off).cast(), len, flags)
        };
        if failed != 0 {
            self.lose(Loss::Record as u32);
        }
    }

    #[inline(always)]
    fn lose(&mut self, loss: u32) {
        Self::count(loss, 1);
    }
}

/// The bits of a word that are its first `left` bytes: all if there are 8 or more, none if there is none.
#[inline(always)]
fn counted(left: u64) -> u64 {
    let ended = ones_if(opaque(left.wrapping_sub(1)) >> 63);
    let short = ones_if(opaque(left.wrapping_sub(8)) >> 63);
    let cut = (1u64 << ((left << 3) & 63)).wrapping_sub(1);
    (short & cut | !short) & !ended
}

/// Copies words from one place to another.
#[inline(always)]
fn copy_words(to: *mut u8, from: *const u8, len: u32) {
    let mut at = 0;
    while at < len as usize {
        // SAFETY: the verifier checks that the words lie inside what the pointers are to.
        unsafe { to.add(at).cast::<u64>().write_volatile(read_volatile(from.add(at).cast())) };
        at += 8;
    }
}

/// Adds to a word as one step that no other CPU and no nested program can come between. Rust's own atomics leave
/// this out on BPF, where the target has no compare-and-swap in its oldest version.
///
/// # Safety
///
/// `word` points to 8 aligned bytes.
#[inline(always)]
unsafe fn atomic_add(word: *mut u64, value: u64) {
    // SAFETY: one instruction of BPF's first version (`BPF_ATOMIC | BPF_ADD`).
    unsafe { core::arch::asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) word, in(reg) value, options(nostack)) };
}

/// Adds to a word as [`atomic_add`] does; gives what it was before.
///
/// # Safety
///
/// `word` points to 8 aligned bytes.
#[inline(always)]
unsafe fn atomic_fetch_add(word: *mut u64, value: u64) -> u64 {
    let mut before = value;
    // SAFETY: one instruction (`BPF_ATOMIC | BPF_ADD | BPF_FETCH`, Linux 5.12).
    unsafe {
        core::arch::asm!("{0} = atomic_fetch_add((u64 *)({1} + 0), {0})", inout(reg) before, in(reg) word, options(nostack));
    }
    before
}

/// Sets bits of a word in one step; gives what it was before.
///
/// # Safety
///
/// `word` points to 8 aligned bytes.
#[inline(always)]
unsafe fn atomic_fetch_or(word: *mut u64, bits: u64) -> u64 {
    let mut before = bits;
    // SAFETY: one instruction (`BPF_ATOMIC | BPF_OR | BPF_FETCH`, Linux 5.12).
    unsafe {
        core::arch::asm!("{0} = atomic_fetch_or((u64 *)({1} + 0), {0})", inout(reg) before, in(reg) word, options(nostack));
    }
    before
}
