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
        Stage::Plan | Stage::Kernel | Stage::Attach | Stage::All => Ok(()),
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

/// Shows how each clause is attached: clauses of one text together, with how many programs they are.
pub fn attached(built: &Built) -> io::Result<()> {
    let mut out = io::stderr();
    let program = built.program();
    for (at, clause) in program.clauses.iter().enumerate() {
        if at == 0 || program.clauses[at - 1].source != clause.source {
            let own = || {
                built.loaded().filter(|clauses| clauses.iter().any(|own| program.clauses[*own].source == clause.source))
            };
            let probes = program.clauses.iter().filter(|other| other.source == clause.source);
            let probes = probes.map(|other| other.site.probes()).sum::<usize>();
            let plural = |number: usize| if number == 1 { "" } else { "s" };
            let programs = own().count();
            let in_kernel = match programs {
                0 => String::new(),
                _ => format!(", {programs} program{} in the kernel", plural(programs)),
            };
            writeln!(out, "clause {}: {probes} probe{}{in_kernel}", clause.source + 1, plural(probes))?;
        }
        writeln!(out, "  {}", crate::attach::way(&clause.site))?;
        let choice = crate::attach::choice(&clause.site);
        // What several sites in a row have in common is said once.
        let next = program.clauses.get(at + 1).filter(|next| next.source == clause.source);
        if next.is_some_and(|next| crate::attach::choice(&next.site) == choice) {
            continue;
        }
        if let Some(choice) = choice {
            writeln!(out, "    instead of: {}\n    because: {}", choice.instead_of, choice.because)?;
        }
    }
    Ok(())
}
