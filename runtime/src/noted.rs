//! Processes whose addresses lie in maps: they are remembered while they live, since a process that has exited tells
//! nobody any more what was where.

use std::collections::HashSet;
use std::time::Duration;

use scope_dsl::checked::{Action, Argument, Value};
use scope_dsl::program::Program;
use scope_dsl::types::Type;
use tokio::time::Instant;

use crate::tables::Tables;
use crate::value::{Names, word_at};

/// Where a map holds the number of a process.
struct Place {
    map: usize,
    in_key: bool,
    offset: usize,
}

/// The processes that were met in the maps, and the one that is watched or was started.
pub struct Noted {
    places: Vec<Place>,
    /// It is looked at whether or not it was met, if anything is shown of a process's addresses.
    watched: Option<u32>,
    wait: Duration,
    next: Instant,
}

/// How long it is until the maps are looked through: soon at first, for a trace may be short.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// To look takes at most one part in so many of the time.
const SHARE: u32 = 20;

impl Noted {
    /// Finds out where a program's maps hold stacks or symbols of processes.
    #[must_use]
    pub fn new(program: &Program, watched: Option<u32>) -> Noted {
        let mut places = Vec::new();
        for (map, described) in program.maps.values().enumerate().filter(|(_, map)| map.storage.in_kernel) {
            let mut offset = 0;
            for ty in &described.key {
                find(ty, offset, &mut |offset| places.push(Place { map, in_key: true, offset }));
                offset += ty.size();
            }
            if let Value::Plain(ty) = &described.value {
                find(ty, 0, &mut |offset| places.push(Place { map, in_key: false, offset }));
            }
        }
        let watched = watched.filter(|_| !places.is_empty() || shows_addresses(program));
        Noted { places, watched, wait: FIRST_WAIT, next: Instant::now() }
    }

    /// When to look next; never, if no map holds addresses.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        (!self.places.is_empty() || self.watched.is_some()).then_some(self.next)
    }

    /// Looks for processes and has them remembered as they are now: they may have mapped more since. Where a map can't be
    /// read, its processes stay unknown, and so do their symbols if they exit.
    pub fn look(&mut self, tables: &Tables, names: &Names) {
        let begun = Instant::now();
        let mut processes = HashSet::new();
        if let Some(process) = self.watched {
            processes.insert(process);
            names.note(process);
        }
        for place in &self.places {
            for (key, words) in tables.glance(place.map).unwrap_or_default() {
                let word = match place.in_key {
                    true => word_at(&key, place.offset),
                    false => words.get(place.offset / 8).copied().unwrap_or(0),
                };
                // The low half is the process (`Code::Stack`, `scope_common::plan`).
                let process = word as u32;
                if process != 0 && processes.insert(process) {
                    names.note(process);
                }
            }
        }
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.next = Instant::now() + self.wait.max(begun.elapsed() * SHARE);
    }
}

/// Whether records hold stacks or symbols of processes.
fn shows_addresses(program: &Program) -> bool {
    fn is_one(argument: &Argument) -> bool {
        match argument {
            Argument::Slot(slot) => {
                let mut any = false;
                find(&slot.ty, 0, &mut |_| any = true);
                any
            }
            Argument::Call(_, arguments) => arguments.iter().any(is_one),
        }
    }
    program.actions.iter().any(|action| match action {
        Action::Printf { arguments, .. } => arguments.iter().any(is_one),
        Action::Print(argument) => is_one(argument),
        Action::Emit { fields, .. } => fields.iter().any(|field| is_one(&field.value)),
        _ => false,
    })
}

/// Finds the words that hold the process of an address, in a value that begins at an offset.
fn find(ty: &Type, offset: usize, found: &mut impl FnMut(usize)) {
    match ty {
        Type::Stack(stack) if stack.user => found(offset + 8),
        Type::UserSymbol => found(offset + 8),
        Type::Tuple(parts) => {
            let mut offset = offset;
            for part in parts.iter() {
                find(&part.ty, offset, found);
                offset += part.ty.size();
            }
        }
        _ => {}
    }
}
