//! Names: what they stand for, and which ones a misspelt one may have meant.

use super::btf::{Btf, Entry};
use super::{Member, Named, Signature, TypeId, Types};

impl Types {
    /// Finds what has a name: what the script declares first, then what the kernel has.
    #[must_use]
    pub fn named(&self, kind: Named, name: &str) -> Option<TypeId> {
        let key = (kind, name.to_owned());
        if let Some(id) = self.arena.borrow().names.get(&key) {
            return Some(*id);
        }
        let btf = self.btf.as_ref()?;
        if let Some(known) = self.found.borrow().names.get(&key) {
            return *known;
        }
        if kind == Named::Function && self.found.borrow().all_functions {
            return None;
        }
        let found = match kind {
            Named::Struct => btf.find_struct(name),
            Named::Union => btf.find_union(name),
            Named::Enum => btf.find_enum(name),
            Named::Typedef => btf.find_typedef(name),
            Named::Function => btf.find_func(name),
        };
        self.found.borrow_mut().names.insert(key, found.map(TypeId));
        found.map(TypeId)
    }

    /// Finds a value of an enum that the script declares by its name, and the enum.
    #[must_use]
    pub fn declared_enumerator(&self, name: &str) -> Option<(TypeId, i64)> {
        self.arena.borrow().enumerators.get(name).copied()
    }

    /// Finds an enum's value by its name, and the enum: those that the script declares first, then the kernel's.
    #[must_use]
    pub fn enumerator(&self, name: &str) -> Option<(TypeId, i64)> {
        if let Some(found) = self.declared_enumerator(name) {
            return Some(found);
        }
        let btf = self.btf.as_ref()?;
        if let Some(known) = self.found.borrow().enumerators.get(name) {
            return *known;
        }
        let found = btf.find_enumerator(name).map(|(id, value)| (TypeId(id), value));
        self.found.borrow_mut().enumerators.insert(name.to_owned(), found);
        found
    }

    /// Finds the parameters of a function of the kernel, and what it returns.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<Signature> {
        let TypeId(id) = self.named(Named::Function, name)?;
        match self.btf.as_ref()?.entry(id)? {
            Entry::Function(prototype) => self.prototype(prototype),
            _ => None,
        }
    }

    /// Looks all functions of the kernel up at once, for whoever asks for many: each look-up goes through all types.
    pub fn learn_functions(&self) {
        let mut found = self.found.borrow_mut();
        for (id, name) in self.btf.iter().flat_map(Btf::funcs) {
            found.names.entry((Named::Function, name.to_owned())).or_insert(Some(TypeId(id)));
        }
        found.all_functions = true;
    }

    /// Finds the arguments of a raw tracepoint: those of the function that calls what is attached to it (`__DO_TRACE_CALL`,
    /// `include/linux/tracepoint.h`), but the first, which is the kernel's own.
    #[must_use]
    pub fn raw_tracepoint(&self, name: &str) -> Option<Signature> {
        let mut signature = self.function(&format!("__traceiter_{name}"))?;
        signature.parameters.drain(..1.min(signature.parameters.len()));
        Some(signature)
    }

    fn prototype(&self, prototype: u32) -> Option<Signature> {
        let btf = self.btf.as_ref()?;
        let Entry::Prototype(returns) = btf.entry(prototype)? else { return None };
        let parameters = btf.parameters(prototype).map(|(name, ty)| (name.to_owned(), TypeId(ty)));
        let mut parameters = parameters.collect::<Vec<_>>();
        let variadic = parameters.pop_if(|(name, ty)| name.is_empty() && ty.0 == 0).is_some();
        Some(Signature { parameters, variadic, returns: TypeId(returns) })
    }

    /// Gives the names of a kind that look like one that there is not, the likeliest first.
    #[must_use]
    pub fn similar(&self, kind: Named, name: &str, limit: usize) -> Vec<String> {
        let arena = self.arena.borrow();
        let mut near = Near::new(name);
        for (_, name) in arena.names.keys().filter(|(have, _)| *have == kind) {
            near.offer(name);
        }
        if let Some(btf) = &self.btf {
            names(btf, kind, &mut |name| near.offer(name));
        }
        near.best(limit)
    }

    /// Gives the members of a struct or union whose names look like one that there is not, the likeliest first.
    #[must_use]
    pub fn similar_member(&self, id: TypeId, name: &str, limit: usize) -> Vec<String> {
        let mut near = Near::new(name);
        for Member { name, .. } in self.named_members(id) {
            near.offer(&name);
        }
        near.best(limit)
    }
}

fn names(btf: &Btf, kind: Named, each: &mut dyn FnMut(&str)) {
    match kind {
        Named::Struct => btf.struct_names().for_each(each),
        Named::Union => btf.union_names().for_each(each),
        Named::Enum => btf.enum_names().for_each(each),
        Named::Typedef => btf.typedef_names().for_each(each),
        Named::Function => btf.func_names().for_each(each),
    }
}

/// The names that look like one, with how much.
struct Near<'a> {
    name: &'a str,
    rated: Vec<(f64, String)>,
}

impl Near<'_> {
    fn new(name: &str) -> Near<'_> {
        Near { name, rated: Vec::new() }
    }

    /// The measure is that of [`crate::diagnostic::nearest`].
    fn offer(&mut self, candidate: &str) {
        let rating = strsim::jaro_winkler(self.name, candidate);
        if rating > 0.8 && candidate != self.name {
            self.rated.push((rating, candidate.to_owned()));
        }
    }

    fn best(mut self, limit: usize) -> Vec<String> {
        self.rated.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
        self.rated.dedup_by(|left, right| left.1 == right.1);
        self.rated.into_iter().take(limit).map(|(_, name)| name).collect()
    }
}
