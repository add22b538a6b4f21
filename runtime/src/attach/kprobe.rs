//! Programs to functions of the kernel, by kprobes.

use std::ffi::CString;
use std::io;
use std::os::fd::BorrowedFd;

use scope_dsl::probes::function::KernelTarget;

use super::{Attachment, Link};
use crate::kernel::{links, perf};

/// Attaches a program to functions: several with one system call, where the kernel can (5.18 and later, with
/// CONFIG_FPROBE), else with one for each. Of several, those are left out that can't be probed.
pub(super) fn attach(program: BorrowedFd<'_>, targets: &[KernelTarget], exit: bool) -> io::Result<Attachment> {
    let mut attachment = Attachment::default();
    let [first, ..] = targets else { return Ok(attachment) };
    if targets.len() == 1 {
        attachment.links.push(one(program, first, exit)?);
        return Ok(attachment);
    }
    let refused = match links::can_attach_kprobes() {
        true => each_half(program, targets, exit, &mut attachment)?,
        false => each(program, targets, exit, &mut attachment),
    };
    match refused {
        Some(error) if attachment.links.is_empty() => Err(error),
        _ => Ok(attachment),
    }
}

fn one(program: BorrowedFd<'_>, target: &KernelTarget, exit: bool) -> io::Result<Link> {
    let function = CString::new(target.function.as_str())?;
    let event = perf::kprobe(&function, target.offset, exit)?;
    Ok(Link::Perf(vec![links::attach_perf_event(program, event, target.cookie)?]))
}

/// Gives the last refusal, if there was one.
fn each(
    program: BorrowedFd<'_>,
    targets: &[KernelTarget],
    exit: bool,
    attachment: &mut Attachment,
) -> Option<io::Error> {
    let mut refused = None;
    for target in targets {
        match one(program, target, exit) {
            Ok(link) => attachment.links.push(link),
            Err(error) => {
                attachment.left_out.push(target.probe);
                refused = Some(error);
            }
        }
    }
    refused
}

/// The kernel takes all or none: where one can't be probed, the halves are tried, down to the one that it is. Gives the last
/// refusal, if there was one.
fn each_half(
    program: BorrowedFd<'_>,
    targets: &[KernelTarget],
    exit: bool,
    attachment: &mut Attachment,
) -> io::Result<Option<io::Error>> {
    let cannot = [libc::ESRCH, libc::EINVAL, libc::ENOENT, libc::EADDRNOTAVAIL];
    match links::attach_kprobes(program, targets, exit) {
        Ok(link) => attachment.links.push(Link::Multi(link)),
        Err(error) if !error.raw_os_error().is_some_and(|code| cannot.contains(&code)) => return Err(error),
        Err(error) if targets.len() == 1 => {
            attachment.left_out.push(targets[0].probe);
            return Ok(Some(error));
        }
        Err(_) => {
            let (first, second) = targets.split_at(targets.len() / 2);
            let refused = each_half(program, first, exit, attachment)?;
            return Ok(each_half(program, second, exit, attachment)?.or(refused));
        }
    }
    Ok(None)
}
