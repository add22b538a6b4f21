//! The maps of a script as userspace sees them: what lies in the kernel and what userspace keeps, as one.
//!
//! An aggregation has a part in the kernel, on every CPU, and a part here; reading merges them. A *swapped* map has
//! two halves in the kernel, of which programs write the one that the epoch names. To read it, the epoch is flipped,
//! a grace period waits for the programs that still run on the old half, and that half, which nobody writes any more,
//! is drained into the part here. So `print(@m); clear(@m)` loses nothing: an event is counted either in the half
//! that was drained or in the other, and clearing drops only what was drained.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::maps::MapData;
use indexmap::IndexMap;
use scope_common::arith::{Alu, alu};
use scope_common::plan::{COUNTERS, FAILED, LOSSES, Loss, REASONS};
use scope_common::value::{BEST, GREATEST, LEAST, SERIES_WORDS, SQUARES};
use scope_dsl::checked::{Aggregation, Series, Value};
use scope_dsl::program::{Map, Program};

use crate::kernel::{bpf, process};
use crate::load::maps::{KernelMaps, fd};

/// A key's bytes.
pub type Key = Vec<u8>;
/// The words of a value.
pub type Words = Vec<u64>;

/// The maps of a script.
pub struct Tables {
    tables: Vec<Table>,
    kernel: Option<Kernel>,
    /// Whether the swapped maps were drained in this run of a clause.
    drained: bool,
    /// Whether nothing is attached any more and all was taken.
    settled: bool,
    /// Losses of clauses that ran here, by their codes.
    lost: [u64; Loss::MapFull as usize],
}

/// What all maps in the kernel have in common.
struct Kernel {
    maps: KernelMaps,
    cpus: usize,
    epoch: u64,
    barrier: Option<Barrier>,
}

/// One map.
struct Table {
    map: Map,
    /// What userspace keeps: all of a map that the kernel does not touch, a part of an aggregation.
    here: IndexMap<Key, Words>,
    /// Whether it was shown since it was cleared last.
    shown: bool,
    /// Entries that found it full, here.
    full: u64,
}

impl Tables {
    /// Makes the maps of a program, with their part in the kernel if there is one.
    ///
    /// # Errors
    /// If the machine does not tell how many CPUs it has.
    pub fn new(program: &Program, kernel: Option<KernelMaps>) -> io::Result<Tables> {
        let table = |map: &Map| Table { map: map.clone(), here: IndexMap::new(), shown: false, full: 0 };
        let tables = program.maps.values().map(table).collect();
        let kernel = match kernel {
            Some(maps) => Some(Kernel { maps, cpus: process::possible_cpus()?, epoch: 0, barrier: None }),
            None => None,
        };
        Ok(Tables { tables, kernel, drained: false, settled: false, lost: [0; Loss::MapFull as usize] })
    }

    /// What a map holds and how it is kept.
    #[must_use]
    pub fn map(&self, map: usize) -> &Map {
        &self.tables[map].map
    }

    /// A descriptor of the map that holds the stacks, if any are kept.
    #[must_use]
    pub fn stacks(&self) -> Option<OwnedFd> {
        self.kernel.as_ref()?.maps.stacks.as_ref().and_then(|stacks| fd(stacks).try_clone_to_owned().ok())
    }

    /// Begins a run of a clause, or the work on one record: what it reads of swapped maps is drained once, so that it
    /// sees one moment.
    pub fn begin(&mut self) {
        self.drained = self.settled;
    }

    fn in_kernel(&self, map: usize) -> Option<&MapData> {
        self.kernel.as_ref()?.maps.of_script[map].first().filter(|_| !self.tables[map].map.storage.swapped)
    }

