//! `nodebound verify`: attack a cluster as the agent, and report who refused.

use anyhow::Context;
use attack::report::{Conclusion, Report};
use attack::{Plan, Server, SurveyError, Wanted, inspect, survey};
use clap::{Args, ValueEnum};
use ownership::Profile;
use ownership::spec::ServiceAccount;
use std::path::PathBuf;

use crate::cluster::Selection;
use crate::interruption::Interruption;
use crate::output::concluded::Concluded;
use crate::output::paint::harmless;
use crate::output::{attack_junit, attack_table, json, page, sarif, yaml};
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::{Console, Exit, profiles};

/// Attack a cluster as the agent, by server-side dry runs, and report who refused
///
/// Every write is a dry run: nothing is changed. The attack is made with a token of the agent's service account that is
/// bound to one of its running pods, or, where tokens may not be minted, by impersonation.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A built-in profile or a file
    #[arg(long, short, value_name = "PROFILE")]
    profile: String,
    /// The agent's account, if it is not the profile's
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = profiles::service_account)]
    service_account: Option<ServiceAccount>,
    /// The node to attack from; if not given, that of the first running pod of the agent
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// A policy that is meant to guard the agent, if it is not the guard of its profile
    #[arg(long, value_name = "NAME")]
    policy: Vec<String>,
    /// Create a Node of this name for what no other Node can show, and delete it afterwards
    #[arg(long, value_name = "NODE")]
    danger_write: Option<String>,
    /// Exit with 0 even if something could not be proven
    #[arg(long)]
    allow_unproven: bool,
    /// List everything that was tried, not only what somebody has to look at
    #[arg(long, short)]
    verbose: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Where to write a page for a browser
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    #[command(flatten)]
    cluster: Selection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object
    Json,
    /// One document
    Yaml,
    /// `JUnit` XML, for CI systems
    Junit,
    /// SARIF 2.1.0, for code scanners
    Sarif,
}

impl Arguments {
    pub(crate) fn run(self, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        let profile = profiles::load_for(&self.profile, self.service_account.clone())?;
        page::claim(self.report.as_deref())?;
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        let progress = console.look.progress;
        match runtime.block_on(self.interruptible(profile, progress)) {
            Ok(report) => self.conclude(&report, console),
            Err(error) => {
                // What an API server says may hold anything.
                for line in format!("{error:#}").lines() {
                    console.say(format_args!("nodebound: could not verify: {}", harmless(line)));
                }
                Ok(Exit::Unknown)
            }
        }
    }

    /// Ends early on Ctrl-C, with nothing left behind.
    async fn interruptible(&self, profile: Profile, progress: bool) -> anyhow::Result<Report> {
        let servers = self.cluster.servers().await?;
        let first = servers.first().context("the address of the cluster stands for no API server")?;
        // Heard from here on, so that it cannot end the process between creating a Node and deleting it.
        let interruption = Interruption::listen().context("cannot listen for Ctrl-C")?;
        let scratch = Scratch::create(&first.operator, self.danger_write.as_deref()).await?;
        let report = tokio::select! {
            biased;
            () = interruption.heard() => Err(anyhow::anyhow!("interrupted")),
            report = self.verify(&servers, first, profile, progress) => report,
        };
        scratch.remove().await?;
        report
    }

    async fn verify(
        &self,
        servers: &[Server],
        first: &Server,
        profile: Profile,
        progress: bool,
    ) -> anyhow::Result<Report> {
        let wanted =
            Wanted { node: self.node.clone(), scratch: self.danger_write.clone(), policies: self.policy.clone() };
        let found = survey(first, profile, &wanted).await.map_err(|error: SurveyError| anyhow::anyhow!(error))?;
        let plan = Plan::new(&found.ground);
        let bar = Progress::new(progress, (plan.len() * servers.len()) as u64, "requests");
        let mut trials = Vec::new();
        for server in servers {
            trials.extend(plan.run(server, &found.ground, &found.keys, || bar.step()).await);
        }
        bar.finish();
        let checks = inspect::checks(&found, &self.policy);
        Ok(Report::new(&found, servers.iter().map(|server| server.address.clone()).collect(), checks, trials))
    }

