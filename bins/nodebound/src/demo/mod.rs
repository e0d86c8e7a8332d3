//! The demonstration: a cluster in the sandbox, attacked without and with its guard, and every way that the design weighs.

mod option;
mod stage;

use attack::Matrix;
use attack::matrix::{Cell, Row, cells};
use attack::outcome::Outcome;
use attack::report::{Conclusion, Report};

use option::Way;

/// What the demonstration showed.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The attack on an agent whose role is as wide as roles of agents get.
    pub before: Report,
    /// The same with the guard.
    pub after: Report,
    /// Every way that the design weighs.
    pub matrix: Matrix,
}

/// How many attacks are made.
pub(crate) fn attacks() -> anyhow::Result<u64> {
    Ok(stage::TRIALS * (2 + option::ways()?.len() as u64))
}

/// Shows it. `seen` is called after each request.
pub(crate) async fn show(mut seen: impl FnMut()) -> anyhow::Result<Shown> {
    let before = stage::attacked(&option::widest(), &mut seen).await?;
    let after = stage::attacked(&option::widest().guarded(), &mut seen).await?;
    let mut matrix = Matrix::new();
    for way in option::ways()? {
        let report = stage::attacked(&way, &mut seen).await?;
        matrix.options.push(row(&way, &report));
    }
    Ok(Shown { before, after, matrix })
}

fn row(way: &Way, report: &Report) -> Row {
    let legitimate = || report.trials.iter().filter(|trial| !trial.attack && trial.outcome != Outcome::Skipped);
    let admitted = legitimate().filter(|trial| trial.outcome == Outcome::Admitted).count();
    Row {
        number: way.number.clone(),
        name: way.name.clone(),
        installs: way.installs.clone(),
        opens: opens(way),
        cells: believed(cells(report), way),
        legitimate: (admitted, legitimate().count()),
    }
}

/// However what an agent says about its own node gets to the Node, it is believed.
fn believed(mut cells: Vec<Cell>, way: &Way) -> Vec<Cell> {
    let lies = attack::attacks().iter().position(|recipe| recipe.id == "lie-about-the-own-node");
    if let Some(cell) = lies.and_then(|index| cells.get_mut(index)).filter(|_| !way.writes_nodes()) {
        *cell = Cell {
            outcome: Outcome::Residual,
            through: cell.through,
            note: format!("it goes another way: {}", way.name),
        };
    }
    cells
}

/// An object may have so many bytes in etcd, by default.
const MAX_OBJECT: usize = 1_572_864;
/// The labels of a node with a recent CPU.
const LABELS: usize = 170;

/// What a way opens; for the one that is ruled out by size, in numbers.
fn opens(way: &Way) -> String {
    if way.middle != Some(option::Middle::SharedStatus) {
        return way.opens.clone();
    }
    let node: std::collections::BTreeMap<String, &str> =
        (0..LABELS).map(|index| (format!("cpu-feature.node.kubevirt.io/feature-{index:03}"), "true")).collect();
    let bytes = serde_json::to_vec(&node).map_or(0, |text| text.len());
    let nodes = MAX_OBJECT.checked_div(bytes).unwrap_or(0);
    format!(
        "{}; {bytes} bytes for {LABELS} labels a node, and the object is full at {nodes} nodes (1.5 MiB)",
        way.opens
    )
}

impl Shown {
    /// Whether everything came out as it should: breaches before, none after, and none where ours is the way.
    pub(crate) fn is_as_expected(&self) -> bool {
        self.before.conclusion() == Conclusion::Broken && self.after.conclusion() == Conclusion::Holds
    }
}