    /// Gives all entries, aggregations merged.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn entries(&mut self, map: usize) -> io::Result<Vec<(Key, Words)>> {
        self.show(map)?;
        let table = &self.tables[map];
        let mut all = table.here.clone();
        if let (Some(kernel), Some(data)) = (&self.kernel, self.in_kernel(map)) {
            for (key, words) in kernel.read(&table.map, data, false)? {
                join(&table.map, &mut all, key, words);
            }
        }
        all.retain(|_, words| is_set(&table.map, words));
        Ok(all.into_iter().collect())
    }

    /// Gives the entries that a map has in the kernel just now, without taking any.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn glance(&self, map: usize) -> io::Result<Vec<(Key, Words)>> {
        let Some(kernel) = &self.kernel else { return Ok(Vec::new()) };
        let read = kernel.maps.of_script[map].iter().map(|data| kernel.read(&self.tables[map].map, data, false));
        Ok(read.collect::<io::Result<Vec<_>>>()?.concat())
    }

    /// Gives the entry under a key, an aggregation merged.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn find(&mut self, map: usize, key: &[u8]) -> io::Result<Option<Words>> {
        self.show(map)?;
        let table = &self.tables[map];
        let mut found = table.here.get(key).cloned();
        if let (Some(kernel), Some(data)) = (&self.kernel, self.in_kernel(map))
            && let Some(words) = kernel.find(&table.map, data, key)?
        {
            match &mut found {
                Some(have) => merge_whole(&table.map, have, &words),
                None => found = Some(words),
            }
        }
        Ok(found)
    }

    /// Gives the entry that userspace writes under a key, made if need be; `None` if the map is full.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn open(&mut self, map: usize, key: &[u8]) -> io::Result<Option<Words>> {
        let zeroes = vec![0; self.tables[map].map.storage.value_size / 8];
        if self.tables[map].map.value.is_aggregation() || self.in_kernel(map).is_none() {
            let table = &mut self.tables[map];
            if table.here.len() >= table.map.storage.entries as usize && !table.here.contains_key(key) {
                table.full += 1;
                return Ok(None);
            }
            return Ok(Some(table.here.entry(key.to_vec()).or_insert(zeroes).clone()));
        }
        if let Some(words) = self.find(map, key)? {
            return Ok(Some(words));
        }
        let data = self.in_kernel(map).expect("a plain map in the kernel");
        match bpf::update(fd(data), key, &bytes(&zeroes), bpf::Existing::Keep) {
            Ok(()) => Ok(Some(zeroes)),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => self.find(map, key),
            Err(error) if error.raw_os_error() == Some(libc::E2BIG) => {
                self.tables[map].full += 1;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the entry that [`Tables::open`] gave.
    ///
    /// # Errors
    /// If the kernel can't be written.
    pub fn write(&mut self, map: usize, key: &[u8], words: &[u64]) -> io::Result<()> {
        if self.tables[map].map.value.is_aggregation() || self.in_kernel(map).is_none() {
            self.tables[map].here.insert(key.to_vec(), words.to_vec());
            return Ok(());
        }
        let data = self.in_kernel(map).expect("a plain map in the kernel");
        bpf::update(fd(data), key, &bytes(words), bpf::Existing::Replace)
    }

    /// Removes the entry under a key; gives whether there was one.
    ///
    /// # Errors
    /// If the kernel can't be written.
    pub fn delete(&mut self, map: usize, key: &[u8]) -> io::Result<bool> {
        self.show(map)?;
        let here = self.tables[map].here.shift_remove(key).is_some();
        let there = match (&self.kernel, self.in_kernel(map)) {
            (Some(kernel), Some(data)) if self.tables[map].map.storage.kind.is_array() => {
                let entry = kernel.read(&self.tables[map].map, data, true)?;
                entry.iter().any(|(_, words)| is_set(&self.tables[map].map, words))
            }
            (_, Some(data)) => bpf::delete(fd(data), key)?,
            _ => false,
        };
        Ok(here || there)
    }

    /// Removes all entries: of a swapped map those that were shown, or if none were, those up to now.
    ///
    /// # Errors
    /// If the kernel can't be written.
    pub fn clear(&mut self, map: usize) -> io::Result<()> {
        if !self.tables[map].shown {
            self.show(map)?;
        }
        let table = &mut self.tables[map];
        table.here.clear();
        table.shown = false;
        let map_data = self.tables[map].map.clone();
        if let (Some(kernel), Some(data)) = (&self.kernel, self.in_kernel(map)) {
            kernel.read(&map_data, data, true)?;
        }
        Ok(())
    }

    /// Sets all values to zero, with the entries kept; of a swapped map as [`Tables::clear`].
    ///
    /// # Errors
    /// If the kernel can't be written.
    pub fn zero(&mut self, map: usize) -> io::Result<()> {
        if !self.tables[map].shown {
            self.show(map)?;
        }
        let keys = match self.in_kernel(map) {
            Some(_) => self.entries(map)?.into_iter().map(|(key, _)| key).collect(),
            None => Vec::new(),
        };
        let table = &mut self.tables[map];
        table.shown = false;
        let blank = |words: &mut Words| {
            let kept = if table.map.storage.kind.is_array() { words.len() - 1 } else { words.len() };
            words[..kept].fill(0);
        };
        table.here.values_mut().for_each(blank);
        let mut zeroes = vec![1; table.map.storage.value_size / 8];
        blank(&mut zeroes);
        if let (Some(kernel), Some(data)) = (&self.kernel, self.in_kernel(map)) {
            let copies = if self.tables[map].map.storage.kind.is_per_cpu() { kernel.cpus } else { 1 };
            for key in keys {
                bpf::update(fd(data), &key, &bytes(&zeroes).repeat(copies), bpf::Existing::Replace)?;
            }
        }
        Ok(())
    }

    /// Notes that a map is shown; drains the swapped ones if that was not yet done in this run.
    fn show(&mut self, map: usize) -> io::Result<()> {
        if self.tables[map].map.storage.swapped {
            if !self.drained {
                self.drain()?;
            }
            self.tables[map].shown = true;
        }
        Ok(())
    }

    /// Takes what the kernel has gathered in the swapped maps.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn drain(&mut self) -> io::Result<()> {
        self.drained = true;
        let Some(kernel) = &mut self.kernel else { return Ok(()) };
        let Some(old) = kernel.flip()? else { return Ok(()) };
        self.take_half(old)
    }

    /// Takes what one half of the swapped maps holds.
    fn take_half(&mut self, half: usize) -> io::Result<()> {
        let Some(kernel) = &self.kernel else { return Ok(()) };
        for (table, halves) in self.tables.iter_mut().zip(&kernel.maps.of_script) {
            if table.map.storage.swapped {
                for (key, words) in kernel.read(&table.map, &halves[half], true)? {
                    join(&table.map, &mut table.here, key, words);
                }
            }
        }
        Ok(())
    }

    /// Takes all that the kernel has gathered, once nothing is attached any more. A program that still runs on another
    /// CPU is not waited for: its event happens after the end, as the next one would have.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn settle(&mut self) -> io::Result<()> {
        self.settled = true;
        self.take_half(0)?;
        self.take_half(1)
    }

    /// Counts a loss of a clause that ran here.
    pub fn lose(&mut self, loss: u32) {
        if let Some(count) = self.lost.get_mut(loss as usize) {
            *count += 1;
        }
    }

    /// For each failure of the plans, how often it was met and what the kernel said at last, a negative error number.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn failures(&self) -> io::Result<Vec<(u64, i64)>> {
        let counters = self.counters()?;
        let codes = counters[REASONS..].iter().map(|code| *code as i64);
        Ok(counters[FAILED..REASONS].iter().copied().zip(codes).collect())
    }

    /// The loss counters; entries that found a map full here are added.
    ///
    /// # Errors
    /// If the kernel can't be read.
    pub fn losses(&self) -> io::Result<Vec<u64>> {
        let mut losses = self.counters()?;
        losses.truncate(LOSSES);
        for (loss, here) in losses.iter_mut().zip(self.lost) {
            *loss += here;
        }
        for (map, table) in self.tables.iter().enumerate() {
            losses[scope_common::machine::map_full(map) as usize] += table.full;
        }
        Ok(losses)
    }

    /// The kernel's counters; zeroes if no clause runs there.
    fn counters(&self) -> io::Result<Vec<u64>> {
        let mut counters = vec![0; 8 * COUNTERS];
        if let Some(kernel) = &self.kernel {
            bpf::lookup(fd(&kernel.maps.losses), &[0; 4], &mut counters)?;
        }
        Ok(words(&counters))
    }
}

