//! `nodebound install`: brings a cluster to what a profile asks for, in steps that are safe one by one.

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use manifests::install::{Installation, Settings};
use operator::execute::{Event, ExecuteError, Executor, Installed, Prover};
use operator::object::{Objects, Place, RequestError};
use operator::plan::{Goal, Hold, Plan, Step};
use operator::prove::{Claim, NotProven};
use operator::status::Reason;
use operator::survey;
use ownership::Profile;
use ownership::spec::{Action, Channel, Enforcement, OwnNode, ServiceAccount};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::status::{self, Row};
use crate::cluster::Selection;
use crate::output::paint::harmless;
use crate::output::table::{Cell, Table};
use crate::output::{json, yaml};
use crate::progress::Progress;
use crate::{Console, Exit, profiles};

/// The minor version from which on tokens name their node (the feature gate ServiceAccountTokenPodNodeInfo in
/// `pkg/features/kube_features.go`).
const CLAIMS_SINCE: u32 = 32;

/// How long `--wait` waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// Install the guards of a profile, and what runs under them, and see the guards refuse
///
/// With the operator, which then does the rest and goes on to repair and prove it; or with --static, from here and once.
/// Nothing is granted before the guard that limits it was seen to refuse. It may be interrupted, and run again.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A built-in profile (kubevirt, kubevirt-least) or a file
    #[arg(long, short, value_name = "PROFILE")]
    profile: String,
    /// The agent's account, if it is not the profile's; nodebound-system/nodebound-agent installs our agent
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = profiles::service_account)]
    service_account: Option<ServiceAccount>,
    /// How publications reach the Node, if not as the profile says
    #[arg(long, value_enum)]
    channel: Option<ChannelName>,
    /// What the guard does with what breaks a rule, if not as the profile says
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Without the operator: install everything from here, once
    #[arg(long = "static")]
    is_static: bool,
    /// Wait until the guard is in force and every pod is ready
    #[arg(long)]
    wait: bool,
    /// Print the steps, and do none
    #[arg(long)]
    dry_run: bool,
    /// Take over objects of our names that somebody else made
    #[arg(long)]
    adopt: bool,
    /// Install although the agent seems to write what the guard will refuse
    #[arg(long)]
    force: bool,
    /// The namespace of our programs
    #[arg(long, value_name = "NAME", default_value_t = Settings::default().namespace)]
    namespace: String,
    /// Where images come from
    #[arg(long, value_name = "REGISTRY", default_value_t = Settings::default().registry)]
    registry: String,
    /// Run the operator and controllers on any node, where the control plane takes no pods
    #[arg(long)]
    any_node: bool,
    /// Keep KubeVirt at its version while a Strict profile's guard cannot be had
    #[arg(long)]
    hold_upgrades: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    cluster: Selection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum ChannelName {
    /// The agent patches its Node
    Direct,
    /// The agent patches a ShadowNode, and a controller the Node
    ShadowNode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Only record
    Audit,
    /// Record and warn
    Warn,
    /// Refuse and record
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One object
    Json,
    /// One document
    Yaml,
}

/// Ends a command over what its cluster said: what was asked for may not be had, or nobody can tell.
pub(crate) fn ended(console: &mut Console<'_>, error: &anyhow::Error) -> Exit {
    // What an API server says may hold anything.
    for line in format!("{error:#}").lines() {
        console.say(format_args!("nodebound: {}", harmless(line)));
    }
    match error.downcast_ref::<ExecuteError>() {
        Some(ExecuteError::Foreign(_) | ExecuteError::Contested(_)) => Exit::Finding,
        Some(ExecuteError::NotProven(
            NotProven::Request(_)
            | NotProven::NoAnswer(_)
            | NotProven::Nothing(_)
            | NotProven::Unsaid(_)
            | NotProven::Unjudged(_),
        )) => Exit::Unknown,
        Some(ExecuteError::NotProven(_)) => Exit::Finding,
        _ if error.downcast_ref::<Refused>().is_some() => Exit::Finding,
        _ => Exit::Unknown,
    }
}

