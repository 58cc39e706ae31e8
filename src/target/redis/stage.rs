//! The place where a state is loaded before anybody sees it: its names, what was left there earlier, and the switch.

use redis::Value;

use super::error::{TargetError, shown};
use super::link::Link;
use super::watch::Watch;
use crate::domain::sha256;
use crate::target::{Content, Layout};

/// The switch, as the server runs it.
const SWITCH: &str = include_str!("switch.lua");
/// Names that are asked for at once.
const PAGE: usize = 1_000;

/// The names of one staging.
pub(super) struct Stage {
    /// Follows from everything that the state is, its layout among it.
    pub(super) id: String,
    /// What staged keys begin with; their final names follow.
    pub(super) prefix: String,
    /// The set of final names that are staged.
    pub(super) names: String,
    /// The hash that says how far it is.
    pub(super) progress: String,
    /// The set of all stagings.
    pub(super) stagings: String,
    /// The set of names that a restore wrote and that are live.
    pub(super) live: String,
}

impl Stage {
    pub(super) fn of(content: &Content<'_>) -> Self {
        let id = sha256(&content.meta().value).to_hex();
        Self::named(content.layout(), &id[..32])
    }

    fn named(layout: &Layout, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            prefix: layout.control(&format!("staged:{id}:")),
            names: layout.control(&format!("staged-names:{id}")),
            progress: layout.control(&format!("progress:{id}")),
            stagings: layout.control("stagings"),
            live: layout.control("names"),
        }
    }

    /// How many units an interrupted load has brought here.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub(super) fn done(&self, link: &mut Link) -> Result<u64, TargetError> {
        match link.ask(redis::cmd("HGET").arg(&self.progress).arg("done"))? {
            Value::Nil => Ok(0),
            Value::BulkString(text) => {
                let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                number.ok_or_else(|| link.nonsense("HGET"))
            }
            _ => Err(link.nonsense("HGET")),
        }
    }

    /// Forgets what was staged here.
    ///
    /// # Errors
    /// As [`Link::ask`]; [`TargetError::Stopped`].
    pub(super) fn discard(&self, link: &mut Link, watch: &Watch<'_>) -> Result<(), TargetError> {
        // First of all: nobody resumes a staging of which a part is gone.
        link.ask(redis::cmd("UNLINK").arg(&self.progress))?;
        loop {
            let page = link.ask(redis::cmd("SRANDMEMBER").arg(&self.names).arg(PAGE))?;
            let Value::Array(page) = page else { return Err(link.nonsense("SRANDMEMBER")) };
            if page.is_empty() {
                break;
            }
            let (mut keys, mut names) = (redis::cmd("UNLINK"), redis::cmd("SREM"));
            names.arg(&self.names);
            for name in page {
                let Value::BulkString(name) = name else { return Err(link.nonsense("SRANDMEMBER")) };
                keys.arg([self.prefix.as_bytes(), &name].concat());
                names.arg(name);
            }
            link.ask(&keys)?;
            link.ask(&names)?;
            watch.check(0)?;
        }
        link.ask(redis::cmd("SREM").arg(&self.stagings).arg(&self.id)).map(drop)
    }

    /// Forgets every other staging under this layout's prefix.
    ///
    /// # Errors
    /// As [`Self::discard`].
    pub(super) fn discard_others(
        &self,
        link: &mut Link,
        layout: &Layout,
        watch: &Watch<'_>,
    ) -> Result<(), TargetError> {
        let Value::Array(all) = link.ask(redis::cmd("SMEMBERS").arg(&self.stagings))? else {
            return Err(link.nonsense("SMEMBERS"));
        };
        for id in all {
            let Value::BulkString(id) = id else { return Err(link.nonsense("SMEMBERS")) };
            let id = String::from_utf8_lossy(&id).into_owned();
            if id != self.id {
                Self::named(layout, &id).discard(link, watch)?;
            }
        }
        Ok(())
    }

    /// Makes the staged state the live one, in one step. Returns how many keys of an earlier restore it removed.
    ///
    /// # Errors
    /// [`TargetError::InTheWay`] when a name is taken, [`TargetError::Contended`] when what is staged is not what was loaded:
    /// nothing was changed then.
    pub(super) fn switch(&self, link: &mut Link, content: &Content<'_>) -> Result<u64, TargetError> {
        let mut script = redis::cmd("EVAL");
        script.arg(SWITCH).arg(4).arg(&self.names).arg(&self.live).arg(&self.progress).arg(&self.stagings);
        script.arg(&self.prefix).arg(content.units()).arg(content.keys()).arg(&self.id);
        let answer = link.ask_long(&script)?;
        let Value::Array(words) = answer else { return Err(link.nonsense("EVAL")) };
        let [Value::BulkString(word), Value::BulkString(of)] = words.as_slice() else {
            return Err(link.nonsense("EVAL"));
        };
        match word.as_slice() {
            b"switched" => {
                let removed = std::str::from_utf8(of).ok().and_then(|text| text.parse().ok());
                removed.ok_or_else(|| link.nonsense("EVAL"))
            }
            b"foreign" => Err(TargetError::InTheWay { key: shown(of) }),
            b"lost" => Err(TargetError::Unfit {
                what: format!("{} no longer holds {}, which was staged", link.place(), shown(of)),
                hint: "look at its maxmemory-policy and at who deletes keys there, and run the command again"
                    .to_owned(),
            }),
            b"miscounted" => {
                let what =
                    format!("{} names are staged for {} keys: two records have one key", shown(of), content.keys());
                Err(TargetError::Bug(what))
            }
            _ => Err(TargetError::Contended { place: link.place().to_owned() }),
        }
    }
}