impl Kernel {
    /// Makes programs write the other halves; gives the halves that nobody writes any more.
    fn flip(&mut self) -> io::Result<Option<usize>> {
        let Some(epoch) = &self.maps.epoch else { return Ok(None) };
        let old = self.epoch as usize & 1;
        self.epoch += 1;
        bpf::update(fd(epoch), &[0; 4], &self.epoch.to_ne_bytes(), bpf::Existing::Replace)?;
        if self.barrier.is_none() {
            self.barrier = Some(Barrier::new()?);
        }
        self.barrier.as_ref().expect("just made").wait()?;
        Ok(Some(old))
    }

    /// Reads the entries of one kernel map, the values of all CPUs merged; removes them on the way if `take`.
    fn read(&self, map: &Map, data: &MapData, take: bool) -> io::Result<Vec<(Key, Words)>> {
        let storage = map.storage;
        let size = self.copied(map);
        if storage.kind.is_array() {
            let key = vec![0; storage.key_size];
            let mut value = vec![0; size];
            bpf::lookup(fd(data), &key, &mut value)?;
            if take {
                bpf::update(fd(data), &key, &vec![0; size], bpf::Existing::Replace)?;
            }
            return Ok(vec![(key, self.merged(map, &value))]);
        }
        let (keys, values) = bpf::read_all(fd(data), storage.key_size, size, storage.entries as usize, take)?;
        let entries = keys.chunks_exact(storage.key_size).zip(values.chunks_exact(size));
        Ok(entries.map(|(key, value)| (key.to_vec(), self.merged(map, value))).collect())
    }

    fn find(&self, map: &Map, data: &MapData, key: &[u8]) -> io::Result<Option<Words>> {
        let mut value = vec![0; self.copied(map)];
        Ok(bpf::lookup(fd(data), key, &mut value)?.then(|| self.merged(map, &value)))
    }

    /// Bytes that the kernel copies out for one value.
    fn copied(&self, map: &Map) -> usize {
        map.storage.value_size * if map.storage.kind.is_per_cpu() { self.cpus } else { 1 }
    }

