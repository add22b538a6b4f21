//! What is wrong with a script: data only; the command line draws it.

use crate::limits::MAX_DIAGNOSTICS;
use crate::source::Span;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The script can't run.
    Error,
    /// The script runs, but hardly as it was meant.
    Warning,
}

/// One thing that is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// Its number, never used again for another.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: String,
    /// The place, and what is said under it.
    pub primary: (Span, String),
    /// Other places that explain it.
    pub related: Vec<(Span, String)>,
    /// What to do.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// Makes an error at a place.
    pub fn error(code: &'static str, span: Span, title: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            title: title.into(),
            primary: (span, label.into()),
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Makes a warning at a place.
    pub fn warning(code: &'static str, span: Span, title: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, title, label) }
    }

    /// Adds a place that explains the error.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        self.related.push((span, label.into()));
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }

    /// Notes that the same place is wrong in another way too, as at another probe of the clause.
    fn widen(&mut self, label: &str) {
        /// Such notes at most: a pattern may match hundreds of probes.
        const MOST: usize = 3;
        let also = format!("also, {label}");
        let have = self.help.iter().filter(|help| help.starts_with("also, ")).count();
        if self.primary.1 != label && !self.help.contains(&also) && have <= MOST {
            self.help.push(if have < MOST { also } else { "also, others".to_owned() });
        }
    }

    /// Adds `did you mean ...?` if one of the candidates is near.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Diagnostic {
        match nearest(name, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// Finds the candidate that a mistyped name most likely meant.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Nobody mistypes a name of more; and to compare takes as long as the product of the lengths.
    const LONGEST: usize = 128;
    if name.len() > LONGEST {
        return None;
    }
    // Jaro-Winkler rates swapped letters and shared beginnings high; below 0.8 names stop looking alike.
    let rated = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = rated.filter(|(rating, _)| *rating > 0.8).max_by(|left, right| left.0.total_cmp(&right.0));
    best.map(|(_, candidate)| candidate)
}

/// What the last of too many says.
const MORE: &str = "there are more, which are not shown";

/// The diagnostics that a stage has gathered.
#[derive(Debug, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one, unless the same was said of the same place: a clause is checked once for each kind of attach point.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let same = |have: &Diagnostic| {
            (have.code, &have.title, have.primary.0) == (diagnostic.code, &diagnostic.title, diagnostic.primary.0)
        };
        if let Some(have) = self.0.iter().position(same) {
            self.0[have].widen(&diagnostic.primary.1);
            return;
        }
        let mut alike = self.0.iter_mut().filter(|said| said.severity == diagnostic.severity);
        match alike.nth(MAX_DIAGNOSTICS - 1) {
            Some(last) if last.help.iter().all(|help| help != MORE) => last.help.push(MORE.to_owned()),
            Some(_) => {}
            None => self.0.push(diagnostic),
        }
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
