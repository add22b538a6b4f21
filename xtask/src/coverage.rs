//! Which kinds of probes were seen at work, and on which kernels: over all kernels, none may be missing.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// What the live tests said, by the name of the provider: the kernels where it counted.
#[derive(Debug, Default)]
pub struct Coverage {
    providers: BTreeMap<String, Vec<String>>,
}

/// Providers that no machine here may have: their refusal is what is tested.
const MAY_BE_ABSENT: [&str; 1] = ["hardware"];

impl Coverage {
    /// Takes note of a line of the live tests' output, if it says something of a provider
    /// (`tests/src/live/providers.rs`).
    pub fn note(&mut self, kernel: &str, line: &str) {
        // The first line of a test stands behind the test's name.
        let said = |word: &str| line.rsplit_once(word).map(|(_, provider)| provider.trim().to_owned());
        if let Some(provider) = said("covers: ") {
            self.providers.entry(provider).or_default().push(kernel.to_owned());
        } else if let Some(provider) = said("lacks: ") {
            self.providers.entry(provider).or_default();
        }
    }

    /// Shows what was covered where; fails if a provider was covered nowhere.
    pub fn check(&self) -> Result<()> {
        for (provider, kernels) in &self.providers {
            println!(
                "xtask: {provider} was seen at work on {}",
                if kernels.is_empty() { "no kernel".to_owned() } else { kernels.join(", ") }
            );
        }
        let missing = self
            .providers
            .iter()
            .filter(|(provider, kernels)| kernels.is_empty() && !MAY_BE_ABSENT.contains(&provider.as_str()));
        let missing = missing.map(|(provider, _)| provider.as_str()).collect::<Vec<_>>();
        if self.providers.is_empty() || !missing.is_empty() {
            bail!("providers that were covered on no kernel: {}", missing.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Coverage;

    #[test]
    fn what_is_covered_nowhere_is_missing() {
        let mut coverage = Coverage::default();
        assert!(coverage.check().is_err());
        coverage.note("6.1", "test providers::each ... covers: tracepoint");
        coverage.note("6.1", "lacks: hardware");
        coverage.note("6.1", "lacks: iter");
        assert!(coverage.check().is_err());
        coverage.note("6.12", "covers: iter");
        assert!(coverage.check().is_ok());
    }
}
