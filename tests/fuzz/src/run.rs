//! Any script whose clauses are all `BEGIN` or `END` runs in userspace, with few rounds of each loop; its JSON is JSON.
#![no_main]

#[path = "shared.rs"]
mod shared;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use scope::host::{self, Here};
use scope::output::{self, Format};
use scope::stage::Stage;
use scope::tables::Tables;
use scope_common::plan::{Code, Op};
use scope_dsl::probes::Site;
use scope_dsl::source::{NoImports, Source};
use scope_dsl::{Options, compile};
use scope_tests::Recorded;
use shared::Kept;

/// Rounds of a loop at most.
const ROUNDS: u64 = 5;

fuzz_target!(|text: &str| {
    static KERNEL: OnceLock<Recorded> = OnceLock::new();
    let kernel = KERNEL.get_or_init(Recorded::open);
    let mut source = Source::new("fuzz", text);
    let Some(mut program) = compile(&mut source, &NoImports, kernel, Options::default()).program else { return };
    let here = |site: &Site| matches!(site, Site::Begin { .. } | Site::End { .. });
    // A file that is printed may be one without end, and is none of ours.
    if !program.clauses.iter().all(|clause| here(&clause.site)) || text.contains("cat") {
        return;
    }
    for op in program.clauses.iter_mut().flat_map(|clause| &mut clause.plan.ops) {
        if op.code() == Code::Again as u8 {
            *op = Op { word: op.word, imm: op.imm.min(ROUNDS) };
        }
    }
    let kept = Kept::default();
    let sink = output::open(Format::Json, &program.config, Box::new(kept.clone()));
    let tables = Tables::new(&program, None).expect("tables in memory");
    let mut stage = Stage::new(&program, source, None, tables, sink);
    for clause in &program.clauses {
        stage.tables.begin();
        host::execute(&clause.plan, &Here, &mut stage);
    }
    stage.print_all();
    stage.flush();
    drop(stage);
    kept.is_json();
});
