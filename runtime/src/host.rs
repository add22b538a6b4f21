//! The machine in userspace: BEGIN, END and interval clauses run here, over the same maps.

use scope_common::arith::Alu;
use scope_common::arith::alu;
use scope_common::machine::{Host, Room, Source, run};
use scope_common::plan::{Builtin, FAULT, LOOPS, Loss, Op, REGISTERS};
use scope_dsl::program::Plan;

use crate::kernel::memory::{self, Reader};
use crate::kernel::process;
use crate::names::cgroups::{self, Cgroups};
use crate::shown;
use crate::tables::{Key, Tables, Words};

/// What a clause in userspace runs in.
pub trait World {
    /// The maps.
    fn tables(&mut self) -> &mut Tables;
    /// Takes a record.
    fn record(&mut self, record: &[u8]);
    /// Takes note that a map could not be read or written.
    fn failed(&mut self, error: std::io::Error);
    /// Takes note of a loss, by its code.
    fn lost(&mut self, loss: u32);
}

/// The task and the time that a clause sees, and what memory it can read.
pub trait Surroundings {
    /// The current task.
    fn task(&self) -> Task;
    /// Nanoseconds since boot.
    fn nsecs(&self) -> u64;
    /// The number of the CPU.
    fn cpu(&self) -> u64;
    /// Any other builtin.
    fn other(&self, _builtin: u8) -> u64 {
        0
    }
    /// The context.
    fn context(&self) -> &[u8] {
        &[]
    }
    /// Reads memory of the kernel; `false` if it can't be read.
    fn memory(&self, _address: u64, _into: &mut [u8]) -> bool {
        false
    }
}

/// Runs a plan in userspace.
pub fn execute(plan: &Plan, surroundings: &dyn Surroundings, world: &mut dyn World) {
    let frame = vec![0; plan.frame];
    let mut host = User {
        plan,
        surroundings,
        world,
        op: 0,
        registers: [0; REGISTERS],
        frame,
        cursor: None,
        value: Vec::new(),
        rounds: [0; LOOPS],
        each: Default::default(),
    };
    run(&mut host);
}

/// A task, as the builtins show it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Task {
    /// The process id.
    pub pid: u32,
    /// The thread id.
    pub tid: u32,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The name, padded with NULs.
    pub comm: [u8; 16],
}

/// This process, now.
pub struct Here;

impl Surroundings for Here {
    fn task(&self) -> Task {
        let mut comm = [0; 16];
        comm[..5].copy_from_slice(b"scope");
        // SAFETY: calls without arguments.
        let (tid, uid, gid) = unsafe { (libc::gettid() as u32, libc::getuid(), libc::getgid()) };
        Task { pid: std::process::id(), tid, uid, gid, comm }
    }

    fn nsecs(&self) -> u64 {
        process::boot_nanos()
    }

    fn cpu(&self) -> u64 {
        // SAFETY: a call without arguments.
        unsafe { libc::sched_getcpu() as u64 }
    }

    fn other(&self, builtin: u8) -> u64 {
        let is = |wanted: Builtin| builtin == wanted as u8;
        match () {
            () if is(Builtin::Monotonic) => process::clock_nanos(libc::CLOCK_MONOTONIC),
            () if is(Builtin::Tai) => process::clock_nanos(libc::CLOCK_TAI),
            () if is(Builtin::Rand) => process::random().into(),
            () if is(Builtin::Jiffies) => process::jiffies(),
            () if is(Builtin::Cgroup) => cgroup_id_of_self(),
            () if is(Builtin::Task) => memory::reader().map_or(0, Reader::task),
            () if is(Builtin::Node) => process::numa_node(),
            () if builtin & Op::ANCESTOR != 0 => ancestor_of_self(builtin & !Op::ANCESTOR),
            () => 0,
        }
    }

    fn memory(&self, address: u64, into: &mut [u8]) -> bool {
        memory::reader().is_ok_and(|reader| reader.read(address, into))
    }
}

/// Strings are read in pieces that lie in one page, so that what is behind their end need not be there.
const PAGE: u64 = 4096;
const PIECE: u64 = 64;

