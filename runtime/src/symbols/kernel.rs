//! The symbols of the kernel: `/proc/kallsyms`.
//!
//! Read here and not by blazesym, which is as quick to start (39 ms for 120,000 symbols, most of it the kernel's
//! writing of the list) but takes 1.5 µs for an address against 50 ns, half as much memory again, and drops the
//! modules' names.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use super::Symbol;

/// The first address of the kernel: below are processes, and the offsets of per-CPU data, which the list has too.
const KERNEL: u64 = 1 << 63;

/// The greatest distance from a symbol at which an address is taken to belong to it: the list has no sizes, and behind
/// the kernel's last symbol and between modules nothing is.
const FARTHEST: u64 = 1 << 20;

/// The symbols of the running kernel, read when the first is asked for. Modules and programs that are loaded later are
/// not among them.
#[derive(Debug, Default)]
pub struct KernelSymbols {
    table: OnceCell<Table>,
}

impl KernelSymbols {
    /// The symbol that an address belongs to; `None` if there is none, or if the kernel hides its addresses from us.
    #[must_use]
    pub fn symbol(&self, address: u64) -> Option<Symbol> {
        self.table().symbol(address)
    }

    /// The address of a symbol, that of the kernel itself if modules have it too.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<u64> {
        self.table().address(name)
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let opened = File::open("/proc/kallsyms");
            let read = opened.and_then(|file| Table::read(BufReader::with_capacity(1 << 16, file)));
            read.unwrap_or_default()
        })
    }
}

/// The symbols, sorted by address.
#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    /// All names, one behind the other: so a symbol costs its name and 16 bytes, and no allocation of its own.
    names: Vec<u8>,
    modules: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u64,
    /// Where the name begins.
    name: u32,
    name_len: u16,
    /// The number of the module, counted from 1; 0 for the kernel itself.
    module: u16,
}

impl Table {
    /// Reads lines like `ffffffffc0201000 t name [module]`. Those of address 0 are left out: that is what the kernel
    /// shows to those who may not know.
    fn read(mut lines: impl BufRead) -> io::Result<Table> {
        let mut table = Table::default();
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            table.add(&line);
            line.clear();
        }
        // Stable, and nearly sorted already.
        table.entries.sort_by_key(|entry| entry.address);
        table.entries.shrink_to_fit();
        table.names.shrink_to_fit();
        Ok(table)
    }

    fn add(&mut self, line: &[u8]) -> Option<()> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (address, _, name) = (fields.next()?, fields.next()?, fields.next()?);
        let address =
            u64::from_str_radix(std::str::from_utf8(address).ok()?, 16).ok().filter(|address| *address != 0)?;
        let module = fields.next().map(|module| String::from_utf8_lossy(module));
        let module = module.as_deref().map(|module| module.trim_start_matches('[').trim_end_matches(']'));
        let entry = Entry {
            address,
            name: self.names.len().try_into().ok()?,
            name_len: name.len().try_into().ok()?,
            module: module.map_or(Some(0), |module| self.module(module))?,
        };
        self.names.extend_from_slice(name);
        self.entries.push(entry);
        Some(())
    }

    /// The number of a module. Its symbols come in a row, so the last one is most often it.
    fn module(&mut self, name: &str) -> Option<u16> {
        let index = self.modules.iter().rposition(|known| known == name).unwrap_or_else(|| {
            self.modules.push(name.to_owned());
            self.modules.len() - 1
        });
        u16::try_from(index + 1).ok()
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        &self.names[entry.name as usize..][..entry.name_len as usize]
    }

    fn symbol(&self, address: u64) -> Option<Symbol> {
        let behind = self.entries.partition_point(|entry| entry.address <= address);
        let entry = &self.entries[behind.checked_sub(1)?];
        let offset = address - entry.address;
        (entry.address >= KERNEL && offset < FARTHEST).then(|| Symbol {
            name: String::from_utf8_lossy(self.name(entry)).into_owned(),
            offset,
            module: entry.module.checked_sub(1).map(|index| self.modules[index as usize].clone()),
        })
    }

    fn address(&self, name: &str) -> Option<u64> {
        let named = self.entries.iter().filter(|entry| self.name(entry) == name.as_bytes());
        named.min_by_key(|entry| entry.module != 0).map(|entry| entry.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_is_read() {
        let kernel = KernelSymbols::default();
        let list = std::fs::read_to_string("/proc/kallsyms").unwrap();
        let line = list.lines().find(|line| line.ends_with(" vfs_read")).expect("a function of every kernel");
        let address = u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap();
        if address == 0 {
            assert_eq!(kernel.address("vfs_read"), None);
            assert_eq!(kernel.symbol(0xffff_ffff_8100_0000), None);
            return;
        }
        assert_eq!(kernel.address("vfs_read"), Some(address));
        let symbol = |offset| Some(Symbol { name: "vfs_read".to_owned(), offset, module: None });
        assert_eq!(kernel.symbol(address), symbol(0));
        assert_eq!(kernel.symbol(address + 5), symbol(5));
        assert_ne!(kernel.symbol(address - 1), symbol(0));
        assert_eq!(kernel.symbol(0), None);
        assert_eq!(kernel.symbol(u64::MAX), None);
        assert_eq!(kernel.address("no_such_symbol"), None);
    }

    #[test]
    fn modules_are_told_from_the_kernel() {
        let list = "0000000000001000 A cpu_data\n\
                    ffffffffc0000000 t init\t[first]\n\
                    ffffffffc0001000 t init\t[second]\n\
                    ffffffff81000100 T init\n\
                    ffffffffc0001800 t late\t[first]\n\
                    0000000000000000 T hidden\n\
                    nonsense\n\
                    \n";
        let table = Table::read(list.as_bytes()).unwrap();
        let found = |address| table.symbol(address).map(|symbol| (symbol.name, symbol.offset, symbol.module));
        let module = |name: &str| Some(name.to_owned());
        assert_eq!(found(0xffff_ffff_8100_0110), Some(("init".to_owned(), 0x10, None)));
        assert_eq!(found(0xffff_ffff_c000_0001), Some(("init".to_owned(), 1, module("first"))));
        assert_eq!(found(0xffff_ffff_c000_1002), Some(("init".to_owned(), 2, module("second"))));
        assert_eq!(found(0xffff_ffff_c000_1803), Some(("late".to_owned(), 3, module("first"))));
        assert_eq!(found(0xffff_ffff_8200_0000), None);
        assert_eq!(found(0xffff_ffff_0000_0000), None);
        assert_eq!(found(0x1004), None);
        assert_eq!(table.address("init"), Some(0xffff_ffff_8100_0100));
        assert_eq!(table.address("hidden"), None);
        assert_eq!(table.address("cpu_data"), Some(0x1000));
    }

    #[test]
    fn a_kernel_that_hides_its_addresses_has_no_symbols() {
        let table = Table::read(&b"0000000000000000 T vfs_read\n0000000000000000 t init\t[first]\n"[..]).unwrap();
        assert_eq!((table.address("vfs_read"), table.symbol(0), table.symbol(u64::MAX)), (None, None, None));
    }
}
