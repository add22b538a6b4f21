//! The embedded eBPF object, parsed once: its instructions, and where they name maps.

use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::RawFd;

use aya_obj::generated::{BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, bpf_insn};
use aya_obj::{EbpfSectionKind, Object};
use scope_common::plan::Image;

/// The compiled program; `cargo xtask build-ebpf` makes it from `ebpf/`.
static OBJECT: &[u8] = include_bytes!("../../../ebpf/prebuilt/scope.o");

/// A map that the program's instructions name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapName {
    /// The plan and other constants.
    Rodata,
    /// Frame memory beyond the stack.
    Scratch,
    /// A value of zeroes, to make entries from.
    Zeroes,
    /// Where records go.
    Ring,
    /// The loss counters.
    Losses,
    /// Which half of the swapped maps is written.
    Epoch,
    /// The stacks that were met.
    Stacks,
    /// A word that is always 0.
    Nothing,
    /// A map of the script.
    Slot(u8),
}

/// The program with its maps and its plan left open.
pub struct Template {
    instructions: Vec<bpf_insn>,
    /// Where an instruction loads the address of a map.
    uses: Vec<(usize, MapName)>,
    rodata: Vec<u8>,
    plan_at: usize,
    /// The licence that the kernel is told.
    pub license: CString,
}

/// The embedded object is not what this build expects: a bug of the build, not of a user.
#[derive(Debug, thiserror::Error)]
#[error("the embedded eBPF program is unusable: {0}")]
pub struct BadObject(String);

fn bad(error: impl ToString) -> BadObject {
    BadObject(error.to_string())
}

impl Template {
    /// Parses the embedded object.
    ///
    /// # Errors
    /// If the object lacks the program or a map, or was built for another plan format.
    pub fn embedded() -> Result<Template, BadObject> {
        let mut object = Object::parse(OBJECT).map_err(bad)?;
        let mut names = Vec::new();
        let mut maps = Vec::new();
        let mut rodata = Vec::new();
        for (name, map) in &object.maps {
            let meaning = match name.as_str() {
                "SCRATCH" => MapName::Scratch,
                "RING" => MapName::Ring,
                "STACKS" => MapName::Stacks,
                ".bss.zeroes" => MapName::Zeroes,
                ".bss.losses" => MapName::Losses,
                ".bss.epoch" => MapName::Epoch,
                _ if map.section_kind() == EbpfSectionKind::Bss => MapName::Nothing,
                _ if map.section_kind() == EbpfSectionKind::Rodata => {
                    rodata = map.data().to_vec();
                    MapName::Rodata
                }
                _ => {
                    let slot = name.strip_prefix('M').and_then(|slot| slot.parse().ok());
                    MapName::Slot(slot.ok_or_else(|| bad(format!("unknown map {name}")))?)
                }
            };
            maps.push((name.clone(), names.len() as RawFd, map.clone()));
            names.push(meaning);
        }
        let text = object.functions.keys().map(|(section, _)| *section).collect::<HashSet<_>>();
        // Not descriptors yet but indices into `names`: `instructions_with` puts the descriptors in their place.
        object.relocate_maps(maps.iter().map(|(name, fd, map)| (name.as_str(), *fd, map)), &text).map_err(bad)?;
        object.relocate_calls(&text).map_err(bad)?;
        let program = object.programs.get("scope").ok_or_else(|| bad("no program"))?;
        let license = program.license.clone();
        let instructions = object.functions[&program.function_key()].instructions.clone();
        let uses = instructions.iter().enumerate().filter_map(|(at, instruction)| {
            const LOAD_ADDRESS: u8 = 0x18;
            let of_map = matches!(u32::from(instruction.src_reg()), BPF_PSEUDO_MAP_FD | BPF_PSEUDO_MAP_VALUE);
            (instruction.code == LOAD_ADDRESS && of_map).then(|| (at, names[instruction.imm as usize]))
        });
        let uses = uses.collect();
        // The plan is the only thing that starts with the format's number at a place where an image fits.
        let plan_at = (0..rodata.len().saturating_sub(size_of::<Image>() - 1))
            .step_by(8)
            .find(|at| rodata[*at..*at + 8] == scope_common::plan::FORMAT.to_ne_bytes())
            .ok_or_else(|| bad("it was built for another plan format"))?;
        Ok(Template { instructions, uses, rodata, plan_at, license })
    }

    /// The number of instructions before the kernel specialises them.
    pub fn len(&self) -> usize {
        self.instructions.len()
    }

    /// The `.rodata` that holds this plan.
    pub fn rodata_with(&self, plan: &Image) -> Vec<u8> {
        let mut rodata = self.rodata.clone();
        // SAFETY: an image is made of integers without padding.
        let bytes = unsafe { std::slice::from_raw_parts((&raw const *plan).cast::<u8>(), size_of::<Image>()) };
        rodata[self.plan_at..self.plan_at + bytes.len()].copy_from_slice(bytes);
        rodata
    }

    /// The instructions with map descriptors in place.
    pub fn instructions_with(&self, fd_of: impl Fn(MapName) -> RawFd) -> Vec<bpf_insn> {
        let mut instructions = self.instructions.clone();
        for (at, name) in &self.uses {
            instructions[*at].imm = fd_of(*name);
        }
        instructions
    }
}
