//! Random programs, run in userspace and in the kernel: what they print is the same, byte for byte.
//!
//! `differential --count N --seed S` makes the programs of the seeds S, S + 1, ... A program that fails is made smaller as
//! far as it still fails in the same way. `--only-load` only has the kernel's verifier take them, for kernels on slow
//! machines; `--heavy` makes programs of long loops and many aggregations; `--patience` is how many seconds a failure is
//! made smaller.

mod generate;
mod random;
mod tree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tree::Program;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut given = BTreeMap::new();
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "--make-the-call" => return make_the_call(),
            "--only-load" | "--heavy" | "--show" => Some(String::new()),
            "--scope" | "--count" | "--seed" | "--patience" | "--without" => words.next(),
            _ => None,
        };
        let Some(value) = value else { return usage(&word) };
        given.insert(word, value);
    }
    let number = |name: &str, otherwise: u64| match given.get(name) {
        Some(value) => value.parse::<u64>().ok(),
        None => Some(otherwise),
    };
    let numbers = (number("--count", 500), number("--seed", 1), number("--patience", 20));
    let (Some(count), Some(seed), Some(patience)) = numbers else { return usage("no number") };
    let scope = given.get("--scope").map_or_else(|| PathBuf::from("target/release/scope"), PathBuf::from);
    let (only_load, heavy) = (given.contains_key("--only-load"), given.contains_key("--heavy"));
    // What is known to be broken can be left out, by words that the programs hold.
    let left_out = given.get("--without").map(|words| words.split(',').collect::<Vec<_>>()).unwrap_or_default();
    let programs = (seed..seed + count).map(|seed| generate::program(seed, heavy));
    let programs = programs.filter(|program| !left_out.iter().any(|word| program.clause("").contains(word)));
    if given.contains_key("--show") {
        programs.for_each(|program| println!("{}", program.clause("case")));
        return ExitCode::SUCCESS;
    }
    let runner = Runner { scope, only_load, heavy, patience: Duration::from_secs(patience) };
    runner.all(&programs.collect::<Vec<_>>())
}

fn usage(word: &str) -> ExitCode {
    eprintln!(
        "differential: unexpected: {word}\nusage: differential [--scope PATH] [--count N] [--seed S] [--only-load] [--heavy] [--patience SECONDS]\n    [--without WORD,...] [--show]"
    );
    ExitCode::from(2)
}

/// `vmsplice`: nothing else on a machine calls it, and with no such descriptor it does nothing.
const CALL: libc::c_long = libc::SYS_vmsplice;

/// Makes the one system call that runs the programs in the kernel.
fn make_the_call() -> ExitCode {
    // SAFETY: a system call that refuses its arguments and does nothing.
    unsafe { libc::syscall(CALL, -1, 0, 0, 0) };
    ExitCode::SUCCESS
}

/// Programs in one script: each takes a few of the 64 maps.
const BATCH: usize = 6;
/// Failures that are made smaller and shown; of more there are only the seeds.
const SHOWN: usize = 6;

/// What is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wrong {
    /// The output in the kernel is another.
    Differs,
    /// What the compiler computes is another than what the machine does.
    Folded,
    /// The checker took it, the kernel's verifier did not.
    Refused,
    /// The compiler did not take it, with this error.
    Ill(String),
    /// scope crashed, or failed otherwise.
    Crashed,
}

/// What came of programs.
enum Ran {
    Well,
    /// It is too much for a plan or for the verifier, and the compiler says so.
    TooMuch,
    Wrong(Wrong, String),
}

struct Runner {
    scope: PathBuf,
    only_load: bool,
    heavy: bool,
    /// How long one failure is made smaller.
    patience: Duration,
}

#[derive(Default)]
struct Tally {
    well: usize,
    too_much: usize,
    wrong: Vec<(Program, Wrong, String)>,
}