    fn merged(&self, map: &Map, value: &[u8]) -> Words {
        let all = words(value);
        let mut parts = all.chunks_exact(map.storage.value_size / 8);
        let mut whole = parts.next().unwrap_or_default().to_vec();
        parts.for_each(|part| merge_whole(map, &mut whole, part));
        whole
    }
}

/// A wait for all programs that run now: a grace period of RCU.
///
/// Replacing the inner map of a map of maps waits for one, so that no program sees the old map any more
/// (`maybe_wait_bpf_programs`, `kernel/bpf/syscall.c`); this map of maps exists for nothing else.
struct Barrier {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl Barrier {
    fn new() -> io::Result<Barrier> {
        let (outer, inner) = bpf::create_array_of_maps()?;
        Ok(Barrier { outer, inner })
    }

    fn wait(&self) -> io::Result<()> {
        let inner = self.inner.as_raw_fd();
        bpf::update(self.outer.as_fd(), &[0; 4], &inner.to_ne_bytes(), bpf::Existing::Replace)
    }
}

/// Adds an entry to others, merged with the one that has its key.
fn join(map: &Map, entries: &mut IndexMap<Key, Words>, key: Key, words: Words) {
    match entries.get_mut(&key) {
        Some(have) => merge_whole(map, have, &words),
        None => {
            entries.insert(key, words);
        }
    }
}

/// Merges values, and of arrays the word that says whether they are set.
fn merge_whole(map: &Map, into: &mut [u64], from: &[u64]) {
    if !map.storage.kind.is_array() {
        return merge(&map.value, into, from);
    }
    let set = into.len() - 1;
    let both = into[set] | from[set];
    merge(&map.value, &mut into[..set], &from[..set]);
    into[set] = both;
}

/// Merges the parts of an aggregation; of a plain value the first part stands.
fn merge(value: &Value, into: &mut [u64], from: &[u64]) {
    let Value::Gathered { kind, signed } = value else { return };
    let by_sign = |unsigned: Alu, with: Alu| if *signed { with } else { unsigned };
    let (less, greater) = (by_sign(Alu::LtU, Alu::LtS), by_sign(Alu::GtU, Alu::GtS));
    let add = |into: &mut [u64], from: &[u64]| {
        into.iter_mut().zip(from).for_each(|(into, from)| *into = into.wrapping_add(*from));
    };
    match kind {
        Aggregation::Min => best(into, from, BEST, less),
        Aggregation::Max => best(into, from, BEST, greater),
        Aggregation::Stats => {
            best(into, from, LEAST, less);
            best(into, from, GREATEST, greater);
            let squares = SQUARES as usize / 8;
            let wide = |words: &[u64]| u128::from(words[squares]) | u128::from(words[squares + 1]) << 64;
            let sum = wide(into).wrapping_add(wide(from));
            (into[squares], into[squares + 1]) = (sum as u64, (sum >> 64) as u64);
            let sums = LEAST as usize / 8;
            add(&mut into[..sums], &from[..sums]);
        }
        Aggregation::Tseries { by, .. } => {
            let better = if *by == Series::Min { less } else { greater };
            for (into, from) in into.chunks_exact_mut(SERIES_WORDS).zip(from.chunks_exact(SERIES_WORDS)) {
                merge_interval(into, from, *by, better);
            }
        }
        _ => add(into, from),
    }
}

/// Keeps the better of two numbers, of which each stands before whether it is there.
fn best(into: &mut [u64], from: &[u64], off: u32, better: Alu) {
    let at = off as usize / 8;
    if from[at + 1] != 0 && (into[at + 1] == 0 || alu(better as u8, from[at], into[at]) == 1) {
        into[at..at + 2].copy_from_slice(&from[at..at + 2]);
    }
}

/// Merges one interval of a time series: the later one stands, and where they are the same, their values are joined.
fn merge_interval(into: &mut [u64], from: &[u64], by: Series, better: Alu) {
    if from[0] > into[0] {
        into.copy_from_slice(from);
    } else if from[0] == into[0] && from[2] > 0 {
        match by {
            Series::Last if from[2] > into[2] => into.copy_from_slice(from),
            Series::Last => {}
            Series::Avg | Series::Sum => {
                into[1] = into[1].wrapping_add(from[1]);
                into[2] += from[2];
            }
            Series::Min | Series::Max => {
                if into[2] == 0 || alu(better as u8, from[1], into[1]) == 1 {
                    into[1] = from[1];
                }
                into[2] += from[2];
            }
        }
    }
}

/// Whether an entry was ever written: that of an array is always there.
fn is_set(map: &Map, words: &[u64]) -> bool {
    !map.storage.kind.is_array() || words.last() != Some(&0)
}

fn words(bytes: &[u8]) -> Words {
    bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().expect("a chunk has 8 bytes"))).collect()
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
