//! A trace from compiled script to end: built, attached, polled, ended.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::task::Poll;
use std::time::Duration;

use aya::maps::{Map, MapData, RingBuf};
use scope_common::plan::{Code, Loss, MAX_MAPS};
use scope_dsl::probes::Site;
use scope_dsl::program::{Kind, Program};
use scope_dsl::source::Source;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::attach::{self, Link};
use crate::host::{self, Here};
use crate::kernel::bpf::ProgramInfo;
use crate::kernel::tracefs::Tracefs;
use crate::kernel::{memory, process};
use crate::load::maps::{KernelMaps, LARGE_VALUE};
use crate::load::{self, LoadError, Loaded};
use crate::noted::Noted;
use crate::output::Sink;
use crate::script::Functions;
use crate::stage::Stage;
use crate::tables::Tables;

/// A script in the kernel, attached to nothing yet.
pub struct Built {
    program: Program,
    stage: Stage,
    loaded: Vec<Loaded>,
    ring: Option<RingBuf<MapData>>,
    /// Instructions of the program before the kernel specialises it.
    pub instructions: usize,
}

/// Why a trace could not go on.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The kernel took it not.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Something failed around it.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        error: io::Error,
    },
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> TraceError {
    move |error| TraceError::Io { what, error }
}

impl Built {
    /// Makes the maps and loads the programs.
    ///
    /// # Errors
    /// If the kernel refuses one.
    pub fn new(
        program: Program,
        source: Source,
        functions: Option<Functions>,
        sink: Box<dyn Sink>,
    ) -> Result<Built, TraceError> {
        if program.reads_kernel_from_userspace() {
            memory::reader().map_err(failed("reading the kernel's memory"))?;
        }
        let in_kernel = program.clauses.iter().any(|clause| !clause.site.in_userspace());
        let (kernel, ring) = match in_kernel {
            true => {
                let (maps, ring) = KernelMaps::create(&program).map_err(LoadError::from)?;
                (Some(maps), ring)
            }
            false => (None, None),
        };
        let (loaded, instructions) = match &kernel {
            Some(maps) => load::load(&program, maps)?,
            None => (Vec::new(), 0),
        };
        let ring = ring.map(|ring| RingBuf::try_from(Map::RingBuf(ring))).transpose().map_err(LoadError::from)?;
        let tables = Tables::new(&program, kernel).map_err(failed("reading the number of CPUs"))?;
        let stage = Stage::new(&program, source, functions, tables, sink);
        Ok(Built { program, stage, loaded, ring, instructions })
    }

    /// The compiled script.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Says what `debugf` says.
    pub fn be_verbose(&mut self) {
        self.stage.verbose = true;
    }

    /// For each program in the kernel, the numbers of its clauses among the program's clauses.
    pub fn loaded(&self) -> impl Iterator<Item = &[usize]> {
        self.loaded.iter().map(|loaded| loaded.clauses.as_slice())
    }

    /// What the kernel made of each clause, by its number among the program's clauses.
    pub fn infos(&self) -> impl Iterator<Item = (usize, ProgramInfo)> {
        self.loaded.iter().flat_map(|loaded| {
            let info = loaded.info().unwrap_or_default();
            loaded.clauses.iter().map(move |clause| (*clause, info))
        })
    }

    /// Runs the BEGIN clauses, then attaches all others, in the kernel to one process where that can be done.
    ///
    /// # Errors
    /// If the kernel refuses an attachment.
    pub fn attach(mut self, tracefs: Option<&Tracefs>, pid: Option<u32>) -> Result<Attached, TraceError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed("starting the event loop"))?;
        // From here on a signal ends the trace as it should, even if it comes while programs are being attached.
        let signals = {
            let _inside = runtime.enter();
            Signals::listen(&self.program).map_err(failed("listening for signals"))?
        };
        run_clauses(&self.program, &mut self.stage, |site| matches!(site, Site::Begin { .. }));
        let (mut links, mut left_out) = (Vec::new(), Vec::new());
        if self.stage.exit.is_none() {
            let sites =
                self.loaded.iter().flat_map(|loaded| loaded.clauses.iter().map(move |clause| (loaded, *clause)));
            for (loaded, clause) in sites {
                let site = &self.program.clauses[clause].site;
                let attachment = attach::attach(loaded.fd(), site, tracefs, pid).map_err(|error| LoadError::Attach {
                    probe: self.program.probes[site.probe()].full.clone(),
                    reason: attach::reason(site, &error),
                    error,
                });
                let attachment = attachment?;
                links.extend(attachment.links);
                left_out.extend(attachment.left_out);
            }
        }
        Ok(Attached { built: self, links, left_out, runtime, signals })
    }
}

