//! Where a process has mapped code: the lines of `/proc/PID/maps`.

/// A file, told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    device: (u32, u32),
    /// Its inode number.
    pub inode: u64,
}

/// A region that may be executed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Region {
    /// Its first address.
    pub start: u64,
    /// The address behind its last.
    pub end: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// The file; none if there is none behind it.
    pub file: Option<FileId>,
    /// The path of the file or the kernel's name for the region; empty for memory that has neither.
    pub path: String,
    /// Its name in `/proc/PID/map_files`.
    pub range: String,
}

/// Reads the regions that may be executed, in the order of their addresses.
pub(super) fn parse(maps: &str) -> Vec<Region> {
    maps.lines().filter_map(region).collect()
}

/// Reads `7f00-7f10 r-xp 00026000 fd:00 1573   /usr/lib/libc.so.6`.
fn region(line: &str) -> Option<Region> {
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after;
        field
    };
    let (range, access, offset, device, inode) = (field(), field(), field(), field(), field());
    if access.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = range.split_once('-')?;
    let (major, minor) = device.split_once(':')?;
    let device = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    let inode = inode.parse().ok()?;
    let path = rest.trim_start_matches(' ');
    Some(Region {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(offset)?,
        file: (inode != 0).then_some(FileId { device, inode }),
        path: path.strip_suffix(" (deleted)").unwrap_or(path).to_owned(),
        range: range.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_give_regions() {
        let maps = "55d0-55d8 r--p 00000000 fd:00 12                         /usr/bin/a\n\
                    55d8-55e0 r-xp 00008000 fd:1f 12                         /usr/bin/a b (deleted)\n\
                    7f00-7f10 rwxp 00000000 00:00 0 \n\
                    7ff0-7ff2 r-xp 00000000 00:00 0                          [vdso]\n\
                    nonsense\n\n\
                    7ff0 r-xp\n";
        let regions = parse(maps);
        assert_eq!(regions.len(), 3);
        assert_eq!(
            regions[0],
            Region {
                start: 0x55d8,
                end: 0x55e0,
                offset: 0x8000,
                file: Some(FileId { device: (0xfd, 0x1f), inode: 12 }),
                path: "/usr/bin/a b".to_owned(),
                range: "55d8-55e0".to_owned(),
            }
        );
        assert_eq!((regions[1].file, regions[1].path.as_str()), (None, ""));
        assert_eq!((regions[2].file, regions[2].path.as_str()), (None, "[vdso]"));
    }
}
