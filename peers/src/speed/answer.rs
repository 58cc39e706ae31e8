//! What a contender answers: the last line that it prints, one JSON object.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use serde_json::{Value, json};

/// Numbers that are told at most.
const SHOWN: usize = 1_000;

/// What was accepted, and what was not.
#[derive(Default)]
pub struct Answer {
    /// Events or proofs, passes added up.
    pub taken: u64,
    /// Numbers of those that were refused, from zero, at most [`SHOWN`].
    pub refused: Vec<usize>,
    /// Of the library, where the contender knows it better.
    pub version: String,
    /// What is to be said beside the figures.
    pub remark: String,
}

impl Answer {
    /// Of one flag for each event or proof.
    pub fn of(accepted: impl IntoIterator<Item = bool>) -> Self {
        let mut answer = Self::default();
        for (number, accepted) in accepted.into_iter().enumerate() {
            if accepted {
                answer.taken += 1;
            } else if answer.refused.len() < SHOWN {
                answer.refused.push(number);
            }
        }
        answer
    }

    pub fn say(&self) {
        println!("{}", json!({ "taken": self.taken, "refused": self.refused, "remark": self.remark }));
    }

    /// Reads what [`Self::say`] printed, or a contender in another language.
    pub fn read(printed: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(printed);
        let line = text.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(line).map_err(|_| format!("it answered {line:?}"))?;
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let refused = value["refused"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        Ok(Self {
            taken: value["taken"].as_u64().ok_or("it did not say how many")?,
            refused: refused.filter_map(|number| usize::try_from(number).ok()).collect(),
            version: text("version"),
            remark: text("remark"),
        })
    }
}

/// The lines of a file.
pub fn lines(file: &Path) -> io::Result<Vec<String>> {
    BufReader::with_capacity(1 << 20, std::fs::File::open(file)?).lines().collect()
}
