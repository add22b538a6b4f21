//! The settings of a script: `config = { name = value }`, or by the environment or an option of the command line.

use crate::types::{StackMode, Type};
use scope_common::plan::MAX_STRING;

/// What is done about a probe that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingProbes {
    /// The script is refused.
    Error,
    /// It runs without, and a warning says so.
    Warn,
    /// It runs without.
    Ignore,
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes that `str()` and `buf()` read at most, unless their argument says otherwise.
    pub max_strlen: usize,
    /// Entries of a map, unless its declaration says otherwise.
    pub max_map_keys: u32,
    /// Probes that a script is attached to at most.
    pub max_probes: usize,
    /// Bytes that `cat()` prints of a file.
    pub max_cat_bytes: usize,
    /// What is done about a probe that does not exist.
    pub missing_probes: MissingProbes,
    /// Whether all maps are printed at the end.
    pub print_maps_on_exit: bool,
    /// How stacks are written.
    pub stack_mode: StackMode,
    /// What stands behind a string that was cut; nothing, if it is empty.
    pub str_trunc_trailer: String,
    /// Whether `stats()` shows minimum, maximum and standard deviation.
    pub stats_detail: bool,
    /// Whether the keys of a map in JSON are lists of their parts, which nothing in them can blur.
    pub json_key_lists: bool,
    /// Whether each record of JSON says when, where and by whom it was made.
    pub json_origin: bool,
    /// Rounds of a loop in a kernel clause at most, if their number is not known beforehand.
    pub max_loop_rounds: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_strlen: crate::limits::DEFAULT_STRING,
            max_map_keys: crate::limits::MAP_ENTRIES,
            max_probes: 1024,
            max_cat_bytes: 10 << 10,
            missing_probes: MissingProbes::Error,
            print_maps_on_exit: true,
            stack_mode: StackMode::Bpftrace,
            str_trunc_trailer: String::new(),
            stats_detail: false,
            json_key_lists: false,
            json_origin: false,
            max_loop_rounds: crate::limits::LOOP_ROUNDS,
        }
    }
}

/// A row of the table of settings.
pub struct Row {
    /// How it is written.
    pub name: &'static str,
    /// The values that it takes.
    pub values: &'static str,
    /// For people, one line.
    pub summary: &'static str,
    set: fn(&mut Config, &str) -> Option<()>,
}

fn number(value: &str, least: u64, most: u64) -> Option<u64> {
    crate::parse::literal::number(value).ok().filter(|number| (least..=most).contains(number))
}