/// Runs the userspace clauses of some sites, in source order.
fn run_clauses(program: &Program, stage: &mut Stage, which: impl Fn(&Site) -> bool) {
    for clause in program.clauses.iter().filter(|clause| which(&clause.site)) {
        stage.tables.begin();
        host::execute(&clause.plan, &Here, stage);
    }
}

/// How many probes a program is attached to, as people count them.
#[must_use]
pub fn probes(program: &Program) -> usize {
    program.clauses.iter().map(|clause| clause.site.probes()).sum()
}

/// What ends a trace, beside the script itself and signals.
#[derive(Default)]
pub struct Ends {
    /// It ends with this started command.
    pub command: Option<Child>,
    /// It ends with this process.
    pub process: Option<OwnedFd>,
    /// The number of the process that is watched: its addresses keep their names after its end.
    pub watched: Option<u32>,
}

/// How a trace ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The exit status: the script's, or that of the started command.
    pub status: u8,
    /// The warnings that are due.
    pub warnings: Vec<String>,
    /// What broke the trace, if anything did.
    pub broken: Option<io::Error>,
}

/// A running trace.
pub struct Attached {
    built: Built,
    links: Vec<Link>,
    left_out: Vec<usize>,
    runtime: Runtime,
    signals: Signals,
}

/// The signals that a trace waits for.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Those that clauses of the script wait for, by their numbers.
    of_script: Vec<(u32, Signal)>,
}

impl Signals {
    /// Listens from now on.
    fn listen(program: &Program) -> io::Result<Signals> {
        let mut of_script = Vec::<(u32, Signal)>::new();
        for clause in &program.clauses {
            if let Site::Signal { signal: number, .. } = clause.site
                && of_script.iter().all(|(known, _)| *known != number)
            {
                of_script.push((number, signal(SignalKind::from_raw(number as i32))?));
            }
        }
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Signals { interrupt, terminate, of_script })
    }
}

/// How long nothing may have been done for missed ticks of an interval to be made up for.
const STANDSTILL: Duration = Duration::from_secs(1);

/// How often the ring buffer is looked at: often while records come, seldom while none do. Between, the kernel wakes
/// the reader when a quarter of the buffer is full.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(32);

impl Attached {
    /// Says that all is attached.
    pub fn announce(&mut self) {
        let probes = probes(&self.built.program) - self.left_out.len();
        self.built.stage.attached(probes);
    }

    /// Of the probes that patterns stand for, the names of those that could not be set.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        self.left_out.iter().map(|probe| self.built.program.probes[*probe].full.as_str())
    }

    /// Polls until the trace ends, then runs the END clauses and prints the maps.
    ///
    /// # Errors
    /// If signals, timers or descriptors can't be waited for.
    pub fn run(self, ends: Ends) -> Result<Outcome, TraceError> {
        let Attached { mut built, mut links, runtime, mut signals, .. } = self;
        let iterators = links.extract_if(.., |link| matches!(link, Link::Iterator(..))).collect::<Vec<_>>();
        let attached = !links.is_empty();
        let command = runtime
            .block_on(built.poll(ends, &mut signals, attached, iterators))
            .map_err(failed("waiting for events"))?;
        drop(links);
        Ok(built.end(command))
    }
}

impl Built {
    /// Waits and works until something ends the trace; gives the command if it was that which ended.
    async fn poll(
        &mut self,
        mut ends: Ends,
        signals: &mut Signals,
        attached: bool,
        iterators: Vec<Link>,
    ) -> io::Result<Option<Child>> {
        let Signals { interrupt, terminate, of_script } = signals;
        let watched = match (&ends.command, ends.process.take()) {
            (Some(child), _) => Some(reactor(process::pidfd(child.id())?)?),
            (None, Some(process)) => Some(reactor(process)?),
            (None, None) => None,
        };
        let ring = match &self.ring {
            Some(ring) => {
                // A descriptor of its own, for the reactor to own.
                // SAFETY: the ring is open.
                let ring = unsafe { BorrowedFd::borrow_raw(ring.as_raw_fd()) };
                Some(reactor(ring.try_clone_to_owned()?)?)
            }
            None => None,
        };
        let mut timers = self.timers();
        let waits = attached || !timers.is_empty() || !of_script.is_empty() || ends.command.is_some();
        // On a thread of its own: the records of many objects come while they are still gone through.
        let mut walk = (!iterators.is_empty()).then(|| tokio::task::spawn_blocking(|| walk(iterators)));
        let whose = ends.watched.or_else(|| ends.command.as_ref().map(Child::id));
        let mut noted = Noted::new(&self.program, whose);
        if noted.due().is_some() {
            self.stage.look_for_processes(&mut noted);
        }
        let mut wait = SHORTEST_WAIT;
        let mut reported = Instant::now();
        self.stage.flush();
        while self.stage.exit.is_none() && self.stage.broken.is_none() && (waits || walk.is_some()) {
            let next = timers.iter().map(|timer| timer.next).min();
            tokio::select! {
                biased;
                () = either(interrupt, terminate) => break,
                // What an iterator goes through is there whether or not the command is.
                () = readable(watched.as_ref()), if walk.is_none() => break,
                number = raised(of_script) => self.signalled(number),
                walked = finished(&mut walk) => {
                    walk = None;
                    walked?;
                }
                () = sleep_until(next) => self.tick(&mut timers),
                () = sleep_until(noted.due()) => self.stage.look_for_processes(&mut noted),
                () = records(ring.as_ref(), wait) => {}
            }
            let before = self.stage.records;
            self.read_records();
            wait = match self.stage.records > before {
                true => (wait / 2).max(SHORTEST_WAIT),
                false => (wait * 2).min(LONGEST_WAIT),
            };
            if reported.elapsed() > Duration::from_secs(1) {
                reported = Instant::now();
                self.report_lost_records();
            }
            self.stage.flush();
        }
        Ok(ends.command)
    }