/// The cgroup of this process, 0 if it has none of version 2.
fn cgroup_id_of_self() -> u64 {
    Cgroups::own().map_or(0, |path| cgroup_id(&path))
}

/// The ancestor of this process's cgroup at a level, 0 if it lies not that deep.
fn ancestor_of_self(level: u8) -> u64 {
    let own = Cgroups::own().unwrap_or_default();
    let parts = own.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>();
    parts.get(..level.into()).map_or(0, |parts| cgroup_id(&parts.join("/")))
}

/// The cgroup of a path below the root that we see, 0 if there is none.
fn cgroup_id(path: &str) -> u64 {
    let directory = Cgroups::default().directory(path);
    directory.and_then(|directory| cgroups::cgroup_id(&directory.to_string_lossy())).unwrap_or(0)
}

/// The machine's state for one run of a clause.
struct User<'a> {
    plan: &'a Plan,
    surroundings: &'a dyn Surroundings,
    world: &'a mut dyn World,
    op: usize,
    registers: [u64; REGISTERS],
    frame: Vec<u8>,
    /// The map and key of the entry that is written; none if it is only read.
    cursor: Option<(usize, Key)>,
    value: Words,
    /// The rounds that the loops had, by their nesting.
    rounds: [u64; LOOPS],
    /// The entries that the loops have still to go through, the next one last: each as it lies in the frame.
    each: [Vec<Vec<u8>>; LOOPS],
}

impl User<'_> {
    fn key(&mut self, slot: u8, key: u32) -> (usize, Key) {
        let map = self.plan.slots[slot as usize];
        let size = self.world.tables().map(map).storage.key_size;
        (map, self.frame[key as usize..key as usize + size].to_vec())
    }

    /// Takes a map's answer; one that failed counts as none.
    fn answer<T: Default>(&mut self, answer: std::io::Result<T>) -> T {
        answer.unwrap_or_else(|error| {
            self.world.failed(error);
            T::default()
        })
    }

    fn write_back(&mut self) {
        if let Some((map, key)) = &self.cursor {
            let written = self.world.tables().write(*map, key, &self.value);
            self.answer(written);
        }
    }
}

