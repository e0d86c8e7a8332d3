//! `nodebound status`: what is enforced, since when, and how that is known.

use anyhow::Context as _;
use api::AgentProfile;
use clap::Args;
use manifests::install::{Installation, Part, Settings};
use operator::execute::Installed;
use operator::object::{Objects, Place, RequestError};
use operator::plan::Goal;
use operator::prove::{Claim, Connect, Ground, NotProven, prove};
use operator::status::{ENFORCED, PROGRESSING, Reason, condition};
use operator::{rollout, survey};
use ownership::Profile;
use ownership::guard::Guard;
use serde::Serialize;

use super::install::{Format, ended};
use crate::cluster::Selection;
use crate::output::paint::Paint;
use crate::output::table::{Cell, Table};
use crate::output::{json, yaml};
use crate::{Console, Exit};

/// Say which profiles are enforced, since when, and by what evidence
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this AgentProfile
    #[arg(value_name = "PROFILE")]
    profile: Option<String>,
    /// Probe each guard now, by server-side dry runs, instead of reading what the operator wrote
    #[arg(long)]
    prove: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    cluster: Selection,
}

/// What is known of one profile.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    profile: String,
    guard: String,
    /// `None`: nobody can tell.
    enforced: Option<bool>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    evidence: String,
    agents: rollout::Count,
    /// Since the API server started, our own probes included; `None` where its metrics may not be read.
    refusals_at_most: Option<u64>,
    /// Whether the operator has done all that it can for the profile as it is now.
    #[serde(skip)]
    settled: bool,
}

impl Row {
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(crate) fn is(&self, reason: Reason) -> bool {
        self.reason == format!("{reason:?}")
    }

    /// What was just installed, where no operator says it.
    pub(crate) async fn of_installed(goal: &Goal, installed: &Installed, objects: &Objects) -> Self {
        let profile = &goal.installation.profile;
        let mut row = Self::of(profile, objects.metrics().await.as_deref());
        row.agents = installed.running;
        match &installed.proven {
            Some(proven) => row.judged(Some(true), "GuardProven", &proven.evidence()),
            None if installed.unguarded => row.judged(Some(false), "PolicyNotServed", ""),
            None => row.judged(Some(false), "TrialMode", ""),
        }
        row
    }

    fn of(profile: &Profile, metrics: Option<&str>) -> Self {
        let guard = Guard::Nodes.policy_name(profile.name());
        Self {
            refusals_at_most: metrics.map(|text| refusals(text, &guard)),
            profile: profile.name().to_owned(),
            guard,
            enforced: None,
            reason: "NoOperator".to_owned(),
            since: None,
            evidence: "no operator has looked at it; try --prove".to_owned(),
            agents: rollout::Count::default(),
            settled: false,
        }
    }

    fn judged(&mut self, enforced: Option<bool>, reason: &str, evidence: &str) {
        self.enforced = enforced;
        reason.clone_into(&mut self.reason);
        evidence.clone_into(&mut self.evidence);
    }
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        match runtime.block_on(self.look()) {
            Ok(rows) => self.conclude(&rows, console),
            Err(error) => Ok(ended(console, &error)),
        }
    }

    async fn look(&self) -> anyhow::Result<Vec<Row>> {
        let (client, connect) = self.cluster.connect().await?;
        let objects = Objects::new(client);
        let mut rows = rows(&objects, self.profile.as_deref()).await?;
        if self.prove {
            for row in &mut rows {
                probe(row, &objects, &connect).await;
            }
        }
        Ok(rows)
    }

    fn conclude(&self, rows: &[Row], console: &mut Console<'_>) -> anyhow::Result<Exit> {
        print(console, rows, self.output)?;
        if rows.is_empty() {
            let what = self.profile.as_ref().map_or_else(String::new, |name| format!(" {name}"));
            console.say(format_args!("nodebound: there is no AgentProfile{what} in this cluster"));
            return Ok(Exit::Finding);
        }
        let exits = rows.iter().map(|row| match row.enforced {
            Some(true) => Exit::Fine,
            Some(false) => Exit::Finding,
            None => Exit::Unknown,
        });
        Ok(exits.fold(Exit::Fine, Exit::or_worse))
    }
}