/// What is not done, because of what the cluster shows.
#[derive(Debug)]
pub(crate) struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let installation = self.installation()?;
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        match runtime.block_on(self.with(installation, console)) {
            Ok(exit) => Ok(exit),
            Err(error) => Ok(ended(console, &error)),
        }
    }

    fn installation(&self) -> anyhow::Result<Installation> {
        let profile = profiles::load_for(&self.profile, self.service_account.clone())?;
        let mut spec = profile.spec().clone();
        match self.channel {
            Some(ChannelName::Direct) => spec.channel = Channel::Direct,
            Some(ChannelName::ShadowNode) => spec.channel = Channel::ShadowNode,
            None => {}
        }
        match self.mode {
            Some(Mode::Audit) => spec.actions = vec![Action::Audit],
            Some(Mode::Warn) => spec.actions = vec![Action::Warn, Action::Audit],
            Some(Mode::Deny) => spec.actions = vec![Action::Deny, Action::Audit],
            None => {}
        }
        let profile = Profile::new(profile.name(), spec).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(lines.join("\n"))
        })?;
        let registry = self.registry.trim_end_matches('/').to_owned();
        let (namespace, any_node, hold_upgrades) = (self.namespace.clone(), self.any_node, self.hold_upgrades);
        let settings = Settings { namespace, registry, any_node, hold_upgrades, ..Settings::default() };
        let installation = Installation { profile, settings };
        supported(&installation)?;
        Ok(installation)
    }

    async fn with(&self, installation: Installation, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let (client, connect) = self.cluster.connect().await?;
        let objects = Objects::new(client);
        let patience = if self.wait { PATIENCE } else { Duration::ZERO };
        let executor =
            Executor { objects: objects.clone(), prover: Prover::Itself { connect, claim: Claim::Node }, patience };
        let goal = Goal { installation, adopt: self.adopt, profile_is_given: false, rehearses: false };
        self.check(&objects, &goal, console).await?;
        if self.dry_run {
            return self.show(&self.plan(&objects, &goal).await?, console);
        }
        if self.is_static {
            let installed = self.install(&executor, &goal, console).await?;
            return self.conclude(&objects, &goal, &installed, console).await;
        }
        self.hand_over(&objects, &goal, console).await
    }

    /// What only the cluster shows to be wrong.
    async fn check(&self, objects: &Objects, goal: &Goal, console: &mut Console<'_>) -> anyhow::Result<()> {
        let profile = &goal.installation.profile;
        let others: Vec<Installation> = match survey::profiles(objects).await {
            Ok(listed) => {
                let valid = listed.into_iter().filter_map(|listed| listed.profile.ok());
                let others = valid.map(|(profile, _)| profile).filter(|other| other.name() != profile.name());
                let settings = goal.installation.settings.clone();
                others.map(|profile| Installation { profile, settings: settings.clone() }).collect()
            }
            Err(RequestError::Refused { code: 404, .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if let Some(conflict) = survey::conflict(&goal.installation, &others) {
            return Err(Refused(conflict).into());
        }
        let strangers = survey::strangers(objects, &goal.installation).await?;
        if !strangers.is_empty() && !self.adopt {
            return Err(Refused(format!(
                "others were given rights where our programs are to run, and could speak for them: {}; remove those, or use --adopt",
                strangers.join(", ")
            ))
            .into());
        }
        if self.is_static && profile.node() == OwnNode::Own {
            warn_of_claims(&objects.version().await?, console);
        }
        if goal.installation.is_ours() {
            return Ok(());
        }
        if let Some((_, message)) = survey::unused(objects, profile).await? {
            console.say(format_args!("warning: {message}: is it the right one?"));
        }
        let lost = survey::locked_out(objects, profile).await?;
        if !lost.is_empty() && !goal.is_trial() && !self.force {
            let keys: Vec<String> = lost.into_iter().collect();
            return Err(Refused(format!(
                "the agent seems to write keys that the profile does not own (by managedFields, which are a hint): {}; \
                 the guard would refuse those writes: add them to the profile, try --mode audit first, or use --force",
                keys.join(", ")
            ))
            .into());
        }
        Ok(())
    }

    async fn plan(&self, objects: &Objects, goal: &Goal) -> anyhow::Result<Plan> {
        let found = objects.find(goal.looked_at()).await?;
        if self.is_static {
            return Ok(goal.whole(&found).map_err(ExecuteError::from)?);
        }
        let wanted = operators(goal);
        let found = objects.find(wanted.iter().map(Place::of)).await?;
        Ok(Plan { steps: goal.steps(wanted, &found).map_err(ExecuteError::from)?, hold: None, unguarded: false })
    }

    fn show(&self, plan: &Plan, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let steps: Vec<Value> = plan.steps.iter().map(described).collect();
        let document = json!({"steps": steps, "hold": plan.hold});
        match self.output {
            Format::Json => json::document(console.out, &document)?,
            Format::Yaml => yaml::document(console.out, &document)?,
            Format::Table => {
                let mut table = Table::new(&["", "STEP"], console.look.colour);
                for (number, step) in (1..).zip(&plan.steps) {
                    table.push(console.out, vec![Cell::plain(&number.to_string()), Cell::plain(&step.to_string())])?;
                }
                table.finish(console.out)?;
                if let Some(hold) = plan.hold {
                    console.say(word(hold));
                }
            }
        }
        Ok(if plan.hold == Some(Hold::NotServed) { Exit::Finding } else { Exit::Fine })
    }

    async fn install(&self, executor: &Executor, goal: &Goal, console: &mut Console<'_>) -> anyhow::Result<Installed> {
        let found = executor.objects.find(goal.looked_at()).await?;
        let steps = goal.whole(&found).map_err(ExecuteError::from)?.steps.len();
        let bar = Progress::new(console.look.progress, steps as u64, "steps");
        let told = !console.look.progress;
        let installed = executor.install(goal, None, |event| match event {
            Event::Begins(Step::Wait(_)) => {}
            Event::Begins(step) => {
                bar.step();
                if told {
                    console.say(harmless(&step.to_string()));
                }
            }
            Event::Refused(_) | Event::Proven(_) => {}
        });
        let installed = installed.await;
        bar.finish();
        Ok(installed?)
    }

    /// Says what is in force, as `status` would.
    async fn conclude(
        &self,
        objects: &Objects,
        goal: &Goal,
        installed: &Installed,
        console: &mut Console<'_>,
    ) -> anyhow::Result<Exit> {
        let row = Row::of_installed(goal, installed, objects).await;
        status::print(console, std::slice::from_ref(&row), self.output)?;
        if let Some(pending) = &installed.pending {
            console.say(format_args!(
                "{pending} is not ready yet: run it again, or with --wait, to take away what is not needed any more"
            ));
        }
        Ok(verdict(&row, goal, console))
    }

    /// One object after the other. A definition takes a moment to be served, and what is on its way out to be gone.
    async fn apply(
        &self,
        objects: &Objects,
        goal: &Goal,
        wanted: &[Value],
        console: &mut Console<'_>,
        mut did: impl FnMut(),
    ) -> anyhow::Result<()> {
        let (end, mut last) = (Instant::now() + Duration::from_secs(60), None);
        loop {
            let found = objects.find(wanted.iter().map(Place::of)).await?;
            let steps = goal.steps(wanted.iter().cloned(), &found).map_err(ExecuteError::from)?;
            let written = match steps.first() {
                None => return Ok(()),
                Some(Step::Apply { object, .. }) => objects.apply(object).await,
                Some(step) if Instant::now() >= end => return Err(Refused(format!("{step}: it is still there")).into()),
                Some(_) => {
                    sleep(Duration::from_millis(500)).await;
                    continue;
                }
            };
            match written {
                Ok(()) => {
                    console.say(harmless(&steps[0].to_string()));
                    did();
                    let place = steps[0].place();
                    if let Some(place) = place.clone().filter(|_| place == last) {
                        return Err(ExecuteError::Contested(place).into());
                    }
                    last = place;
                }
                Err(error) if error.may_pass() && Instant::now() < end => sleep(Duration::from_millis(500)).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Installs the operator and gives it the profile.
    async fn hand_over(&self, objects: &Objects, goal: &Goal, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let wanted = operators(goal);
        let bar = Progress::new(console.look.progress, wanted.len() as u64, "objects");
        self.apply(objects, goal, &wanted, console, || bar.step()).await?;
        bar.finish();
        let name = goal.installation.profile.name();
        let end = Instant::now() + if self.wait { PATIENCE } else { Duration::ZERO };
        loop {
            let rows = status::rows(objects, Some(name)).await?;
            let row = rows.first().filter(|row| row.is_settled());
            if row.is_some() || Instant::now() >= end {
                status::print(console, &rows, self.output)?;
                if !self.wait {
                    console.say(format_args!(
                        "wait for it with `kubectl wait --for=condition=Enforced agentprofile/{name}`"
                    ));
                    return Ok(Exit::Fine);
                }
                return Ok(row.map_or(Exit::Finding, |row| verdict(row, goal, console)));
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What came of it is as good as what was asked for, or it is not.
fn verdict(row: &Row, goal: &Goal, console: &mut Console<'_>) -> Exit {
    let is_permissive = goal.installation.profile.enforcement() == Enforcement::Permissive;
    match () {
        () if row.is(Reason::GuardProven) => Exit::Fine,
        () if row.is(Reason::TrialMode) => {
            console.say(word(Hold::Trial));
            Exit::Fine
        }
        () if row.is(Reason::PolicyNotServed) && is_permissive => {
            console.say("warning: rolled out without a guard, as enforcement: Permissive says; Kubernetes 1.30 serves what it needs");
            Exit::Fine
        }
        () => {
            if row.is(Reason::PolicyNotServed) {
                console.say(word(Hold::NotServed));
            }
            Exit::Finding
        }
    }
}

/// The operator sees its own token; from here none is seen.
fn warn_of_claims(version: &str, console: &mut Console<'_>) {
    let minor = version.trim_start_matches('v').split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if minor.is_none_or(|minor| (30..CLAIMS_SINCE).contains(&minor)) {
        let version = harmless(version);
        console.say(format_args!(
            "warning: tokens of this cluster ({version}) may not name their node, as they do from Kubernetes 1.{CLAIMS_SINCE} on: \
             the guard then refuses every write of the agent; without --static the operator looks at a token first; \
             or say `node: OwnIfClaimed` in the profile"
        ));
    }
}

/// The operator, and the profile for it.
fn operators(goal: &Goal) -> Vec<Value> {
    let mut objects = goal.installation.operator();
    objects.push(goal.installation.agent_profile());
    objects
}

fn supported(installation: &Installation) -> anyhow::Result<()> {
    let channel = installation.profile.channel();
    if !installation.is_ours() && channel != Channel::Direct {
        bail!(
            "spec.channel: {channel:?}: {} is not our agent: its own operator restores its rights on Nodes, and it cannot \
             be told to write elsewhere; use Direct, or --service-account {}/nodebound-agent for our agent",
            installation.profile.username(),
            installation.settings.namespace
        );
    }
    if !matches!(channel, Channel::Direct | Channel::ShadowNode) {
        bail!("spec.channel: {channel:?}: this version installs Direct and ShadowNode");
    }
    Ok(())
}

fn word(hold: Hold) -> &'static str {
    match hold {
        Hold::Trial => "the guard refuses nothing in this mode, so nothing was granted",
        Hold::NotServed => {
            "the API server serves no ValidatingAdmissionPolicy (Kubernetes 1.30 does): nothing that needs the guard is rolled out"
        }
    }
}

fn described(step: &Step) -> Value {
    match step {
        Step::Apply { part, change, object } => {
            json!({"action": change, "part": part.word(), "object": Place::of(object)})
        }
        Step::Prove => json!({"action": "prove"}),
        Step::Wait(place) => json!({"action": "wait", "object": place}),
        Step::Remove(place) => json!({"action": "delete", "object": place}),
    }
}