impl Runner {
    fn all(&self, programs: &[Program]) -> ExitCode {
        let start = Instant::now();
        let batches = programs.chunks(BATCH).collect::<Vec<_>>();
        let next = AtomicUsize::new(0);
        let tally = Mutex::new(Tally::default());
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        std::thread::scope(|threads| {
            for _ in 0..workers {
                threads.spawn(|| {
                    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.batch(batch, &tally);
                    }
                });
            }
        });
        let mut tally = tally.into_inner().expect("no worker panicked");
        tally.wrong.sort_by_key(|(program, ..)| program.seed);
        for (index, (program, wrong, told)) in tally.wrong.iter().enumerate() {
            self.report(program, wrong, told, index < SHOWN);
        }
        let ways = if self.only_load { "loaded" } else { "the same in userspace and in the kernel" };
        let wrong = tally.wrong.len();
        println!(
            "differential: {} programs: {} {ways}, {} too much for a clause, {wrong} failed; {:.1} s",
            programs.len(),
            tally.well,
            tally.too_much,
            start.elapsed().as_secs_f64()
        );
        // A generator whose programs are all refused would test nothing.
        let enough = tally.well * 2 >= programs.len();
        if !enough {
            println!("differential: fewer than half of the programs were run");
        }
        ExitCode::from(u8::from(wrong > 0 || !enough))
    }

    /// Runs programs together; if that fails, each half by itself.
    fn batch(&self, programs: &[Program], tally: &Mutex<Tally>) {
        match (self.run(programs), programs) {
            (Ran::Well, programs) => tally.lock().expect("no worker panicked").well += programs.len(),
            (Ran::TooMuch, [_]) => tally.lock().expect("no worker panicked").too_much += 1,
            (Ran::Wrong(wrong, told), [program]) => {
                tally.lock().expect("no worker panicked").wrong.push((program.clone(), wrong, told));
            }
            (_, programs) => {
                let (first, second) = programs.split_at(programs.len() / 2);
                self.batch(first, tally);
                self.batch(second, tally);
            }
        }
    }

    fn run(&self, programs: &[Program]) -> Ran {
        let kernel = match self.scope(programs, true) {
            Ok(kernel) => kernel,
            Err(ran) => return ran,
        };
        if self.only_load {
            return Ran::Well;
        }
        let userspace = match self.scope(programs, false) {
            Ok(userspace) => userspace,
            Err(ran) => return ran,
        };
        if let Some(told) = folded_otherwise(&userspace) {
            return Ran::Wrong(Wrong::Folded, told);
        }
        if userspace == kernel {
            return Ran::Well;
        }
        Ran::Wrong(Wrong::Differs, difference(&userspace, &kernel))
    }

    /// Runs programs as one script in one world; gives what they print.
    fn scope(&self, programs: &[Program], kernel: bool) -> Result<String, Ran> {
        let script = script(programs, kernel);
        // The verifier walks as many rounds as a loop may have, which are few here.
        let rounds = if self.heavy { "max_loop_rounds=1000" } else { "max_loop_rounds=5" };
        let settings = ["json_key_lists=1", "stats_detail=1", rounds];
        let mut command = Command::new(&self.scope);
        command.args(["-q", "-f", "json"]).args(settings.iter().flat_map(|setting| ["--config", setting]));
        if self.only_load {
            command.arg("--dry-run");
        }
        command.args(["-e", &script]);
        if kernel {
            let own = std::env::current_exe().expect("the path of this program");
            command.arg("--").arg(own).arg("--make-the-call");
        }
        let output = command.stdin(Stdio::null()).output();
        let Output { status, stdout, stderr } = output.expect("scope can be started");
        let (stdout, stderr) =
            (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
        let place = if kernel { "in the kernel" } else { "in userspace" };
        let told = format!("{place}:\n{}", stderr.trim_end());
        // Loops that were cut have said so.
        const LIMITS: [&str; 6] =
            ["error[E0401]", "error[E0402]", "error[E0403]", "error[E0404]", "error[E0405]", "loop"];
        match status.code() {
            Some(0) if stderr.is_empty() => Ok(stdout),
            Some(0 | 2) if LIMITS.iter().any(|limit| stderr.contains(limit)) => Err(Ran::TooMuch),
            Some(2) => {
                let code = stderr.split("error[").nth(1).and_then(|rest| rest.split(']').next());
                Err(Ran::Wrong(Wrong::Ill(code.unwrap_or_default().to_owned()), told))
            }
            Some(1) if stderr.contains("kernel refused") || stderr.contains("too large") => {
                Err(Ran::Wrong(Wrong::Refused, told))
            }
            _ => Err(Ran::Wrong(Wrong::Crashed, format!("{told}\n{status}"))),
        }
    }

    /// Says what is wrong with a program, and the least of it that still is.
    fn report(&self, program: &Program, wrong: &Wrong, told: &str, shown: bool) {
        let flags = [(self.only_load, " --only-load"), (self.heavy, " --heavy")];
        let flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect::<String>();
        let title = match wrong {
            Wrong::Differs => "gives something else in the kernel",
            Wrong::Folded => "gives something else where the compiler computes it",
            Wrong::Refused => "is refused by the kernel's verifier, though the checker took it",
            Wrong::Ill(_) => "is refused by the compiler: the generator made a wrong program",
            Wrong::Crashed => "makes scope fail",
        };
        println!(
            "differential: the program of seed {} {title}; `differential --seed {} --count 1{flags}` runs it",
            program.seed, program.seed
        );
        if !shown {
            return;
        }
        let (program, told) = self.smallest(program, wrong, told);
        println!("{}{told}", program.clause("case"));
        if *wrong == Wrong::Refused {
            println!("the plan has {} ops", self.plan_size(&program));
        }
        println!();
    }

    /// Takes away what a program fails without.
    fn smallest(&self, program: &Program, wrong: &Wrong, told: &str) -> (Program, String) {
        let start = Instant::now();
        let (mut least, mut told) = (program.clone(), told.to_owned());
        let mut again = true;
        while std::mem::take(&mut again) {
            let mut way = 0;
            while let Some(smaller) = tree::smaller(&least, way) {
                if start.elapsed() > self.patience {
                    return (least, told);
                }
                match self.run(std::slice::from_ref(&smaller)) {
                    Ran::Wrong(also, now) if also == *wrong => {
                        (least, told) = (smaller, now);
                        again = true;
                    }
                    _ => way += 1,
                }
            }
        }
        (least, told)
    }

    fn plan_size(&self, program: &Program) -> usize {
        let mut command = Command::new(&self.scope);
        command.args(["-v", "--dry-run", "-e", &script(std::slice::from_ref(program), true), "--", "true"]);
        let shown = command.stdin(Stdio::null()).output().map(|output| output.stderr).unwrap_or_default();
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let plan = shown.split("plan:\n").nth(1).and_then(|rest| rest.split("verifier:\n").next()).unwrap_or_default();
        plan.lines().count()
    }
}

/// Programs as one script.
fn script(programs: &[Program], kernel: bool) -> String {
    let probe = if kernel { format!("sys_enter /pid == cpid && args.id == {CALL}/") } else { "BEGIN".to_owned() };
    programs.iter().map(|program| program.clause(&probe)).collect()
}

/// What was computed by the compiler and came out as something else when it was run, in the line behind.
fn folded_otherwise(printed: &str) -> Option<String> {
    let mut lines = printed.lines();
    while let Some(line) = lines.next() {
        if line.contains("[\"known\",") {
            let run = lines.next().unwrap_or_default();
            if line.replace("[\"known\",", "[\"run\",") != run {
                return Some(format!("{line}\n{run}"));
            }
        }
    }
    None
}

/// The first line that differs.
fn difference(userspace: &str, kernel: &str) -> String {
    let (mut left, mut right) = (userspace.lines(), kernel.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return "only the ends of lines differ".to_owned(),
            (one, other) if one != other => {
                let show = |line: Option<&str>| line.unwrap_or("nothing").to_owned();
                return format!("in userspace:  {}\nin the kernel: {}", show(one), show(other));
            }
            _ => {}
        }
    }
}
