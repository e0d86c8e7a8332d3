//! The policies that judge: the guards of profiles, and whatever files bring.

use admission::{AdmissionRequest, Binding, KubeVersion, NoCluster, Policy, evaluate};
use anyhow::bail;
use ownership::Profile;
use std::collections::BTreeSet;
use std::path::Path;

use crate::opinion::Opinion;
use crate::policies;

/// The policies that judge, in columns: the guards of one profile share a column, every other policy has its own.
#[derive(Debug, Default)]
pub(crate) struct Bench {
    columns: Vec<String>,
    seats: Vec<Seat>,
    bindings: Vec<Binding>,
}

#[derive(Debug)]
struct Seat {
    policy: Policy,
    column: usize,
    guard: bool,
}

impl Bench {
    /// The names of the columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Adds the guards of a profile.
    pub(crate) fn add_profile(&mut self, profile: &Profile) -> anyhow::Result<()> {
        let column = self.columns.len();
        self.columns.push(format!("nodebound-{}", profile.name()));
        for guarding in manifests::guards(profile) {
            let name = guarding.policy.metadata.name.clone().unwrap_or_default();
            let refused = |errors: Vec<admission::FieldError>| {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("the guard {name} of profile {} is not valid: {}", profile.name(), errors.join("; "))
            };
            let policy = Policy::compile(&guarding.policy, KubeVersion::NEWEST).map_err(refused)?;
            self.bindings.push(Binding::check(&guarding.binding).map_err(refused)?);
            self.seat(policy, column, true)?;
        }
        Ok(())
    }

    /// Adds the policies and bindings of files. A policy that no binding names counts as bound everywhere with Deny.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub(crate) fn add_files<'a>(&mut self, paths: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<Vec<String>> {
        let (mut problems, mut policies, mut bindings) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            match policies::load(path) {
                Ok(file) => {
                    policies.extend(file.policies);
                    bindings.extend(file.bindings);
                }
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            bail!(problems.join("\n"));
        }
        let warnings = self.bind(&policies, bindings);
        for policy in policies {
            self.columns.push(policy.name().to_owned());
            self.seat(policy, self.columns.len() - 1, false)?;
        }
        Ok(warnings)
    }

    fn bind(&mut self, policies: &[Policy], bindings: Vec<Binding>) -> Vec<String> {
        let named: BTreeSet<&str> = bindings.iter().map(Binding::policy).collect();
        let known: BTreeSet<&str> = policies.iter().map(Policy::name).collect();
        let unbound: Vec<&str> = known.difference(&named).copied().collect();
        let astray = bindings.iter().filter(|binding| !known.contains(binding.policy()));
        let mut warnings: Vec<String> = astray
            .map(|b| format!("binding {} names the policy {}, which is in no file", b.name(), b.policy()))
            .collect();
        warnings.extend(unbound.iter().map(|name| {
            format!("policy {name} has no binding; a cluster would not enforce it, here it counts as bound with Deny")
        }));
        self.bindings.extend(unbound.into_iter().map(Binding::denying));
        self.bindings.extend(bindings);
        warnings
    }

    fn seat(&mut self, policy: Policy, column: usize, guard: bool) -> anyhow::Result<()> {
        if self.seats.iter().any(|seat| seat.policy.name() == policy.name()) {
            bail!("there are two policies named {}", policy.name());
        }
        self.seats.push(Seat { policy, column, guard });
        Ok(())
    }

    /// What each policy says, in the order in which they were added.
    pub(crate) fn judge(&self, request: &AdmissionRequest) -> Vec<Opinion> {
        let say = |seat: &Seat| {
            let report = evaluate(&seat.policy, &self.bindings, request, &NoCluster);
            Opinion::new(report, seat.column, seat.guard)
        };
        self.seats.iter().map(say).collect()
    }
}