fn truth(value: &str) -> Option<bool> {
    match value {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Takes any value: the setting means something to bpftrace only.
fn nothing(_: &mut Config, _: &str) -> Option<()> {
    Some(())
}

macro_rules! rows {
    ($($name:literal $values:literal $summary:literal $set:expr;)*) => {
        /// All settings, by name.
        pub const TABLE: &[Row] = &[$(Row { name: $name, values: $values, summary: $summary, set: $set }),*];
    };
}

rows! {
    "cache_user_symbols" "any" "taken and ignored: symbols are always cached" nothing;
    "cpp_demangle" "any" "taken and ignored: names are always demangled" nothing;
    "json_key_lists" "0 or 1" "the keys of maps in JSON are lists of their parts" |config, value| {
        config.json_key_lists = truth(value)?;
        Some(())
    };
    "json_origin" "0 or 1" "each record of JSON says when it was made (`ts`, nanoseconds since 1970), at which `probe`, by which `pid` and on which `cpu`" |config, value| {
        config.json_origin = truth(value)?;
        Some(())
    };
    "lazy_symbolication" "any" "taken and ignored" nothing;
    "license" "any" "taken and ignored: the programs are \"Dual MIT/GPL\"" nothing;
    "log_size" "any" "taken and ignored: the verifier's log is as large as need be" nothing;
    "max_bpf_progs" "any" "taken and ignored: max_probes is the limit" nothing;
    "max_cat_bytes" "1 to 16777216" "bytes that cat() prints of a file" |config, value| {
        config.max_cat_bytes = number(value, 1, 16 << 20)? as usize;
        Some(())
    };
    "max_loop_rounds" "1 to 100000" "rounds of a loop in a kernel clause, if they are not known beforehand" |config, value| {
        config.max_loop_rounds = number(value, 1, 100_000)? as u32;
        Some(())
    };
    "max_map_keys" "1 to 16777216" "entries of a map, unless its declaration says otherwise" |config, value| {
        config.max_map_keys = number(value, 1, 1 << 24)? as u32;
        Some(())
    };
    "max_probes" "1 to 100000" "probes that a script is attached to at most" |config, value| {
        config.max_probes = number(value, 1, 100_000)? as usize;
        Some(())
    };
    "max_strlen" "1 to 1024" "bytes that str() and buf() read at most, unless their argument says otherwise" |config, value| {
        config.max_strlen = number(value, 1, scope_common::plan::MAX_STRING as u64)? as usize;
        Some(())
    };
    "max_type_res_iterations" "any" "taken and ignored" nothing;
    "missing_probes" "error, warn or ignore" "what is done about a probe that does not exist" |config, value| {
        config.missing_probes = match value {
            "error" => MissingProbes::Error,
            "warn" => MissingProbes::Warn,
            "ignore" => MissingProbes::Ignore,
            _ => return None,
        };
        Some(())
    };
    "on_stack_limit" "any" "taken and ignored" nothing;
    "perf_rb_pages" "any" "taken and ignored: records go through a ring buffer of 4 MiB" nothing;
    "print_maps_on_exit" "0 or 1" "all maps are printed at the end" |config, value| {
        config.print_maps_on_exit = truth(value)?;
        Some(())
    };
    "show_debug_info" "any" "taken and ignored" nothing;
    "stack_mode" "bpftrace, perf or raw" "how stacks are written" |config, value| {
        config.stack_mode = StackMode::NAMES.iter().find(|(name, _)| *name == value).map(|(_, mode)| *mode)?;
        Some(())
    };
    "stats_detail" "0 or 1" "stats() shows minimum, maximum and standard deviation too" |config, value| {
        config.stats_detail = truth(value)?;
        Some(())
    };
    "str_trunc_trailer" "any text" "what stands behind a string that was cut at max_strlen; by default nothing" |config, value| {
        config.str_trunc_trailer = value.to_owned();
        Some(())
    };
    "unstable_dw_ustack" "any" "taken and ignored" nothing;
    "unstable_import" "any" "taken and ignored: import works" nothing;
    "unstable_import_statement" "any" "taken and ignored: import works" nothing;
    "unstable_map_decl" "any" "taken and ignored: map declarations work" nothing;
    "unstable_tseries" "any" "taken and ignored: tseries() works" nothing;
    "unstable_typeinfo" "any" "taken and ignored" nothing;
    "use_blazesym" "any" "taken and ignored: symbols always come by it" nothing;
}

/// Why a setting can't be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none of this name.
    Unknown,
    /// It takes other values: these.
    Value(&'static str),
}

impl Config {
    /// Bytes that a text is read with at most, the NUL included, if nothing else says how long it may be.
    ///
    /// Where a trailer is to stand behind what was cut, it is one more than is shown: so what was cut is told from what just
    /// fits.
    #[must_use]
    pub fn text_limit(&self) -> usize {
        self.max_strlen + usize::from(self.marks_cut())
    }

    /// The type of such a text; where a trailer is to stand behind what was cut, no other text is likely to have it.
    #[must_use]
    pub fn text_type(&self) -> Type {
        let apart = if self.marks_cut() { 8 } else { 0 };
        Type::Text { size: Type::text(self.text_limit()).size() + apart, own: false }
    }

    /// Gives what is shown in front of the trailer of a text with an area of so many bytes, if it was cut.
    #[must_use]
    pub fn cut<'t>(&self, text: &'t [u8], size: usize) -> Option<&'t [u8]> {
        let cut = self.marks_cut() && text.len() == self.max_strlen && size == self.text_type().size();
        cut.then(|| &text[..self.max_strlen - 1])
    }

    /// The longest text that there can be leaves no byte to tell.
    fn marks_cut(&self) -> bool {
        !self.str_trunc_trailer.is_empty() && self.max_strlen < MAX_STRING
    }

    /// Sets a setting by its name.
    ///
    /// # Errors
    /// If there is none of this name, or it takes no such value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        let row = TABLE.iter().find(|row| row.name == name).ok_or(Refused::Unknown)?;
        (row.set)(self, value).ok_or(Refused::Value(row.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_by_name() {
        assert!(TABLE.is_sorted_by_key(|row| row.name));
        let mut config = Config::default();
        assert_eq!(config.set("max_map_keys", "1e5"), Ok(()));
        assert_eq!(config.max_map_keys, 100_000);
        assert_eq!(config.set("missing_probes", "warn"), Ok(()));
        assert_eq!(config.set("missing_probes", "perhaps"), Err(Refused::Value("error, warn or ignore")));
        assert_eq!(config.set("max_strlen", "2000"), Err(Refused::Value("1 to 1024")));
        assert_eq!(config.set("max_prob", "1"), Err(Refused::Unknown));
    }
}
