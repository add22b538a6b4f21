//! What `-d` and `-v` show, on standard error: what each stage of the compiler made of a script.

use std::io::{self, Write};

use scope_dsl::Compiled;

use super::args::Stage;
use crate::session::Built;

/// Shows the stages before the plan.
pub fn compiled(compiled: &Compiled, stage: Stage) -> io::Result<()> {
    let mut out = io::stderr();
    match stage {
        Stage::Ast => writeln!(out, "{:#?}", compiled.script),
        Stage::Checked => writeln!(out, "{}", compiled.checked),
        Stage::Plan | Stage::Kernel | Stage::All => Ok(()),
    }
}

/// Shows the plans, and what the kernel made of them.
pub fn built(built: &Built, stage: Option<Stage>) -> io::Result<()> {
    let mut out = io::stderr();
    let infos = built.infos().collect::<std::collections::HashMap<_, _>>();
    for (name, map) in &built.program().maps {
        let storage = map.storage;
        let place = if storage.in_kernel { "kernel" } else { "memory" };
        let swapped = if storage.swapped { ", swapped" } else { "" };
        writeln!(
            out,
            "map {name}: {:?} in {place}{swapped}, key {} bytes, value {} bytes, {} entries",
            storage.kind, storage.key_size, storage.value_size, storage.entries
        )?;
    }
    for (index, clause) in built.program().clauses.iter().enumerate() {
        let way = crate::attach::way(&clause.site);
        writeln!(
            out,
            "clause {}: {way}; {} ops, {} bytes of frame",
            clause.source + 1,
            clause.plan.ops.len(),
            clause.plan.frame
        )?;
        if matches!(stage, Some(Stage::Plan | Stage::All)) {
            write!(out, "{}", clause.plan)?;
        }
        if stage != Some(Stage::Plan)
            && let Some(info) = infos.get(&index)
        {
            writeln!(
                out,
                "  kernel: {} instructions specialised to {}, {} walked by the verifier, {} bytes of machine code",
                built.instructions, info.specialised, info.verified, info.machine_code
            )?;
        }
    }
    Ok(())
}