    fn conclude(&self, report: &Report, console: &mut Console<'_>) -> anyhow::Result<Exit> {
        match self.output {
            Format::Table => attack_table::report(console.out, report, self.verbose, console.look.colour)?,
            Format::Json => json::document(console.out, &Concluded::new(report))?,
            Format::Yaml => yaml::document(console.out, &Concluded::new(report))?,
            Format::Junit => attack_junit::write(console.out, report)?,
            Format::Sarif => json::document(console.out, &sarif::log(report))?,
        }
        if let Some(path) = &self.report {
            page::write(path, "nodebound verify", None, report, None)?;
            console.say(format_args!("the report is {}", path.display()));
        }
        Ok(match report.conclusion() {
            Conclusion::Holds => Exit::Fine,
            Conclusion::Broken => Exit::Finding,
            Conclusion::Unproven if self.allow_unproven => Exit::Fine,
            Conclusion::Unproven => Exit::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attack::Outcome;
    use attack::report::Trial;
    use attack::stage;
    use clap::Parser;
    use kube::{Client, Config};
    use ownership::builtin;
    use sandbox::adversity::{Effect, Matches, Rule, When};
    use sandbox::server::Plugin;
    use sandbox::{Sandbox, Settings};
    use serde_json::Value;
    use std::net::TcpListener;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn profile() -> Profile {
        builtin::profile("kubevirt").unwrap().unwrap()
    }

    fn guard() -> Vec<Value> {
        manifests::guards(&profile()).iter().flat_map(manifests::Guarding::objects).collect()
    }

    /// The cluster of the demonstration, behind an API server of this address.
    async fn cluster(address: &str, policies: Vec<Value>) -> (Sandbox, Server) {
        let disabled = [Plugin::ServiceAccount, Plugin::TaintNodesByCondition].into();
        let sandbox = Sandbox::start(Settings { disabled, ..Settings::default() }).unwrap();
        let server = Server {
            address: address.to_owned(),
            operator: Client::new(sandbox.admin(), "default"),
            nobody: Client::new(sandbox.connection(), "default"),
        };
        let mut objects = stage::objects().unwrap();
        objects.extend(stage::role(&stage::widest_rules()));
        objects.extend(policies);
        stage::build(&server, &objects).await.unwrap();
        (sandbox, server)
    }

    /// An API server that does not answer.
    fn silent() -> Server {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = || Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap();
        Server { address: "silent".to_owned(), operator: client(), nobody: client() }
    }

    async fn verify(servers: &[Server]) -> Report {
        let line = Line::parse_from(["verify", "--profile", "kubevirt"]);
        line.arguments.verify(servers, &servers[0], profile(), false).await.unwrap()
    }

    fn at<'r>(report: &'r Report, server: &str) -> Vec<&'r Trial> {
        report.trials.iter().filter(|trial| trial.server == server).collect()
    }

    #[tokio::test]
    async fn an_api_server_that_has_not_heard_of_the_guard_is_found() {
        let (sandbox, guarded) = cluster("guarded", guard()).await;
        // Its tokens are nothing to the other server, which has keys of its own.
        let agent =
            Matches { users: vec!["system:serviceaccount:kubevirt:kubevirt-handler".into()], ..Matches::default() };
        sandbox.trouble(vec![Rule { matches: agent, when: When::First(1), effect: Effect::ExpireToken }]);
        let (_, late) = cluster("late", Vec::new()).await;
        let report = verify(&[guarded, late]).await;
        assert_eq!((report.servers.join(" ").as_str(), report.conclusion()), ("guarded late", Conclusion::Broken));
        assert!(at(&report, "guarded").iter().all(|trial| !trial.outcome.is_finding()));
        let through = at(&report, "late").into_iter().filter(|trial| trial.outcome == Outcome::Breach).count();
        assert!(through > 100, "{through}");
        let results = sarif::log(&report)["runs"][0]["results"].take();
        let texts = results.as_array().unwrap().iter().filter_map(|result| result["message"]["text"].as_str());
        assert!(texts.filter(|text| text.starts_with("got through: ")).all(|text| text.contains(" at late")));
    }

    #[tokio::test]
    async fn an_api_server_that_does_not_answer_is_never_proven() {
        let (_sandbox, guarded) = cluster("guarded", guard()).await;
        let report = verify(&[guarded.clone(), silent()]).await;
        assert_eq!(report.conclusion(), Conclusion::Unproven);
        let asked = |trial: &&Trial| trial.outcome != Outcome::Skipped;
        assert!(at(&report, "silent").into_iter().filter(asked).all(|trial| trial.outcome == Outcome::Unproven));
        assert_eq!(at(&report, "silent").len(), at(&report, "guarded").len());
        assert_eq!(verify(&[guarded]).await.conclusion(), Conclusion::Holds);
    }
}