    fn timers(&self) -> Vec<Timer> {
        let now = Instant::now();
        let clauses = self.program.clauses.iter().enumerate();
        let timers = clauses.filter_map(|(clause, described)| match described.site {
            Site::Interval { nanos, .. } => {
                let period = Duration::from_nanos(nanos);
                Some(Timer { clause, period, next: now + period })
            }
            _ => None,
        });
        timers.collect()
    }

    /// Runs the clauses of a signal, behind the records that came before.
    fn signalled(&mut self, number: u32) {
        self.read_records();
        let Built { program, stage, .. } = self;
        run_clauses(program, stage, |site| matches!(site, Site::Signal { signal, .. } if *signal == number));
    }

    /// Runs the interval clauses that are due, behind the records that came before.
    fn tick(&mut self, timers: &mut [Timer]) {
        self.read_records();
        let now = Instant::now();
        for timer in timers.iter_mut().filter(|timer| timer.next <= now) {
            if self.stage.exit.is_some() {
                return;
            }
            // The clocks that are waited for tick no faster than once in a millisecond: what came due since is made up for, but
            // not after a standstill.
            let late = now - timer.next;
            let due = if late > STANDSTILL { 1 } else { late.as_nanos() / timer.period.as_nanos().max(1) + 1 };
            for _ in 0..due {
                if self.stage.exit.is_some() {
                    return;
                }
                self.stage.tables.begin();
                host::execute(&self.program.clauses[timer.clause].plan, &Here, &mut self.stage);
                timer.next += timer.period;
            }
            if timer.next <= now {
                timer.next = now + timer.period;
            }
        }
    }

    fn read_records(&mut self) {
        let Built { ring, stage, .. } = self;
        let Some(ring) = ring else { return };
        // An endless stream must not keep the timers from their turn.
        for _ in 0..1 << 16 {
            let Some(record) = ring.next() else { return };
            stage.tables.begin();
            stage.take(&record);
        }
    }

    /// Says how many records were lost since it was said last.
    fn report_lost_records(&mut self) {
        let stage = &mut self.stage;
        if let Ok(losses) = stage.tables.losses() {
            let lost = losses[Loss::Record as usize];
            if lost > stage.lost_records {
                stage.lost(lost - stage.lost_records);
                stage.lost_records = lost;
            }
        }
    }

    fn end(mut self, command: Option<Child>) -> Outcome {
        let settled = self.stage.tables.settle();
        loop {
            let before = self.stage.records;
            self.read_records();
            if self.stage.records == before {
                break;
            }
        }
        let status = match command {
            Some(mut child) => process::ended(&mut child).map_or(1, process::exit_code),
            None => 0,
        };
        let exit = self.stage.exit.take();
        let Built { program, stage, loaded, .. } = &mut self;
        run_clauses(program, stage, |site| matches!(site, Site::End { .. }));
        stage.print_all();
        stage.failed(&program.failures);
        let mut warnings = Vec::new();
        let missed = loaded.iter().filter_map(|loaded| loaded.info().ok()).map(|info| info.missed).sum::<u64>();
        if missed > 0 {
            stage.lost(missed);
            let events = counted(missed, "event was", "events were");
            warnings.push(format!("{events} skipped by the kernel because a program was running on that CPU"));
        }
        self.report_lost_records();
        let stage = &mut self.stage;
        warnings.extend(stage_warnings(stage, &self.program));
        stage.flush();
        if let Err(error) = settled {
            warnings.push(format!("the last events may be missing: {error}"));
        }
        let status = exit.map_or(status, |exit| exit as u8);
        Outcome { status, warnings, broken: stage.broken.take() }
    }
}