/// What is known of the profiles of the cluster, or of the one of that name.
pub(crate) async fn rows(objects: &Objects, only: Option<&str>) -> anyhow::Result<Vec<Row>> {
    let listed = match survey::profiles(objects).await {
        Ok(listed) => listed,
        Err(RequestError::Refused { code: 404, .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let metrics = objects.metrics().await;
    let mut rows = Vec::new();
    for listed in listed.iter().filter(|listed| only.is_none_or(|only| listed.name() == only)) {
        rows.push(match &listed.profile {
            Ok((profile, object)) => {
                let mut row = Row::of(profile, metrics.as_deref());
                row.agents = agents(objects, profile).await?;
                row.settled = is_settled(object);
                if let Some(enforced) = object.status.as_ref().and_then(|status| condition(status, ENFORCED)) {
                    let holds = [("True", Some(true)), ("False", Some(false))];
                    let holds =
                        holds.into_iter().find(|(word, _)| *word == enforced.status).and_then(|(_, holds)| holds);
                    row.judged(holds, &enforced.reason, &enforced.message);
                    row.since = Some(enforced.last_transition_time.0.to_string());
                }
                row
            }
            Err(error) => invalid(listed.name(), error),
        });
    }
    Ok(rows)
}

fn invalid(name: &str, error: &str) -> Row {
    Row {
        profile: name.to_owned(),
        guard: Guard::Nodes.policy_name(name),
        enforced: None,
        reason: "InvalidProfile".to_owned(),
        since: None,
        evidence: error.to_owned(),
        agents: rollout::Count::default(),
        refusals_at_most: None,
        settled: false,
    }
}

/// Whether nothing is to come for what the profile says now.
fn is_settled(object: &AgentProfile) -> bool {
    let Some(status) = &object.status else { return false };
    let progressing = condition(status, PROGRESSING).is_none_or(|progressing| progressing.status != "False");
    status.observed_generation == object.metadata.generation && !progressing
}

/// How many of our agents run; those of somebody else are not ours to count.
async fn agents(objects: &Objects, profile: &Profile) -> anyhow::Result<rollout::Count> {
    let installation = Installation { profile: profile.clone(), settings: Settings::default() };
    let places: Vec<Place> = installation.objects(Part::Agents).iter().map(Place::of).collect();
    let found = objects.find(places.iter().cloned()).await?;
    Ok(rollout::running(places.into_iter(), &found))
}

async fn probe(row: &mut Row, objects: &Objects, connect: &Connect) {
    let listed = survey::profiles(objects).await.unwrap_or_default();
    let Some(Ok((profile, _))) =
        listed.into_iter().find(|known| known.name() == row.profile).map(|known| known.profile)
    else {
        return;
    };
    let installation = Installation { profile, settings: Settings::default() };
    let proven = match Ground::find(objects, &installation, Claim::Node).await {
        Ok(ground) => prove(connect, &ground, |_| ()).await,
        Err(error) => Err(error),
    };
    match proven {
        Ok(proven) => row.judged(Some(true), "GuardProven", &proven.evidence()),
        Err(error @ (NotProven::LetIn { .. } | NotProven::Otherwise { .. })) => {
            row.judged(Some(false), "NotProven", &error.to_string());
        }
        Err(error) => row.judged(None, "NotProven", &error.to_string()),
    }
}

/// What the API server counted: every refusal of this policy.
fn refusals(metrics: &str, policy: &str) -> u64 {
    let (name, of) = ("apiserver_validating_admission_policy_check_total{", format!("policy=\"{policy}\""));
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    let ours = lines.filter(|line| line.contains(&of) && line.contains("enforcement_action=\"deny\""));
    let counts = ours.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    // A counter is a whole number, if it is one at all.
    counts.map(|count| if count.is_finite() && count > 0.0 { count as u64 } else { 0 }).sum()
}

pub(crate) fn print(console: &mut Console<'_>, rows: &[Row], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => json::document(console.out, &rows)?,
        Format::Yaml => yaml::document(console.out, &rows)?,
        Format::Table if rows.is_empty() => {}
        Format::Table => {
            let header = ["PROFILE", "GUARD", "ENFORCED", "REASON", "SINCE", "AGENTS", "REFUSALS", "EVIDENCE"];
            let mut table = Table::new(&header, console.look.colour);
            for row in rows {
                table.push(console.out, cells(row))?;
            }
            table.finish(console.out)?;
        }
    }
    Ok(())
}

fn cells(row: &Row) -> Vec<Cell> {
    let (enforced, paint) = match row.enforced {
        Some(true) => ("True", Paint::Good),
        Some(false) => ("False", Paint::Bad),
        None => ("Unknown", Paint::Odd),
    };
    let agents =
        if row.agents.wanted == 0 { "-".to_owned() } else { format!("{}/{}", row.agents.ready, row.agents.wanted) };
    let refusals = row.refusals_at_most.map_or_else(|| "unknown".to_owned(), |number| format!("at most {number}"));
    vec![
        Cell::plain(&row.profile),
        Cell::plain(&row.guard),
        Cell::new(enforced, paint),
        Cell::plain(&row.reason),
        Cell::plain(row.since.as_deref().unwrap_or("-")),
        Cell::plain(&agents),
        Cell::plain(&refusals),
        Cell::plain(&row.evidence),
    ]
}

#[cfg(test)]
mod tests {
    use super::refusals;

    #[test]
    fn refusals_are_those_of_the_policy() {
        let text = "# TYPE apiserver_validating_admission_policy_check_total counter\n\
            apiserver_validating_admission_policy_check_total{enforcement_action=\"deny\",error_type=\"no_error\",policy=\"nodebound-p\",policy_binding=\"nodebound-p\"} 7\n\
            apiserver_validating_admission_policy_check_total{enforcement_action=\"allow\",error_type=\"no_error\",policy=\"nodebound-p\",policy_binding=\"nodebound-p\"} 9\n\
            apiserver_validating_admission_policy_check_total{enforcement_action=\"deny\",error_type=\"no_error\",policy=\"nodebound-p-leases\",policy_binding=\"x\"} 5\n";
        assert_eq!((refusals(text, "nodebound-p"), refusals(text, "nodebound-q")), (7, 0));
    }
}
