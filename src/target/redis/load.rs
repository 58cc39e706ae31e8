//! Loading: batch after batch into a staging that nobody reads, then one switch. What was begun is gone on with.

use redis::Value;

use super::batch::{Batch, Packed};
use super::error::{TargetError, shown};
use super::link::Link;
use super::stage::Stage;
use super::watch::Watch;
use crate::target::Content;

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Records and members that were sent.
    pub units: u64,
    /// Those of them that an interrupted load had sent before.
    pub resumed: u64,
    /// Keys of an earlier restore that the new state does not have.
    pub removed: u64,
}

/// True when the store says that it holds this state under this layout. Whether it does is for a comparison to say.
///
/// # Errors
/// As [`TargetError`] says.
pub fn is_loaded(link: &mut Link, content: &Content<'_>) -> Result<bool, TargetError> {
    let (meta, stage) = (content.meta(), Stage::of(content));
    let told = Value::BulkString(meta.value.clone());
    let own = link.ask(redis::cmd("SISMEMBER").arg(&stage.live).arg(&meta.key))? == Value::Int(1);
    // A key of another type is nobody's meta record; asked for by MGET it is nothing.
    Ok(own && link.ask(redis::cmd("MGET").arg(&meta.key))? == Value::Array(vec![told]))
}

/// Loads everything and makes it the live state.
///
/// # Errors
/// As [`TargetError`] says; the live state is then the one before, and what was staged stays for the next attempt.
pub fn load(link: &mut Link, content: &Content<'_>, watch: &Watch<'_>) -> Result<Loaded, TargetError> {
    link.check_writable()?;
    let stage = Stage::of(content);
    stage.discard_others(link, content.layout(), watch)?;
    let mut resumed = stage.done(link)?;
    let all = content.units();
    if resumed == 0 || resumed > all {
        // Names without progress were left by somebody who threw away what we go on with.
        stage.discard(link, watch)?;
        resumed = 0;
    }
    (watch.stage)("load", all);
    let staged = stage_all(link, content, &stage, resumed, watch);
    let switched = staged.and_then(|()| {
        (watch.stage)("switch", 0);
        stage.switch(link, content)
    });
    let removed = switched.inspect_err(|error| {
        if is_hopeless(error) {
            // What can't be forgotten now is forgotten by the next load; why we stop matters more.
            let _ = stage.discard(link, watch);
        }
    })?;
    Ok(Loaded { units: all, resumed, removed })
}

/// True when going on later with what is staged is of no use, and it would only take room from others.
fn is_hopeless(error: &TargetError) -> bool {
    match error {
        TargetError::InTheWay { .. } | TargetError::Unfit { .. } | TargetError::Full { .. } | TargetError::Bug(_) => {
            true
        }
        TargetError::Unusable { .. }
        | TargetError::Unreachable { .. }
        | TargetError::Contended { .. }
        | TargetError::Stopped => false,
    }
}

/// While the server takes one batch, the next one is made.
fn stage_all(
    link: &mut Link,
    content: &Content<'_>,
    stage: &Stage,
    resumed: u64,
    watch: &Watch<'_>,
) -> Result<(), TargetError> {
    let mut units = content.all_units().skip(usize::try_from(resumed).unwrap_or(usize::MAX));
    let (mut sent, mut done) = (None::<Packed>, resumed);
    loop {
        let next = Batch::fill(&mut units).map(|batch| batch.pack(stage));
        if let Some(packed) = sent.take() {
            done += packed.units;
            settle(link, stage, &packed, done)?;
            watch.check(done)?;
        }
        let Some(packed) = next else { return Ok(()) };
        link.send(&packed.bytes)?;
        sent = Some(packed);
    }
}

/// Reads the answers to a batch. `done` is how far the load has to be behind it: else somebody else is at it too.
fn settle(link: &mut Link, stage: &Stage, packed: &Packed, done: u64) -> Result<(), TargetError> {
    let (mut taken, mut last, mut refused) = (Value::Nil, Value::Nil, None);
    for place in 0..packed.answers {
        match link.answer() {
            Ok(value) if place == 0 => taken = value,
            Ok(value) => last = value,
            // The first refusal says why; the others follow from it. Where nobody answers, none follows.
            Err(error) => {
                let is_gone = matches!(error, TargetError::Unreachable { .. } | TargetError::Stopped);
                refused.get_or_insert(error);
                if is_gone {
                    break;
                }
            }
        }
    }
    if let Some(error) = refused {
        return Err(error);
    }
    let Value::Array(answers) = last else { return Err(link.nonsense("EXEC")) };
    if let Some(Value::ServerError(error)) = answers.iter().find(|answer| matches!(answer, Value::ServerError(_))) {
        return Err(super::error::of_reply(link.place(), error.code(), error.details()));
    }
    if answers.last() != Some(&Value::Int(i64::try_from(done).unwrap_or(i64::MAX))) {
        return Err(TargetError::Contended { place: link.place().to_owned() });
    }
    if taken == Value::Int(0) { Ok(()) } else { all_own(link, stage, &packed.names) }
}

/// Refuses when one of the names is taken by what no restore wrote.
fn all_own(link: &mut Link, stage: &Stage, names: &[String]) -> Result<(), TargetError> {
    let mut bytes = Vec::new();
    for name in names {
        redis::cmd("EXISTS").arg(name).write_packed_command(&mut bytes);
        redis::cmd("SISMEMBER").arg(&stage.live).arg(name).write_packed_command(&mut bytes);
    }
    link.send(&bytes)?;
    let mut foreign = None;
    for name in names {
        let (exists, own) = (link.answer()?, link.answer()?);
        if exists != Value::Int(0) && own == Value::Int(0) {
            foreign.get_or_insert(name);
        }
    }
    foreign.map_or(Ok(()), |name| Err(TargetError::InTheWay { key: shown(name.as_bytes()) }))
}
