//! The command line's options, as data.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use crate::output::Format;

const EXAMPLES: &str = "\
Examples:
  scope -e 'sys_enter < @[comm] = count() >'          which process makes how many system calls
  scope -e 'tracepoint:syscalls:sys_enter_openat { printf(\"%s %s\\n\", comm, str(args.filename)); }'
  scope opensnoop -p 1842                             the files that one process opens
  scope -f json syscount                              one JSON object per line
  scope latency -- make                               how long the system calls take while `make` runs
  scope -l 'tracepoint:sched:*'                       which probes there are; -lv: and what they are given
  scope explain E0203                                 what an error means, and what to do
  scope fmt mine.scope                                a script in the form that all have
  scope check-system                                  what of scope works on this machine, and for you";

/// A stage of the compiler, for `-d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// What was written, macros in place
    Ast,
    /// What it means: names resolved, types known
    Checked,
    /// What the machine is to do
    Plan,
    /// What the kernel made of it
    Kernel,
    /// How each clause is attached, what else there was, and why not that
    Attach,
    /// The plan and what the kernel made of it
    All,
}

/// A scriptable tracer for Linux: sees what a live system does.
#[derive(Debug, Parser)]
#[command(name = "scope", version, about, after_help = EXAMPLES, disable_help_flag = true, disable_version_flag = true, max_term_width = 100)]
pub struct Args {
    /// Runs this program text
    #[arg(short = 'e', long = "execute", value_name = "PROGRAM")]
    pub program: Option<String>,

    /// A script file, or the name of a bundled script
    #[arg(value_name = "SCRIPT")]
    pub script: Option<String>,

    /// What the script knows as $1, $2, ...
    #[arg(value_name = "ARGS")]
    pub arguments: Vec<String>,

    /// Starts this command once all is attached, ends with it and passes its exit status on
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,

    /// The same with the command as one text
    #[arg(short = 'c', long = "command", value_name = "COMMAND", conflicts_with = "command")]
    pub command_line: Option<String>,

    /// Watches this process and its threads only; ends with it
    #[arg(short, long, value_name = "PID")]
    pub pid: Option<u32>,

    /// With -p or a command: watches its children, too, and theirs, from their first instruction on
    #[arg(long)]
    pub follow: bool,

    /// Watches tasks of this name only
    #[arg(long, value_name = "NAME")]
    pub comm: Option<String>,

    /// Watches tasks of this user only
    #[arg(long, value_name = "USER")]
    pub uid: Option<String>,

    /// Watches tasks of this cgroup only, and of those below it: its directory, or its path in the tree
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,

    /// Watches tasks of the same namespace of processes only, as those of a container: a process in it, or /proc/PID/ns/pid
    #[arg(long, value_name = "PID")]
    pub pidns: Option<String>,

    /// The format of the output
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,

    /// Writes the output to a file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Says nothing but what the script prints, and errors
    #[arg(short, long)]
    pub quiet: bool,

    /// Says more: what was loaded, the verifier's words
    #[arg(short, long)]
    pub verbose: bool,

    /// Shows what a stage of the compiler made of the script, or all of them
    #[arg(short, long, value_name = "STAGE", value_enum, num_args = 0..=1, default_missing_value = "all")]
    pub debug: Option<Stage>,

    /// Shows how each clause is attached, what else there was, and why not that; as -d attach
    #[arg(long, conflicts_with = "debug")]
    pub explain: bool,

    /// Changes a setting, as `config = { name = value }` in the script does
    #[arg(long = "config", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,

    /// Says at the end where the script read memory that was not there, and how often
    #[arg(short = 'k', long)]
    pub failures: bool,

    /// Allows functions that do something to the machine: system, signal, write_user
    #[arg(long = "unsafe")]
    pub may_harm: bool,

    /// The script's own options, `--name=value`: taken out before the others are read
    #[arg(skip)]
    pub options: BTreeMap<String, String>,

    /// Lists the probes that match the pattern in SCRIPT's place, or those of the script; with -v what each is given
    #[arg(short, long)]
    pub list: bool,

    /// Compiles and loads, but attaches nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Attaches to each system call tracepoint by itself, never to the raw one for many
    #[arg(long)]
    pub no_rewrite: bool,

    /// Prints help; behind a script's name, the script's
    #[arg(short, long)]
    pub help: bool,

    /// Prints the version
    #[arg(short = 'V', long)]
    pub version: bool,
}

impl Args {
    /// Reads the command line. Long options that scope does not have are the script's own.
    #[must_use]
    pub fn read() -> Args {
        let command = Args::command();
        let known = |name: &str| command.get_arguments().any(|argument| argument.get_long() == Some(name));
        let mut options = BTreeMap::new();
        let mut ours = Vec::new();
        let mut words = std::env::args_os();
        while let Some(word) = words.next() {
            if word == "--" {
                ours.push(word);
                ours.extend(words);
                break;
            }
            let text = word.to_string_lossy().into_owned();
            match text.strip_prefix("--").map(|option| option.split_once('=').unwrap_or((option, ""))) {
                Some((name, value)) if !name.is_empty() && !known(name) => {
                    options.insert(name.to_owned(), value.to_owned());
                }
                // The pattern has no option of its own, since in `-lv PATTERN` it does not follow the `l`.
                Some(("list", pattern)) if text.contains('=') => ours.extend(["--list", pattern].map(OsString::from)),
                _ => ours.push(word),
            }
        }
        Args { options, ..Args::parse_from(ours) }
    }
}
