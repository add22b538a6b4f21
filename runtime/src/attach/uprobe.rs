//! Programs to functions of programs and libraries.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::BorrowedFd;

use scope_dsl::probes::uprobe::Target;

use super::{Attachment, Link};
use crate::kernel::{links, perf, release};

/// `ENOTSUPP`, which the C library has no name for (`include/linux/errno.h`): an instruction that can't be probed.
const ENOTSUPP: i32 = 524;

/// Attaches a program to places in a file, in all processes or in one: with one system call for all, where the kernel can (6.6 and later), else with
/// one for each. Of several, those are left out whose first instruction can't be probed.
pub(super) fn attach(
    program: BorrowedFd<'_>,
    path: &str,
    targets: &[Target],
    exit: bool,
    pid: Option<u32>,
) -> io::Result<Attachment> {
    let place = Place { program, path: &CString::new(path)?, exit, pid };
    let mut attachment = Attachment::default();
    match targets {
        [one] => attachment.links.push(place.one(one)?),
        several => match place.several(several, &mut attachment) {
            // A kernel that does not know how.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => place.each(several, &mut attachment)?,
            attached => attached?,
        },
    }
    Ok(attachment)
}

fn cannot_be_probed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ENOTSUPP | libc::EOPNOTSUPP | libc::EIO | libc::EILSEQ))
}

struct Place<'a> {
    program: BorrowedFd<'a>,
    path: &'a CStr,
    exit: bool,
    /// The process that is watched; the others then pay nothing for the probes.
    pid: Option<u32>,
}

/// From when on several places can be probed in one process: before, it was one thread
/// (`uprobe_prog_run`, `kernel/trace/bpf_trace.c`).
const SEVERAL_IN_ONE_PROCESS: (u32, u32) = (6, 12);

impl Place<'_> {
    fn one(&self, target: &Target) -> io::Result<Link> {
        let event = perf::uprobe(self.path, target.offset, target.semaphore, self.exit, self.pid)?;
        Ok(Link::Perf(vec![links::attach_perf_event(self.program, event, target.cookie)?]))
    }

    fn each(&self, targets: &[Target], attachment: &mut Attachment) -> io::Result<()> {
        for target in targets {
            match self.one(target) {
                Err(error) if cannot_be_probed(&error) => attachment.left_out.push(target.probe),
                link => attachment.links.push(link?),
            }
        }
        Ok(())
    }

    /// The kernel takes all or none: where one can't be probed, the halves are tried, down to the one that it is.
    fn several(&self, targets: &[Target], attachment: &mut Attachment) -> io::Result<()> {
        let pid = self.pid.filter(|_| release() >= SEVERAL_IN_ONE_PROCESS);
        match links::attach_uprobes(self.program, self.path, targets, self.exit, pid) {
            Ok(link) => attachment.links.push(Link::Multi(link)),
            Err(error) if !cannot_be_probed(&error) => return Err(error),
            Err(_) if targets.len() == 1 => attachment.left_out.push(targets[0].probe),
            Err(_) => {
                let (first, second) = targets.split_at(targets.len() / 2);
                self.several(first, attachment)?;
                self.several(second, attachment)?;
            }
        }
        Ok(())
    }
}
