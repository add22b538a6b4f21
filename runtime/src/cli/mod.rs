//! The command line: the only part that prints beside the sinks, and decides how the process ends.

mod args;
mod bundled;
mod list;
pub mod render;
mod script;
mod show;
mod stdout;
mod words;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::FromRawFd;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use scope_dsl::Options;
use scope_dsl::check::ScriptOption;
use scope_dsl::config::{self, Config, Refused};
use scope_dsl::diagnostic::{Diagnostic, Severity, nearest};
use scope_dsl::lower::BUDGETS;
use scope_dsl::only::{Inner, Only};
use scope_dsl::probes::{NOT_HERE, Site};
use scope_dsl::program::Program;
use scope_dsl::source::Source;
use scope_dsl::types::Type;

use crate::kernel::facts::LiveFacts;
use crate::kernel::process::{self, Started};
use crate::kernel::tracefs::Tracefs;
use crate::load::LoadError;
use crate::names::cgroups::Cgroups;
use crate::names::users::Users;
use crate::output::{self, Format, Sink};
use crate::script::Functions;
use crate::session::{Attached, Built, Ends, TraceError};
use args::{Args, Stage};

/// How the process fails: a message, and whose fault it is.
enum Failure {
    /// The user's: exit status 2.
    Mistake(String),
    /// The machine's, or ours: exit status 1.
    Failed(String),
    /// Standard output is closed: nobody is there to be told.
    Silent,
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    match run(&Args::read()) {
        Ok(status) => ExitCode::from(status),
        Err(Failure::Silent) => ExitCode::SUCCESS,
        Err(Failure::Mistake(message)) => {
            complain(&message);
            ExitCode::from(2)
        }
        Err(Failure::Failed(message)) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn complain(message: &str) {
    // Where even standard error is closed, there is nothing left to do.
    let _ = io::stderr().write_all(message.as_bytes());
}

fn mistake(message: impl std::fmt::Display) -> Failure {
    Failure::Mistake(format!("error: {message}\n"))
}

fn failure(message: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("error: {message}\n"))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Silent,
        _ => failure(format!("writing the output: {error}")),
    })
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    written(io::stdout().write_all(text.as_bytes()))
}