/// A number of things, in the one form or the other.
fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Says what keeps the loops of kernel clauses from more rounds: the setting, or the verifier, which walks each of them.
fn why_so_few(program: &Program) -> String {
    let clauses = program.clauses.iter().filter(|clause| !clause.site.in_userspace());
    let ops = clauses.flat_map(|clause| &clause.plan.ops);
    let rounds = ops.filter(|op| op.code() == Code::Again as u8 && op.dst() == 1).map(|op| op.imm);
    let (set, fewer) = rounds.partition::<Vec<_>, _>(|rounds| *rounds >= program.config.max_loop_rounds.into());
    match (fewer.iter().min(), set.is_empty()) {
        (None, _) => "the setting max_loop_rounds sets it".to_owned(),
        (Some(least), true) => {
            format!("the kernel's verifier allows {least} rounds here: less in each makes room for more")
        }
        (Some(least), false) => format!(
            "the setting max_loop_rounds sets it, but the kernel's verifier allows only {least} rounds of one loop"
        ),
    }
}

/// What was lost beside records, and what failed.
fn stage_warnings(stage: &Stage, program: &Program) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Ok(losses) = stage.tables.losses() {
        let cut = losses[Loss::CutString as usize];
        if cut > 0 {
            let strings = counted(cut, "string was", "strings were");
            warnings.push(format!("{strings} cut at the longest there is; the setting max_strlen sets it"));
        }
        let cut = losses[Loss::CutLoop as usize];
        if cut > 0 {
            let loops = counted(cut, "loop was", "loops were");
            warnings.push(format!("{loops} cut at the most rounds there are; {}", why_so_few(program)));
        }
        let stacks = losses[Loss::Stack as usize];
        if stacks > 0 {
            let stacks = counted(stacks, "stack", "stacks");
            warnings.push(format!("{stacks} found no room, shown as <lost>"));
        }
        let writes = losses[Loss::Write as usize];
        if writes > 0 {
            warnings.push(format!("{} to a process's memory failed", counted(writes, "write", "writes")));
        }
        let busy = losses[Loss::Busy as usize];
        if busy > 0 {
            let events = counted(busy, "event was", "events were");
            warnings.push(format!("{events} skipped: too many programs were interrupted on that CPU at once"));
        }
        for map in 0..MAX_MAPS {
            let full = losses[Loss::MapFull as usize + map];
            if full > 0 {
                let name = stage.map_name(map);
                let entries = stage.tables.map(map).storage.entries;
                let storage = stage.tables.map(map).storage;
                let large = storage.kind == Kind::PerCpuHash && storage.value_size > LARGE_VALUE;
                let memory = if large { ", or the kernel had no memory for its large entries at once" } else { "" };
                let updates = counted(full, "update of a new key was", "updates of new keys were");
                warnings.push(format!(
                    "{name} was full ({entries} entries){memory}: {updates} lost; `let {name} = hash(N);` makes room for N"
                ));
            }
        }
    }
    for (name, count, first) in stage.functions().into_iter().flat_map(Functions::failures) {
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        warnings.push(format!("{name}() failed {times}; first: {first}"));
    }
    warnings
}

/// An interval clause and when it is due.
struct Timer {
    clause: usize,
    period: Duration,
    next: Instant,
}

/// Goes through the objects of iterators, one iterator after the other.
fn walk(iterators: Vec<Link>) -> io::Result<()> {
    // Nothing is written to it: the programs send records.
    let mut room = [0; 4096];
    for iterator in iterators {
        let Link::Iterator(_link, file) = iterator else { continue };
        let mut file = File::from(file);
        loop {
            match file.read(&mut room) {
                Ok(0) => break,
                Ok(_) => {}
                // After a million objects the kernel wants to be asked once more (`bpf_seq_read`, `kernel/bpf/bpf_iter.c`).
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Waits for the walk through the iterators' objects, if there is one.
async fn finished(walk: &mut Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match walk {
        Some(walk) => walk.await.map_err(io::Error::other)?,
        None => std::future::pending().await,
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Waits for the next signal, and gives its number.
async fn raised(signals: &mut [(u32, Signal)]) -> u32 {
    std::future::poll_fn(|context| {
        let mut raised = signals.iter_mut().filter_map(|(number, signal)| match signal.poll_recv(context) {
            Poll::Ready(_) => Some(*number),
            Poll::Pending => None,
        });
        raised.next().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Gives a descriptor to the event loop.
fn reactor(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor keeps its number for as long as it lives, and is closed only when it is dropped.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}

async fn readable(fd: Option<&AsyncFd<OwnedFd>>) {
    match fd {
        Some(fd) => drop(fd.readable().await),
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits until the ring buffer is worth a look.
async fn records(ring: Option<&AsyncFd<OwnedFd>>, wait: Duration) {
    let Some(ring) = ring else { return std::future::pending().await };
    if let Ok(Ok(mut ready)) = tokio::time::timeout(wait, ring.readable()).await {
        ready.clear_ready();
    }
}
