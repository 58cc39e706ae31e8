//! First what each accepts, then the rounds.

use std::path::{Path, PathBuf};

use super::answer::Answer;
use super::contender::{Contender, Input, Start, Tools, Work};
use super::events::Events;
use super::measure::{Spent, measure};
use super::proofs::Proofs;

/// Everything that is the same for all.
pub struct Bench {
    pub tools: Tools,
    pub events: Events,
    pub spoiled_events: Events,
    pub proofs: Proofs,
    pub spoiled_proofs: Proofs,
    pub passes: usize,
    pub rounds: usize,
    /// Where stores and runs go: on a disk, because some of them wait for it.
    pub scratch: PathBuf,
}

/// What became of a contender.
pub struct Row {
    pub contender: Contender,
    /// One for each round.
    pub spent: Vec<Spent>,
    /// How many events or proofs each round was over.
    pub over: usize,
    pub version: String,
    pub remark: String,
    pub end: End,
}

/// Whether the figures stand.
pub enum End {
    /// It accepted what it should and nothing else.
    Held,
    /// It was measured, and accepted something else.
    Differed(String),
    /// It is not here, or could not do it.
    Skipped(String),
}

impl Row {
    /// The median by the clock and the median by the processor.
    pub fn median(&self) -> Option<Spent> {
        let middle = |figure: fn(&Spent) -> f64| {
            let mut figures: Vec<f64> = self.spent.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied()
        };
        Some(Spent { clock: middle(|spent| spent.clock)?, processor: middle(|spent| spent.processor)? })
    }

    /// Events or proofs a second, by the clock.
    pub fn rate(&self) -> Option<f64> {
        self.median().map(|spent| self.over as f64 / spent.clock)
    }
}

impl Bench {
    /// Measures everybody; the order of the rows is that of the contenders.
    pub fn run(&self, contenders: Vec<Contender>) -> Vec<Row> {
        let mut rows: Vec<Row> = contenders.into_iter().map(|contender| self.checked(contender)).collect();
        for round in 0..self.rounds {
            // Whoever was first is later in the next round: what the machine does beside it meets all.
            let all = rows.len();
            let first = round * all / self.rounds;
            for at in (0..all).map(|at| (at + first) % all) {
                self.measured(&mut rows[at], round);
            }
        }
        rows
    }

    /// Gives it the lies, unless it is not here.
    fn checked(&self, contender: Contender) -> Row {
        let over = self.honest(&contender, |input| input.count());
        let row = |contender: Contender, end, answer: Answer| {
            let version = if answer.version.is_empty() { contender.version.to_owned() } else { answer.version };
            Row { contender, spent: Vec::new(), over, version, remark: answer.remark, end }
        };
        if let Some(why) = self.tools.lacks(&contender) {
            eprintln!("{} SKIPPED: {why}", contender.name);
            return row(contender, End::Skipped(why), Answer::default());
        }
        eprintln!("{}: is given lies", contender.name);
        match self.spoiled(&contender, |input| (measure(&contender, &self.tools, input, &self.scratch), owed(input))) {
            (Err(why), _) => {
                eprintln!("{} SKIPPED: {why}", contender.name);
                row(contender, End::Skipped(why), Answer::default())
            }
            (Ok((_, mut answer)), (taken, lies)) => {
                let end = difference(&answer, taken, &lies).map_or(End::Held, End::Differed);
                if matches!(contender.start, Start::Role("nostrdb")) {
                    answer.remark = self.careless(&contender);
                }
                row(contender, end, answer)
            }
        }
    }

    fn measured(&self, row: &mut Row, round: usize) {
        if let End::Skipped(_) = row.end {
            return;
        }
        let Row { contender, .. } = &*row;
        let measured = self.honest(contender, |input| measure(contender, &self.tools, input, &self.scratch));
        match measured {
            Ok((spent, answer)) => {
                let per_second = row.over as f64 / spent.clock;
                eprintln!(
                    "round {}: {}: {per_second:.0}/s, {:.2} s of processor",
                    round + 1,
                    contender.name,
                    spent.processor
                );
                row.spent.push(spent);
                if answer.taken != row.over as u64 {
                    row.end = End::Differed(format!("accepted {} of {} good ones", answer.taken, row.over));
                }
                // What was learned beforehand stays: it is about losses, which this caller has none of.
                if !matches!(row.contender.start, Start::Role("nostrdb")) {
                    row.remark = answer.remark;
                }
            }
            Err(why) => row.end = End::Skipped(format!("in round {}: {why}", round + 1)),
        }
    }

    /// What a caller of nostrdb loses who does not come again.
    fn careless(&self, patient: &Contender) -> String {
        let careless = Contender { start: Start::Role("nostrdb-careless"), ..*patient };
        match measure(&careless, &self.tools, Input::Events(&self.events), &self.scratch) {
            Ok((_, answer)) => {
                format!(
                    "a full queue is tried again; who does not, loses {} events",
                    self.events.count as u64 - answer.taken
                )
            }
            Err(why) => format!("what is lost without trying again is unknown: {why}"),
        }
    }

    fn honest<T>(&self, contender: &Contender, with: impl FnOnce(Input<'_>) -> T) -> T {
        match contender.work {
            Work::Proofs => with(Input::Proofs(&self.proofs, self.passes)),
            Work::Events => with(Input::Events(&first(&self.events, contender.sample))),
        }
    }

    /// A sample is enlarged: it has to hold a lie.
    fn spoiled<T>(&self, contender: &Contender, with: impl FnOnce(Input<'_>) -> T) -> T {
        match contender.work {
            Work::Proofs => with(Input::Proofs(&self.spoiled_proofs, 1)),
            Work::Events => {
                with(Input::Events(&first(&self.spoiled_events, contender.sample.map(|sample| 2 * sample))))
            }
        }
    }
}

/// The first of the events: the file is the same, who is given a sample stops there.
fn first(events: &Events, sample: Option<usize>) -> Events {
    let count = sample.unwrap_or(events.count).min(events.count);
    let lies = events.lies.iter().copied().filter(|at| *at < count).collect();
    Events { file: Path::new(&events.file).to_owned(), count, lies, ..*events }
}

/// How many have to be accepted, and which not.
fn owed(input: Input<'_>) -> (usize, Vec<usize>) {
    (input.count() - input.lies().len(), input.lies().to_vec())
}

fn difference(answer: &Answer, taken: usize, lies: &[usize]) -> Option<String> {
    let believed: Vec<usize> = lies.iter().filter(|lie| !answer.refused.contains(lie)).copied().collect();
    let disbelieved: Vec<usize> = answer.refused.iter().filter(|number| !lies.contains(number)).copied().collect();
    if believed.is_empty() && disbelieved.is_empty() && answer.taken == taken as u64 {
        return None;
    }
    let mut said = vec![format!("accepted {} where {taken} are good", answer.taken)];
    for (what, numbers) in [("lies believed", believed), ("good ones refused", disbelieved)] {
        if !numbers.is_empty() {
            said.push(format!("{what}: {} (number {} first)", numbers.len(), numbers[0]));
        }
    }
    Some(said.join(", "))
}