fn run(args: &Args) -> Result<u8, Failure> {
    if stdout::was_closed() && args.output.is_none() {
        return Err(failure("standard output is closed: there is nowhere to write to"));
    }
    if args.version {
        return print(&Args::command().render_version()).map(|()| 0);
    }
    if let Some(done) = words::run(args) {
        return done;
    }
    let tracefs = Tracefs::find();
    if args.list
        && !args.help
        && let Some(wanted) = list::wanted(args)
    {
        return list::probes(args, &tracefs, &wanted);
    }
    let Some(mut source) = script::source(args)? else {
        let help = Args::command().render_help();
        if args.help {
            written(write!(io::stdout(), "{help}"))?;
            return Ok(0);
        }
        unknown_option(args, &[])?;
        return Err(Failure::Mistake(format!(
            "error: nothing to run: give `-e PROGRAM`, a script file or a bundled script\n\n{help}"
        )));
    };
    if let Some(pid) = args.pid {
        process::check(pid).map_err(mistake)?;
    }
    let runs = !args.help && !args.list;
    if runs && needs_kernel(&source) {
        check_capabilities()?;
    }
    let command = command(args)?;
    let started = match &command {
        Some(command) if runs && !args.dry_run => {
            let held = Started::hold(command);
            Some(held.map_err(|error| failure(format!("starting {}: {error}", command[0].display())))?)
        }
        _ => None,
    };
    let facts = LiveFacts::new(tracefs.as_ref().ok()).seen_by(args.pid);
    let options = Options {
        rewrite: !args.no_rewrite,
        pid: args.pid.filter(|_| !args.follow && process::pid_level() == 0),
        only: if args.help { Only::default() } else { only(args, started.as_ref().map(|started| started.pid))? },
        cpid: started.as_ref().map(|started| started.pid).or(command.as_ref().map(|_| 0)),
        start: process::boot_nanos(),
        // With `-e` there is no script to name: the first word is an argument already.
        arguments: args.script.iter().filter(|_| args.program.is_some()).chain(&args.arguments).cloned().collect(),
        options: args.options.clone(),
        settings: settings(args)?,
        may_harm: args.may_harm,
        failures: args.failures,
        budget: BUDGETS[0],
        show_checked: args.debug == Some(Stage::Checked),
    };
    if args.help {
        let compiled = scope_dsl::compile(&mut source, &script::Files, &facts, options);
        written(io::stdout().write_all(script::help(args, &source, &compiled.options).as_bytes()))?;
        return Ok(0);
    }
    if args.list {
        return list::of_script(args, &mut source, &facts, &tracefs, options);
    }
    let mut built = build(args, source.clone(), &facts, options.clone())?;
    for budget in &BUDGETS[1..] {
        // The verifier gave up: loops get fewer rounds, or the clause is too much.
        if matches!(&built, Err(TraceError::Load(error)) if error.is_too_large()) {
            built = build(args, source.clone(), &facts, Options { budget: *budget, ..options.clone() })?;
        }
    }
    let mut built = built.map_err(|error| explain(&error, args))?;
    if args.verbose {
        built.be_verbose();
    }
    if args.verbose || matches!(args.debug, Some(Stage::Plan | Stage::Kernel | Stage::All)) {
        written(show::built(&built, args.debug))?;
    }
    if args.explain || args.debug == Some(Stage::Attach) {
        written(show::attached(&built))?;
    }
    if args.dry_run {
        return Ok(0);
    }
    trace(args, built, started, tracefs.as_ref().ok())
}

/// Compiles a script and puts it into the kernel.
fn build(
    args: &Args,
    mut source: Source,
    facts: &LiveFacts<'_>,
    options: Options,
) -> Result<Result<Built, TraceError>, Failure> {
    let again = options.budget != BUDGETS[0];
    let compiled = scope_dsl::compile(&mut source, &script::Files, facts, options);
    // Where the script is wrong, not all its options are known.
    if compiled.program.is_some() {
        unknown_option(args, &compiled.options)?;
    }
    if let Some(stage) = args.debug.filter(|_| !again) {
        written(show::compiled(&compiled, stage))?;
    }
    let program = report(args, &source, &compiled.diagnostics, compiled.program, again)?;
    let functions = Functions::compile(&source, &compiled.script.functions)
        .map_err(|error| Failure::Mistake(render::errors(&source, &[error], colour())))?;
    if !again {
        nothing_folded(args, &program);
    }
    let sink = sink(args, &program)?;
    Ok(Built::new(program, source, functions, sink))
}

