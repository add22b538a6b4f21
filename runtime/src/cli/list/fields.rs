//! What probes are given, as C declares it: the fields of a tracepoint, the arguments of a function.

use scope_dsl::ctypes::{Signature, Types};
use scope_dsl::facts::KernelFacts;
use scope_dsl::fields;
use scope_dsl::probes::iter::PREFIX;

/// Looks up what probes are given.
pub(super) struct Fields<'f> {
    facts: &'f dyn KernelFacts,
    types: Types,
}

/// From so many probes on, the kernel's functions are looked up all at once.
const MANY: usize = 16;

/// What is given at the probes of a provider, by the parts of the name behind it.
type Given = fn(&Fields<'_>, &str) -> Vec<String>;

/// The providers whose probes are given something that has a name.
const GIVEN: [(&str, Given); 8] = [
    ("tracepoint", tracepoint),
    ("rawtracepoint", |fields, name| fields.parameters(fields.types.raw_tracepoint(name))),
    ("kprobe", |fields, name| fields.parameters(fields.function(name))),
    ("kretprobe", |fields, name| fields.returned(fields.function(name).as_ref()).into_iter().collect()),
    ("fentry", |fields, name| fields.parameters(fields.function(name))),
    ("fexit", |fields, name| {
        let function = fields.function(name);
        let returned = fields.returned(function.as_ref());
        fields.parameters(function).into_iter().chain(returned).collect()
    }),
    // The members of `ctx`.
    ("iter", |fields, kind| fields.parameters(fields.types.function(&format!("{PREFIX}{kind}")))),
    ("usdt", usdt),
];

impl Fields<'_> {
    /// Is ready to look at so many probes.
    pub(super) fn new(facts: &dyn KernelFacts, number: usize) -> Fields<'_> {
        let types = Types::new(facts.btf(None));
        if number >= MANY {
            types.learn_functions();
        }
        Fields { facts, types }
    }

    /// What is given at a probe, by its full name.
    pub(super) fn of(&self, probe: &str) -> Vec<String> {
        let Some((provider, name)) = probe.split_once(':') else { return Vec::new() };
        let given = GIVEN.iter().find(|(known, _)| *known == provider);
        given.map_or_else(Vec::new, |(_, given)| given(self, name))
    }

    /// A function of the kernel; inside of one its arguments may be gone.
    fn function(&self, name: &str) -> Option<Signature> {
        let name = name.rsplit(':').next().filter(|name| !name.contains('+'))?;
        self.types.function(name)
    }

    fn parameters(&self, signature: Option<Signature>) -> Vec<String> {
        let parameters = signature.map(|signature| signature.parameters).unwrap_or_default();
        parameters.iter().map(|(name, ty)| format!("{} {name}", self.types.describe(*ty))).collect()
    }

    /// What a function returns, if it returns anything.
    fn returned(&self, signature: Option<&Signature>) -> Option<String> {
        let ty = self.types.describe(signature?.returns);
        (ty != "void").then(|| format!("{ty} retval"))
    }
}

fn tracepoint(fields: &Fields<'_>, name: &str) -> Vec<String> {
    let Some((category, event)) = name.split_once(':') else { return Vec::new() };
    let format = fields.facts.tracepoint_format(category, event).unwrap_or_default();
    fields::parse(&format, category).into_iter().map(|field| field.declaration).collect()
}

/// The arguments of a static probe, with where they are: in each of the places where it stands.
fn usdt(fields: &Fields<'_>, name: &str) -> Vec<String> {
    let mut parts = name.rsplitn(3, ':');
    let (Some(name), Some(provider), Some(binary)) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let notes = fields.facts.executable(binary).and_then(|file| file.notes()).unwrap_or_default();
    let mut arguments = Vec::<Vec<String>>::new();
    for note in notes.iter().filter(|note| note.name == name && note.provider == provider) {
        for (index, argument) in note.arguments.split_whitespace().enumerate() {
            if arguments.len() == index {
                arguments.push(Vec::new());
            }
            if !arguments[index].iter().any(|known| known == argument) {
                arguments[index].push(argument.to_owned());
            }
        }
    }
    let shown = arguments.iter().enumerate();
    shown.map(|(index, places)| format!("{} arg{index} ({})", number(&places[0]), places.join(", "))).collect()
}

/// The type of an argument that is written as `-4@%edi`.
fn number(argument: &str) -> &'static str {
    match argument.split('@').next().unwrap_or_default() {
        "1" => "uint8",
        "-1" => "int8",
        "2" => "uint16",
        "-2" => "int16",
        "4" => "uint32",
        "-4" => "int32",
        "-8" => "int64",
        "4f" => "float",
        "8f" => "double",
        _ => "uint64",
    }
}