impl Host for User<'_> {
    fn jump(&mut self, op: u32) {
        self.op = op as usize;
    }

    fn advance(&mut self) {
        self.op += 1;
    }

    fn word(&self) -> u64 {
        self.plan.ops[self.op].word
    }

    fn imm(&self) -> u64 {
        self.plan.ops[self.op].imm
    }

    fn table(&self, off: u32, entries: u64, index: u64) -> u64 {
        let at = off as usize + (index & (entries - 1)) as usize * 4;
        self.plan.data[at..at + 4].try_into().map_or(0, u32::from_ne_bytes).into()
    }

    fn reg(&self, index: u8) -> u64 {
        self.registers[index as usize]
    }

    fn set_reg(&mut self, index: u8, value: u64) {
        self.registers[index as usize] = value;
    }

    fn builtin(&mut self, builtin: u8) -> u64 {
        let is = |wanted: Builtin| builtin == wanted as u8;
        match () {
            () if is(Builtin::Pid) => self.surroundings.task().pid.into(),
            () if is(Builtin::Tid) => self.surroundings.task().tid.into(),
            () if is(Builtin::Uid) => self.surroundings.task().uid.into(),
            () if is(Builtin::Gid) => self.surroundings.task().gid.into(),
            () if is(Builtin::Nsecs) => self.surroundings.nsecs(),
            () if is(Builtin::Cpu) => self.surroundings.cpu(),
            () => self.surroundings.other(builtin),
        }
    }

    fn context(&self, off: u32, bytes: u8, _pointer: bool) -> u64 {
        let (off, len) = (off as usize, bytes as usize);
        let mut word = [0; 8];
        if let Some(found) = self.surroundings.context().get(off..off + len) {
            word[..len].copy_from_slice(found);
        }
        u64::from_ne_bytes(word)
    }

    fn peek(&mut self, from: Source, bytes: u8) -> u64 {
        let mut word = [0; 8];
        if self.surroundings.memory(from.address, &mut word[..bytes as usize]) { u64::from_ne_bytes(word) } else { 0 }
    }

    fn load(&self, off: u32) -> u64 {
        let at = off as usize;
        self.frame[at..at + 8].try_into().map_or(0, u64::from_ne_bytes)
    }

    fn store(&mut self, off: u32, value: u64) {
        let at = off as usize;
        self.frame[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }

    fn zero(&mut self, off: u32, len: u32) {
        self.frame[off as usize..(off + len) as usize].fill(0);
    }

    fn value_out(&mut self, to: u32, from: u32, len: u32) {
        for at in (0..len).step_by(8) {
            let word = self.value((from + at).into());
            self.store(to + at, word);
        }
    }

    fn value_in(&mut self, to: u32, from: u32, len: u32) {
        for at in (0..len).step_by(8) {
            let word = self.load(from + at);
            self.value[(to + at) as usize / 8] = word;
        }
        self.write_back();
    }

    fn copy(&mut self, to: u32, from: u32, len: u32) {
        let (from, len) = (from as usize, len as usize);
        self.frame.copy_within(from..from + len, to as usize);
    }

    fn constant(&mut self, to: u32, from: u32, len: u32) {
        let (to, from, len) = (to as usize, from as usize, len as usize);
        self.frame[to..to + len].copy_from_slice(&self.plan.data[from..from + len]);
    }

    fn comm(&mut self, off: u32) {
        let at = off as usize;
        self.frame[at..at + 16].copy_from_slice(&self.surroundings.task().comm);
    }

    fn string(&mut self, off: u64, from: Source, room: Room) -> u64 {
        let Room { max, limit, .. } = room;
        let at = off as usize;
        let limited = limit.is_some();
        let max = limit.map_or(max, |limit| limit.min(u64::from(max) - 1) as u32 + 1);
        let most = u64::from(max) - 1;
        let mut len = 0;
        let mut piece = [0; PIECE as usize];
        loop {
            let address = from.address.wrapping_add(len);
            // One byte more than there may be tells whether the string is cut.
            let size = PIECE.min(PAGE - address % PAGE).min(most + 1 - len);
            let piece = &mut piece[..size as usize];
            if !self.surroundings.memory(address, piece) {
                break;
            }
            let end = piece.iter().position(|byte| *byte == 0);
            let taken = end.unwrap_or(piece.len()).min((most - len) as usize);
            let into = at + len as usize;
            self.frame[into..into + taken].copy_from_slice(&piece[..taken]);
            len += taken as u64;
            if end.is_some() || taken < piece.len() {
                if end.is_none() && !limited {
                    self.lose(Loss::CutString as u32);
                }
                self.frame[at + len as usize] = 0;
                return len;
            }
        }
        self.frame[at..at + FAULT.len()].copy_from_slice(&FAULT);
        FAULT.len() as u64 - 1
    }

    fn find(&mut self, slot: u8, _swapped: bool, key: u32) -> bool {
        let (map, key) = self.key(slot, key);
        let found = self.world.tables().find(map, &key);
        let Some(value) = self.answer(found) else { return false };
        self.value = value;
        self.cursor = None;
        true
    }

    fn open(&mut self, slot: u8, _swapped: bool, key: u32, _counted: u8) -> bool {
        let (map, key) = self.key(slot, key);
        let opened = self.world.tables().open(map, &key);
        let Some(value) = self.answer(opened) else { return false };
        self.value = value;
        self.cursor = Some((map, key));
        true
    }

    fn delete(&mut self, slot: u8, key: u32, _counted: u8) -> bool {
        let (map, key) = self.key(slot, key);
        let deleted = self.world.tables().delete(map, &key);
        self.answer(deleted)
    }

    fn gather(&mut self, slot: u8, key: u32, off: u32, _cpus: u32, _join: u8) -> u64 {
        // The tables have joined what the CPUs have.
        let (map, key) = self.key(slot, key);
        let found = self.world.tables().find(map, &key);
        self.answer(found).and_then(|words| words.get(off as usize / 8).copied()).unwrap_or(0)
    }

    fn entries(&mut self, _slot: u8, map: u64) -> u64 {
        let entries = self.world.tables().entries(map as usize);
        self.answer(entries).len() as u64
    }

    fn value(&self, off: u64) -> u64 {
        self.value[off as usize / 8]
    }

    fn set_value(&mut self, off: u64, value: u64) {
        self.value[off as usize / 8] = value;
        self.write_back();
    }

    fn add_value(&mut self, off: u64, value: u64, _atomic: bool) {
        let at = off as usize / 8;
        self.value[at] = alu(Alu::Add as u8, self.value[at], value);
        self.write_back();
    }

    fn add_wide(&mut self, off: u64, low: u64, high: u64, _atomic: bool) {
        let at = off as usize / 8;
        let (sum, carry) = self.value[at].overflowing_add(low);
        self.value[at] = sum;
        self.value[at + 1] = self.value[at + 1].wrapping_add(high).wrapping_add(carry.into());
        self.write_back();
    }

    fn read(&mut self, off: u32, from: Source, len: u64, max: u32) -> u64 {
        let len = len.min(max.into()) as usize;
        let mut bytes = vec![0; len];
        if !self.surroundings.memory(from.address, &mut bytes) {
            return 0;
        }
        self.frame[off as usize..off as usize + len].copy_from_slice(&bytes);
        len as u64
    }

    fn search(&mut self, text: u32, size: u32, part: u32, part_size: u32) -> u64 {
        let bytes = |off: u32, size: u32| {
            let area = &self.frame[off as usize..(off + size) as usize];
            &area[..area.iter().position(|byte| *byte == 0).unwrap_or(area.len())]
        };
        let (text, part) = (bytes(text, size), bytes(part, part_size));
        let found = (0..=text.len()).find(|at| text[*at..].starts_with(part));
        found.map_or(u64::MAX, |at| at as u64)
    }

    fn stack(&mut self, off: u32, _frames: u32, _user: bool, _skipped: u8, _own: u32) {
        self.frame[off as usize..off as usize + 16].fill(0);
    }

    fn signal(&mut self, _number: u64, _thread: bool) {}

    fn write(&mut self, _off: u32, _address: u64, _len: u32) {}

    fn enter(&mut self, nesting: u8) {
        self.rounds[nesting as usize] = 0;
    }

    fn again(&mut self, nesting: u8, rounds: u64) -> bool {
        let had = &mut self.rounds[nesting as usize];
        *had += 1;
        *had < rounds
    }

    fn each(&mut self, slot: u8, nesting: u8) {
        let map = self.plan.slots[slot as usize];
        let entries = self.world.tables().entries(map);
        let entries = self.answer(entries);
        let described = self.world.tables().map(map);
        let lay = |(key, words): (Key, Words)| {
            let mut bytes = key;
            shown::stands_for(described, &words).iter().for_each(|word| bytes.extend_from_slice(&word.to_ne_bytes()));
            bytes
        };
        // From the least key on, and taken from the end.
        let mut laid = entries.into_iter().map(lay).collect::<Vec<_>>();
        laid.sort_by(|left, right| right.cmp(left));
        self.each[nesting as usize] = laid;
    }

    fn next(&mut self, nesting: u8, off: u32) -> bool {
        let Some(entry) = self.each[nesting as usize].pop() else { return false };
        let at = off as usize;
        let len = entry.len().min(self.frame.len() - at);
        self.frame[at..at + len].copy_from_slice(&entry[..len]);
        true
    }

    fn quantile(&mut self, slot: u8, key: u32, of: u64) -> u64 {
        let (map, key) = self.key(slot, key);
        let found = self.world.tables().find(map, &key);
        let Some(words) = self.answer(found) else { return 0 };
        shown::quantile_of(self.world.tables().map(map), &words, of) as u64
    }

    fn emit(&mut self, off: u32, len: u64) {
        let at = off as usize;
        let record = self.frame[at..at + len as usize].to_vec();
        self.world.record(&record);
    }

    fn lose(&mut self, loss: u32) {
        // The tables count what they could not take.
        if loss < Loss::MapFull as u32 {
            self.world.lost(loss);
        }
    }
}