/// Whom to watch, beside a process alone.
fn only(args: &Args, started: Option<u32>) -> Result<Only, Failure> {
    let family = match args.follow {
        false => None,
        true if args.dry_run || args.list => Some(0),
        true => Some(args.pid.or(started).ok_or_else(|| {
            mistake("--follow needs a process to begin with\nhelp: name one by `-p PID`, or start one by `-- COMMAND`")
        })?),
    };
    let uid = args.uid.as_ref().map(|user| {
        let known = user.parse().ok().or_else(|| Users::default().number(user));
        known.ok_or_else(|| mistake(format!("there is no user `{user}`")))
    });
    // As of a variable that is not set: it would be no filter at all.
    let filters = [("comm", &args.comm), ("uid", &args.uid), ("cgroup", &args.cgroup), ("pidns", &args.pidns)];
    if let Some((name, _)) = filters.iter().find(|(_, value)| value.as_ref().is_some_and(String::is_empty)) {
        return Err(mistake(format!("--{name} is empty: nothing would be chosen by it")));
    }
    // The kernel keeps 15 bytes of a name.
    if let Some(comm) = args.comm.as_ref().filter(|comm| comm.len() > 15) {
        return Err(mistake(format!(
            "--comm {comm}: names of tasks have 15 bytes at most; the kernel has it as `{comm:.15}`"
        )));
    }
    let cgroup = args.cgroup.as_ref().map(|path| Cgroups::default().find(path).map_err(mistake)).transpose()?;
    if cgroup.is_some_and(|found| found.level.is_none()) {
        complain(
            "warning: scope runs in a namespace of cgroups, from where it can't be seen which cgroups lie below others: \
             only the cgroup itself is watched\n",
        );
    }
    let cgroup = cgroup.map(|found| (found.id, found.level));
    let pid_namespace = args.pidns.as_ref().map(|whose| process::pid_namespace(whose).map_err(mistake)).transpose()?;
    let inner = match (args.pid, process::pid_level()) {
        (_, 0) => None,
        _ if args.follow => {
            let message =
                "--follow needs the processes' numbers of the first namespace, and scope runs in one inside it";
            return Err(mistake(format!(
                "{message}\nhelp: run it outside of the container, or watch one process by -p PID"
            )));
        }
        (Some(pid), level) => Some(Inner { pid, level, namespace: process::pid_namespace("self").map_err(mistake)? }),
        (None, _) => None,
    };
    Ok(Only { comm: args.comm.clone(), uid: uid.transpose()?, cgroup, pid_namespace, inner, family })
}

/// The settings from outside the script: those of the environment, then those of the command line.
fn settings(args: &Args) -> Result<Vec<(String, String)>, Failure> {
    let mut settings = Vec::new();
    for row in config::TABLE {
        for prefix in ["BPFTRACE_", "SCOPE_"] {
            let name = format!("{prefix}{}", row.name.to_ascii_uppercase());
            if let Ok(value) = std::env::var(&name) {
                settings.push((name, row.name.to_owned(), value));
            }
        }
    }
    for setting in &args.settings {
        let (name, value) =
            setting.split_once('=').ok_or_else(|| mistake(format!("`--config {setting}`: expected NAME=VALUE")))?;
        settings.push((format!("--config {name}"), name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut trial = Config::default();
    for (from, name, value) in &settings {
        trial.set(name, value).map_err(|refused| match refused {
            Refused::Unknown => {
                let near = nearest(name, config::TABLE.iter().map(|row| row.name));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                mistake(format!("{from}: there is no setting `{name}`{near}"))
            }
            Refused::Value(values) => mistake(format!("{from}: `{name}` can't be `{value}`; expected {values}")),
        })?;
    }
    Ok(settings.into_iter().map(|(_, name, value)| (name, value)).collect())
}

/// Refuses an option that neither scope nor the script has.
fn unknown_option(args: &Args, options: &[ScriptOption]) -> Result<(), Failure> {
    let own = |name: &str| options.iter().any(|option| option.name == name);
    let Some(name) = args.options.keys().find(|name| !own(name)) else { return Ok(()) };
    let command = Args::command();
    let known = command.get_arguments().filter_map(|argument| argument.get_long());
    let near = nearest(name, known.chain(options.iter().map(|option| option.name.as_str())));
    let near = near.map(|near| format!("; did you mean `--{near}`?")).unwrap_or_default();
    Err(mistake(format!(
        "there is no option `--{name}`{near}\nhelp: `scope --help` lists the options, `scope SCRIPT --help` those of a script"
    )))
}

/// Attaches, runs and ends a trace.
fn trace(args: &Args, built: Built, started: Option<Started>, tracefs: Option<&Tracefs>) -> Result<u8, Failure> {
    let pidfd = args.pid.map(process::pidfd).transpose();
    let process = pidfd.map_err(|error| failure(format!("watching process {}: {error}", args.pid.unwrap_or(0))))?;
    if let Some(pid) = args.pid.filter(|_| !args.quiet) {
        complain(&replaced(&built, pid));
    }
    let mut attached =
        built.attach(tracefs, args.pid.filter(|_| !args.follow)).map_err(|error| explain(&error, args))?;
    if !args.quiet {
        attached.announce();
        complain(&left_out(&attached));
    }
    let command = match started {
        Some(started) => Some(started.run().map_err(|error| failure(format!("starting the command: {error}")))?),
        None => None,
    };
    let outcome = attached.run(Ends { command, process, watched: args.pid }).map_err(|error| explain(&error, args))?;
    match outcome.broken {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Failure::Silent),
        Some(error) => return Err(failure(format!("the trace broke off: {error}"))),
        None => {}
    }
    for warning in &outcome.warnings {
        complain(&format!("warning: {warning}\n"));
    }
    Ok(outcome.status)
}

/// Says so if the watched process runs an older version of a file that is probed: it never gets to where the probes are.
fn replaced(built: &Built, pid: u32) -> String {
    let mut said = String::new();
    for clause in &built.program().clauses {
        if let Site::Uprobe { path, .. } = &clause.site
            && process::maps_old(pid, path)
            && !said.contains(&**path)
        {
            said += &format!(
                "warning: {path} was replaced since process {pid} began: it still runs the old version, where there are no probes\n\
                 help: restart it, or probe /proc/{pid}/root or /proc/{pid}/map_files\n"
            );
        }
    }
    said
}

/// Says which of many probes could not be set.
fn left_out(attached: &Attached) -> String {
    let names = attached.left_out().collect::<Vec<_>>();
    let [first, more @ ..] = names.as_slice() else { return String::new() };
    let others = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("warning: {first}{others} can't be probed: the kernel can't step over their first instruction\n")
}

/// Whether a script has a clause that runs in the kernel; one that can't be parsed has none.
fn needs_kernel(source: &Source) -> bool {
    let script = scope_dsl::parse(&source.files()[0].text, 0).script;
    let userspace = |point: &str| {
        matches!(point, "BEGIN" | "begin" | "END" | "end") || point.starts_with("interval:") || point.starts_with("i:")
    };
    script.clauses.iter().flat_map(|clause| &clause.points).any(|point| !userspace(&point.text))
}

/// Says which capability is missing, before the kernel says only `EPERM`.
fn check_capabilities() -> Result<(), Failure> {
    const CAP_SYS_ADMIN: u32 = 21;
    const NEEDED: [(u32, &str); 2] = [(39, "CAP_BPF"), (38, "CAP_PERFMON")];
    if process::has_capability(CAP_SYS_ADMIN) {
        return Ok(());
    }
    let missing = NEEDED.iter().filter(|(number, _)| !process::has_capability(*number)).map(|(_, name)| *name);
    let missing = missing.collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    let plural = if missing.len() == 1 { "capability is" } else { "capabilities are" };
    Err(failure(format!("tracing needs root: the {plural} missing: {}\nhelp: run it with sudo", missing.join(", "))))
}

/// The command to start, checked to be there.
fn command(args: &Args) -> Result<Option<Vec<OsString>>, Failure> {
    let command = match &args.command_line {
        Some(line) => {
            let words = shlex::split(line).ok_or_else(|| mistake("the command's quotes are not closed"))?;
            words.into_iter().map(OsString::from).collect()
        }
        None => args.command.clone(),
    };
    let Some(program) = command.first() else {
        return match args.command_line {
            Some(_) => Err(mistake("the command is empty")),
            None => Ok(None),
        };
    };
    let path = Path::new(program);
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found = match path.components().count() {
        1 => std::env::split_paths(&places).any(|place| place.join(path).is_file()),
        _ => path.is_file(),
    };
    if path.components().count() > 1 && path.is_dir() {
        return Err(mistake(format!("{} is a directory, no command", path.display())));
    }
    if !found {
        return Err(mistake(format!("command not found: {}", path.display())));
    }
    Ok(Some(command))
}

/// Shows the diagnostics, warnings only the first time; gives the program if there is one.
fn report<T>(
    args: &Args,
    source: &Source,
    diagnostics: &[Diagnostic],
    program: Option<T>,
    again: bool,
) -> Result<T, Failure> {
    match program {
        Some(program) => {
            let warnings = diagnostics.iter().filter(|found| found.severity == Severity::Warning).cloned();
            if !args.quiet && !again {
                complain(&render::render(source, &warnings.collect::<Vec<_>>(), colour()));
            }
            Ok(program)
        }
        None => {
            let rendered = render::errors(source, diagnostics, colour());
            // What the machine lacks is no mistake of the script's.
            let mut errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
            Err(if errors.all(|error| error.code == NOT_HERE) {
                Failure::Failed(rendered)
            } else {
                Failure::Mistake(rendered)
            })
        }
    }
}

/// Whether standard error wants colours (https://no-color.org).
fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Warns where `-f folded` has nothing to write.
fn nothing_folded(args: &Args, program: &Program) {
    fn holds_stack(ty: &Type) -> bool {
        match ty {
            Type::Stack(_) => true,
            Type::Tuple(parts) => parts.iter().any(|part| holds_stack(&part.ty)),
            _ => false,
        }
    }
    let folded = program.maps.values().any(|map| map.key.iter().any(holds_stack));
    if args.format == Format::Folded && !folded && !args.quiet {
        complain(
            "warning: no map of the script has a stack in its key: `-f folded` has nothing to write\n\
             help: `@[ustack, kstack] = count()` counts stacks\n",
        );
    }
}

fn sink(args: &Args, program: &Program) -> Result<Box<dyn Sink>, Failure> {
    let out: Box<dyn Write> = match &args.output {
        Some(path) => {
            let file = File::create(path);
            Box::new(
                file.map_err(|error| mistake(format!("can't write {}: {}", path.display(), script::reason(&error))))?,
            )
        }
        // Not `io::stdout()`: it flushes at every newline.
        // SAFETY: standard output stays open for as long as the process lives.
        None => Box::new(unsafe { File::from_raw_fd(libc::STDOUT_FILENO) }),
    };
    Ok(output::open(args.format, &program.config, out))
}

/// The helper of the kernel that the verifier says may not be used: `... cannot use helper NAME#NUMBER`.
fn refused_helper(log: &str) -> Option<&str> {
    let (_, helper) = log.split_once("cannot use helper ").or_else(|| log.split_once("unknown func "))?;
    helper.split_once('#').map(|(name, _)| name)
}

/// Turns a failure into what a person can act on.
fn explain(error: &TraceError, args: &Args) -> Failure {
    if let TraceError::Io { error, .. } = error
        && error.kind() == io::ErrorKind::PermissionDenied
        && let Err(failure) = check_capabilities()
    {
        return failure;
    }
    let mut message = format!("error: {error}\n");
    if let TraceError::Load(load) = error {
        if let LoadError::Attach { reason: Some(reason), .. } = load {
            message += &format!("help: {reason}\n");
        } else if load.is_permission() {
            message += "help: the kernel did not allow it: are you root, and is it not locked down (/sys/kernel/security/lockdown)?\n";
        } else if let LoadError::Program { log, plan, .. } = load {
            message += &match refused_helper(log) {
                Some(helper) => format!(
                    "help: this kernel does not let the program use `{helper}`: it is locked down, or was built without it\n"
                ),
                None => "help: this is a bug of scope: please report it with the output of `-v`\n".to_owned(),
            };
            if args.verbose {
                message += &format!("plan:\n{plan}verifier:\n{log}\n");
            } else if let Some(last) = log.lines().rfind(|line| !line.starts_with("processed") && !line.is_empty()) {
                message += &format!("the verifier said: {last}\n");
            }
        }
    }
    Failure::Failed(message)
}
